"""Constants of the evaluation of networks, changed wherever they are used."""

from __future__ import annotations

import pytest

from ntkproof.checker.given_weights import deviation, evaluation, gram, kinks, nearby, norms, paths, profile, quantities

MODULES = (deviation, evaluation, gram, kinks, nearby, norms, paths, profile, quantities)


def change(monkeypatch: pytest.MonkeyPatch, **values: int) -> None:
    """Set constants of these names in every module that has them."""
    for module in MODULES:
        for name, value in values.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)
