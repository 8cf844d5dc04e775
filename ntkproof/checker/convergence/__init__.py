"""From what holds at the start, and around it, to decay of the loss.

From bounds of `random_start` (failure probabilities add up) or of `given_weights` (nothing is random):

- random start: ``kantorovich`` and ``distance`` (gradient flow), ``descent``; piecewise linear σ: ``tube``,
  ``flip_descent``; other losses: ``loss_inequality``, ``loss_kantorovich``, ``mean_loss``;
- the literature's induction: ``kernel_stability``, ``markov_flips``, ``neuron_jacobian_norm``,
  ``continuous_induction``, ``groenwall``;
- given weights: ``instance_kantorovich``, ``instance_distance``, ``instance_tube``.

Claims: convergence, kernel_stability, trajectory, loss_inequality, loss_convergence.  Proofs:
``docs/proofs/{convergence,instance,tube,relu-descent,given-kinks,other-losses,bowman2023,du2019}.md``.
"""
