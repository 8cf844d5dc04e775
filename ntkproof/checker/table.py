"""What the checker knows: its rules and its kinds of claims, by name, and the modules they are in.

Trusted.  A module is imported when a certificate names what it has.
"""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ntkproof.checker.logic.load import load

if TYPE_CHECKING:
    from ntkproof.checker.logic.claim import Claim
    from ntkproof.checker.logic.rule import Rule


class Table(UserDict[str, Any]):
    """Names, and the objects that modules have under them.

    Args:
        names: the names in each module, separated by blanks.
        attribute: what the object of a name is called in its module.
    """

    def __init__(self, names: Mapping[str, str], attribute: Callable[[str], str]) -> None:
        super().__init__({name: module for module, listed in names.items() for name in listed.split()})
        self._attribute = attribute

    def __getitem__(self, name: str) -> Any:
        return getattr(load(self.data[name]), self._attribute(name))


RULES: Mapping[str, Rule] = Table(
    {
        "logic.assume": "assume",
        "limit.enclosure": "kernel_enclosure",
        "limit.expansion": "hermite_enclosure",
        "limit.eigenvalues": "gram_is_psd lambda_min psd_bound rayleigh_bound",
        "limit.inputs": "inputs_enclosure inputs_squared operator_norm",
        "limit.null_vector": "null_vector",
        "limit.spectrum": "condition_number effective_rank spectrum",
        "limit.a_priori": "a_priori gershgorin khatri_rao power_enclosure separation separation_log",
        "limit.sphere": "frequencies_vanish mercer",
        "random_start.initialization": "hoeffding loewner_spectrum matrix_chernoff weyl",
        "random_start.linearised": "inverse_form linearised_path",
        "random_start.residual": "initial_residual markov_residual",
        "random_start.deviation": "flip_deviation jacobian_norm smooth_deviation",
        "random_start.both_layers": "both_deviation gaussian_residual initial_jacobian_norm output_weights "
        "truncated_chernoff",
        "random_start.tube": "tube_deviation",
        "random_start.operator_norms": "gaussian_norms gradient_bound hessian_bound",
        "given_weights.given": "given_kernel given_residual",
        "given_weights.deviation": "given_deviation",
        "given_weights.nearby": "nearby_point",
        "given_weights.quantities": "given_quantities",
        "given_weights.kinks": "given_flips given_path given_tube",
        "convergence.master": "descent distance kantorovich",
        "convergence.flip_descent": "flip_descent",
        "convergence.tube": "tube",
        "convergence.induction": "continuous_induction groenwall kernel_stability markov_flips neuron_jacobian_norm",
        "convergence.mean_loss": "mean_loss",
        "convergence.other_losses": "loss_inequality loss_kantorovich",
        "convergence.instance_distance": "instance_distance",
        "convergence.instance_kantorovich": "instance_kantorovich",
        "convergence.instance_tube": "instance_tube",
    },
    lambda name: name,
)

KINDS: Mapping[str, type[Claim]] = Table(
    {
        "limit.claims": "enclosure eigenvalue_bound lambda_min",
        "limit.inputs": "operator_norm",
        "limit.spectrum": "condition_number effective_rank spectrum",
        "limit.a_priori": "a_priori",
        "limit.sphere": "mercer vanishing",
        "random_start.claims": "bound jacobian_deviation",
        "random_start.tube": "tube_deviation",
        "random_start.operator_norms": "gradient_bound hessian_bound layer_norms",
        "given_weights.claims": "local_deviation nearby_point",
        "given_weights.quantities": "quantities",
        "convergence.claims": "convergence",
        "convergence.induction": "kernel_stability trajectory",
        "convergence.other_losses": "loss_convergence loss_inequality",
    },
    lambda kind: "".join(part.capitalize() for part in kind.split("_")),
)
