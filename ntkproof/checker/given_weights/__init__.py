"""What is true at and near the weights in a file; nothing is random.

From the weights and the data, evaluated in fixed point with every rounding counted:

- at the weights: ``given_kernel`` (an enclosure of H_0), ``given_residual``, ``given_path`` (the distance to the
  solution of the linearised problem), ``given_quantities`` (all of that to be read);
- near them: ``given_deviation`` (a Lipschitz constant of the Jacobian in a ball, smooth σ), ``given_tube`` and
  ``given_flips`` (piecewise linear σ: neurons near hyperplanes, flips along a path);
- at another point: ``nearby_point``.

Claims: local_deviation, nearby_point, quantities.  Proofs:
``docs/proofs/{given-weights,local-deviation,given-kinks}.md``.
"""
