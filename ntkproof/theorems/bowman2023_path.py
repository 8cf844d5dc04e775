"""The theorem ``bowman2023-path``: ``bowman2023`` with the length ``ρ_0 √(2/λ_0)`` of the path for ``R_max``."""

from __future__ import annotations

from functools import partial

from ntkproof.theorems import bowman2023

name = "bowman2023-path"
source = "Bowman 2023, section 2.3, with the path bounded by the residual it spends (docs/proofs/bowman2023.md)"
plan = partial(bowman2023.plan_with, "length")
prove = bowman2023.prove
