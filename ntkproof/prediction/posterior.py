"""Gaussian processes conditioned on the targets, and the covariance that they share with the law of training."""

from __future__ import annotations

from fractions import Fraction

from flint import arb, arb_mat

from ntkproof.prediction.balls import ball, column_norms, enclosed, exact_matrix, largest, shaped, up
from ntkproof.prediction.functions import Columns, Exponential, Spectral
from ntkproof.prediction.kernels import Known
from ntkproof.prediction.results import Enclosed, Posterior
from ntkproof.prediction.task import Task


def posterior(task: Task, known: Known, floor: Fraction, balls: bool) -> Posterior | None:
    """Condition the Gaussian process on the targets, observed with noise."""
    n, m = known.n, len(task.test)
    if floor + task.noise == 0:
        return None
    noise = ball(task.noise)
    matrix = known.train
    for i in range(n):
        matrix[i, i] += noise
    method = Exponential(matrix, known.radius) if balls else Spectral(matrix, known.radius, floor + task.noise)
    found = method.apply(known.cross, [known.radius] * m, None)
    y = exact_matrix(task.targets[:, None])
    mean, size = found.integral.transpose() * y, column_norms(y)[0]
    return Posterior(
        enclosed([mean[j, 0] for j in range(m)], [size * e for e in found.integral_errors]),
        enclose_covariance(known, found, 0, noise),
    )


def enclose_covariance(known: Known, found: Columns, first: int, noise: arb) -> Enclosed:
    """Enclose ``z_xᵀ (K + noise on the training block) z_x'`` with ``z_x = (−a_x, 1)``, columns from ``first``.

    With ``z = z̃ + δ``, δ on the training inputs and ``‖δ_x‖ ≤ ε_x``, and ``K = K̃ + E``, ``‖E‖ ≤ R``, the error is at
    most ``‖(K̃z̃_x)_X‖ε_x' + ε_x‖(K̃z̃_x')_X‖ + ‖K̃_XX‖ε_xε_x' + R‖z_x‖‖z_x'‖``.
    """
    n, m = known.n, known.matrix.nrows() - known.n
    errors = found.integral_errors[first:]
    a = arb_mat([[found.integral[i, first + j] for j in range(m)] for i in range(n)])
    z = arb_mat(
        [[-a[i, j] for j in range(m)] for i in range(n)] + [[arb(int(i == j)) for j in range(m)] for i in range(m)]
    )
    matrix = arb_mat(known.matrix)
    for i in range(n):
        matrix[i, i] += noise
    image = matrix * z
    value = z.transpose() * image
    steep = column_norms(arb_mat([[image[i, j] for j in range(m)] for i in range(n)]))
    train = [[matrix[i, j] for j in range(n)] for i in range(n)]
    bound = up(largest(sum((abs(x) for x in row), arb(0)) for row in train))
    sizes = [up(size + e) for size, e in zip(column_norms(z), errors, strict=True)]
    entries, radii = [], []
    for i in range(m):
        for j in range(m):
            entries.append(value[i, j])
            radii.append(
                steep[i] * errors[j]
                + errors[i] * steep[j]
                + bound * errors[i] * errors[j]
                + known.radius * sizes[i] * sizes[j]
            )
    return shaped(enclosed(entries, radii), (m, m))
