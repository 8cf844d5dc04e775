"""The convergence theorems: one table, name to module.  Each is a derivation of the checker's rules."""

from __future__ import annotations

from types import ModuleType

from ntkproof.theorems import both, bowman2023, bowman2023_path, du2019, huang2020, lecture, relu, relu_descent, smooth

THEOREMS: dict[str, ModuleType] = {
    "smooth": smooth,
    "relu": relu,
    "relu-descent": relu_descent,
    "bowman2023": bowman2023,
    "bowman2023-path": bowman2023_path,
    "huang2020": huang2020,
    "du2019": du2019,
    "both": both,
    "lecture": lecture,
}
CONSTANTS = (huang2020.CONSTANT,)
