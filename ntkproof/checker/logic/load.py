"""Modules of the checker that only some certificates need: imported when one does, and noted.

Trusted.  What a verdict rests on is told from these notes (`ntkproof.checker.trust`).  So nothing that is cached over
several checks may load a module: it would be noted the first time only.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_NOTED: ContextVar[set[str] | None] = ContextVar("noted", default=None)


def load(name: str) -> ModuleType:
    """Return the module ``ntkproof.checker.name`` and note that it was needed."""
    noted = _NOTED.get()
    if noted is not None:
        noted.add(name)
    return import_module(f"ntkproof.checker.{name}")


@contextmanager
def noting() -> Iterator[set[str]]:
    """Yield a set that fills with the names of the modules loaded in this thread meanwhile."""
    noted: set[str] = set()
    token = _NOTED.set(noted)
    try:
        yield noted
    finally:
        _NOTED.reset(token)
