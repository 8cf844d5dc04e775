"""The rules of the checker: one table, name to rule.  Trusted."""

from __future__ import annotations

from ntkproof.checker.rules.assume import assume
from ntkproof.checker.rules.eigenvalues import (
    gram_is_psd,
    lambda_min,
    operator_norm,
    psd_bound,
    rayleigh_bound,
)
from ntkproof.checker.rules.enclosure import inputs_enclosure, kernel_enclosure
from ntkproof.checker.rules.null_vector import null_vector
from ntkproof.checker.rules.rule import Rule

RULES: dict[str, Rule] = {
    "assume": assume,
    "gram_is_psd": gram_is_psd,
    "inputs_enclosure": inputs_enclosure,
    "kernel_enclosure": kernel_enclosure,
    "lambda_min": lambda_min,
    "null_vector": null_vector,
    "operator_norm": operator_norm,
    "psd_bound": psd_bound,
    "rayleigh_bound": rayleigh_bound,
}
