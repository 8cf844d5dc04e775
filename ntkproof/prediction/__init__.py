"""What the limit of infinite width predicts about training, with proved error bounds.

With the kernel ``H = H∞`` of the training inputs X, gradient flow on ``½‖f(X) − y‖²`` and ``r = f(X) − y`` (Jacot et
al. 2018, section 5; Lee et al. 2019, sections 2.2 and 2.3)::

    r_t    = e^{−Ht} r_0,                             the component along the i-th eigenvector decays as e^{−λ_i t}
    f_t(x) = f_0(x) − k_xᵀ g_t(H) r_0,                g_t(λ) = (1 − e^{−λt})/λ = ∫_0^t e^{−λs} ds,  k_x = H(X, x)

At ``t = ∞`` that is kernel regression.  Over the random start, with K the covariance of ``f_0`` (the NNGP kernel),
``f_t`` at test inputs is Gaussian (Lee et al. 2019, equations 15 and 16), with ``a_x = g_t(H) k_x``::

    E f_t(x) = a_xᵀ y,    cov(f_t(x), f_t(x')) = z_xᵀ K z_x',    z_x = (1 at x, −a_x at X)

A Gaussian process with covariance K (or H) conditioned on ``f(X) = y`` has the same form with ``a_x = K⁻¹ k_x`` (or
``H⁻¹ k_x``) and K (or H) in the middle.  For ``t = ∞`` the means of the law and of the posterior of H agree, their
covariances do not.

H is known up to a bound on the norm, and all that follows is enclosed: eigenvalues by the checker's rules, the rest in
Arb balls (`ntkproof.prediction.functions`; proofs: docs/proofs/predictions.md).  What is not, is called an estimate.

Not trusted by the checker, and nothing here is a certificate but `Limit.certificate`.
"""

from ntkproof.prediction.limit import DEFAULT_ACCURACY, predict
from ntkproof.prediction.results import Enclosed, Floats, Instant, Limit, Posterior
from ntkproof.prediction.task import Time

__all__ = ["DEFAULT_ACCURACY", "Enclosed", "Floats", "Instant", "Limit", "Posterior", "Time", "predict"]
