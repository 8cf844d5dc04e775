"""The rules of the checker: one table, name to rule.  Trusted."""

from __future__ import annotations

from ntkproof.checker.rules.a_priori import (
    a_priori,
    gershgorin,
    khatri_rao,
    power_enclosure,
    separation,
    separation_log,
)
from ntkproof.checker.rules.assume import assume
from ntkproof.checker.rules.both_layers import (
    both_deviation,
    gaussian_residual,
    initial_jacobian_norm,
    mean_loss,
    output_weights,
    truncated_chernoff,
)
from ntkproof.checker.rules.convergence import descent, distance, kantorovich
from ntkproof.checker.rules.deviation import flip_deviation, inputs_squared, jacobian_norm, smooth_deviation
from ntkproof.checker.rules.eigenvalues import (
    gram_is_psd,
    lambda_min,
    operator_norm,
    psd_bound,
    rayleigh_bound,
)
from ntkproof.checker.rules.enclosure import hermite_enclosure, inputs_enclosure, kernel_enclosure
from ntkproof.checker.rules.flip_descent import flip_descent, flip_path
from ntkproof.checker.rules.given import given_deviation, given_kernel, given_quantities, given_residual, nearby_point
from ntkproof.checker.rules.given_kinks import given_flips, given_path, given_tube, instance_tube
from ntkproof.checker.rules.induction import (
    continuous_induction,
    groenwall,
    kernel_stability,
    markov_flips,
    markov_residual,
    neuron_jacobian_norm,
)
from ntkproof.checker.rules.initialization import (
    hoeffding,
    initial_residual,
    inverse_form,
    linearised_path,
    loewner_spectrum,
    matrix_chernoff,
    weyl,
)
from ntkproof.checker.rules.instance import instance_distance, instance_kantorovich
from ntkproof.checker.rules.null_vector import null_vector
from ntkproof.checker.rules.operator_norms import gaussian_norms, gradient_bound, hessian_bound
from ntkproof.checker.rules.other_losses import loss_inequality, loss_kantorovich
from ntkproof.checker.rules.rule import Rule
from ntkproof.checker.rules.spectrum import condition_number, effective_rank, spectrum
from ntkproof.checker.rules.sphere import frequencies_vanish, mercer
from ntkproof.checker.rules.tube import tube, tube_deviation

RULES: dict[str, Rule] = {
    "a_priori": a_priori,
    "assume": assume,
    "descent": descent,
    "distance": distance,
    "flip_deviation": flip_deviation,
    "hoeffding": hoeffding,
    "initial_residual": initial_residual,
    "inputs_squared": inputs_squared,
    "inverse_form": inverse_form,
    "jacobian_norm": jacobian_norm,
    "kantorovich": kantorovich,
    "linearised_path": linearised_path,
    "loewner_spectrum": loewner_spectrum,
    "matrix_chernoff": matrix_chernoff,
    "smooth_deviation": smooth_deviation,
    "weyl": weyl,
    "both_deviation": both_deviation,
    "continuous_induction": continuous_induction,
    "flip_descent": flip_descent,
    "flip_path": flip_path,
    "gaussian_residual": gaussian_residual,
    "groenwall": groenwall,
    "initial_jacobian_norm": initial_jacobian_norm,
    "kernel_stability": kernel_stability,
    "loss_inequality": loss_inequality,
    "loss_kantorovich": loss_kantorovich,
    "markov_flips": markov_flips,
    "markov_residual": markov_residual,
    "mean_loss": mean_loss,
    "neuron_jacobian_norm": neuron_jacobian_norm,
    "output_weights": output_weights,
    "truncated_chernoff": truncated_chernoff,
    "condition_number": condition_number,
    "effective_rank": effective_rank,
    "frequencies_vanish": frequencies_vanish,
    "gershgorin": gershgorin,
    "gram_is_psd": gram_is_psd,
    "gaussian_norms": gaussian_norms,
    "gradient_bound": gradient_bound,
    "given_deviation": given_deviation,
    "given_flips": given_flips,
    "given_kernel": given_kernel,
    "given_path": given_path,
    "given_quantities": given_quantities,
    "given_residual": given_residual,
    "given_tube": given_tube,
    "hermite_enclosure": hermite_enclosure,
    "hessian_bound": hessian_bound,
    "inputs_enclosure": inputs_enclosure,
    "kernel_enclosure": kernel_enclosure,
    "instance_distance": instance_distance,
    "instance_kantorovich": instance_kantorovich,
    "instance_tube": instance_tube,
    "khatri_rao": khatri_rao,
    "lambda_min": lambda_min,
    "mercer": mercer,
    "nearby_point": nearby_point,
    "null_vector": null_vector,
    "operator_norm": operator_norm,
    "power_enclosure": power_enclosure,
    "psd_bound": psd_bound,
    "rayleigh_bound": rayleigh_bound,
    "separation": separation,
    "separation_log": separation_log,
    "spectrum": spectrum,
    "tube": tube,
    "tube_deviation": tube_deviation,
}
