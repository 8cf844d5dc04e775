"""The convergence theorems: one table, name to module.  Each is a derivation of the checker's rules."""

from __future__ import annotations

from types import ModuleType

from ntkproof.theorems import relu, smooth

THEOREMS: dict[str, ModuleType] = {"smooth": smooth, "relu": relu}
