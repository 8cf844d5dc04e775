"""What a random initialisation gives, each with its failure probability.

From claims of `limit` about H∞ and the inputs, for networks of a stated finite width:

- spectrum: ``matrix_chernoff`` and ``truncated_chernoff`` (H_0 ⪰ s H∞), ``loewner_spectrum``; ``hoeffding`` and
  ``weyl`` of the literature;
- residual: ``initial_residual``, ``gaussian_residual``, ``markov_residual``; ``inverse_form`` and ``linearised_path``
  for the distance to the solution of the linearised problem;
- how far the Jacobian moves: ``smooth_deviation``, ``flip_deviation``, ``both_deviation``, ``tube_deviation``;
- its size: ``jacobian_norm``, ``initial_jacobian_norm``, ``output_weights``;
- deep networks: ``gaussian_norms``, and from it ``gradient_bound`` and ``hessian_bound`` in a ball.

Claims: bound, jacobian_deviation, tube_deviation, layer_norms, gradient_bound, hessian_bound.  Proofs:
``docs/proofs/{initialization,deviation,both-layers,tube,operator-norms,du2019}.md``.
"""
