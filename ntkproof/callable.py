"""Modules that can be called: `ntkproof.predict` and `ntkproof.simulate` are modules and the functions of that name."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class CallableModule(ModuleType):
    """A module that is called like a function in it, or in one of its modules."""

    _calls: str

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        module, _, name = self._calls.partition(":")
        return getattr(import_module(module), name)(*arguments, **keywords)


def calls(module: str, function: str) -> None:
    """Let a module be called: ``function`` is ``MODULE:NAME``."""
    found = sys.modules[module]
    found.__class__ = CallableModule
    found.__dict__["_calls"] = function
