"""Kernel matrices of training and test inputs, exact up to a bound on the norm."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from flint import arb, arb_mat

from ntkproof.checker.arithmetic import arithmetic
from ntkproof.checker.arithmetic.protocols import Tick
from ntkproof.checker.limit.claims import Enclosure
from ntkproof.checker.logic.rule import Proved, Setting
from ntkproof.checker.problem.problem import Problem
from ntkproof.prediction.balls import ball
from ntkproof.prediction.results import Floats
from ntkproof.prover.draft import Draft
from ntkproof.prover.lambda_min import enclose
from ntkproof.prover.spectrum import derive_spectrum


@dataclass(frozen=True, eq=False)
class Known:
    """The Gram matrix of n training and m test inputs: ``‖H − matrix‖ ≤ radius``, matrix exact.

    The step ``kernel`` of ``training`` is the same of the training inputs alone.
    """

    matrix: arb_mat
    radius: arb
    n: int
    training: Draft

    def block(self, rows: slice, columns: slice) -> arb_mat:
        order = range(self.matrix.nrows())
        return arb_mat([[self.matrix[i, j] for j in order[columns]] for i in order[rows]])

    @property
    def train(self) -> arb_mat:
        return self.block(slice(0, self.n), slice(0, self.n))

    @property
    def cross(self) -> arb_mat:
        """Training inputs by test inputs."""
        return self.block(slice(0, self.n), slice(self.n, None))

    def eigenvalues(self, vectors: Floats, floor: Fraction) -> list[arb]:
        """Enclose the eigenvalues of the training inputs, ascending, by the checker's rule ``spectrum``.

        Args:
            vectors: approximate unit eigenvectors as columns; they decide how narrow the enclosures are.
            floor: a proved lower bound on all of them.

        Raises:
            Rejection: the vectors are not nearly orthogonal.
        """
        claim = derive_spectrum(self.training, vectors)
        return [ball(max(a, floor)).union(ball(max(b, floor))) for a, b in zip(claim.lower, claim.upper, strict=True)]


def know(problem: Problem, n: int, bits: int, tick: Tick) -> Known:
    """Enclose a Gram matrix to so many bits below its largest entry."""
    precision = bits
    while True:
        draft = Draft(Setting(problem, arithmetic("fast"), tick))
        claim: Enclosure = enclose(draft, precision)
        matrix = draft.proved["kernel"].matrix
        if matrix is None:
            raise RuntimeError("the enclosure holds no matrix")
        size = max(matrix.entry(i, i) for i in range(matrix.n)).bit_length()
        if size + 8 >= bits or precision >= 2000:
            break
        precision += bits - size
    entries = [[arb(0)] * matrix.n for _ in range(matrix.n)]
    lower = list(matrix.lower())
    packed = iter(lower)
    for i in range(matrix.n):
        for j in range(i + 1):
            entries[i][j] = entries[j][i] = arb((next(packed), -claim.precision))
    corner = draft.setting.arithmetic.symmetric(n, lower[: n * (n + 1) // 2])  # its error is a block of the whole one
    training = Draft(Setting(problem, draft.setting.arithmetic, tick), proved={"kernel": Proved(claim, corner)})
    return Known(arb_mat(entries), arb((claim.radius, -claim.precision)), n, training)
