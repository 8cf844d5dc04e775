"""Hypothesis profiles, and the slow tests left out unless asked for."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

pytest_plugins = ["pytester"]

threadpool_limits(limits=1, user_api="blas")  # the workers share the cores; threads of BLAS would wait for each other

settings.register_profile("quick", max_examples=30, deadline=None)
settings.register_profile("ci", max_examples=300, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests marked slow unless ``-m`` says which ones to run."""
    if config.option.markexpr:
        return
    slow = [item for item in items if "slow" in item.keywords]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if "slow" not in item.keywords]
