"""The kernel of infinite width on the data, and what is proved of its matrix.

From the data, the network and witnesses (factors, vectors), nothing random and nothing finite:

- entries: ``kernel_enclosure`` (closed forms) and ``hermite_enclosure`` (any activation) give an `Enclosure` of the
  Gram matrix H, ``inputs_enclosure`` and ``inputs_squared`` one of XXᵀ and of its Hadamard square;
- extreme eigenvalues: ``psd_bound``, ``rayleigh_bound``, ``gram_is_psd`` give an `EigenvalueBound`; ``lambda_min``
  and ``operator_norm`` join two of them; ``null_vector`` proves λ_min = 0 by a symmetry;
- all eigenvalues: ``spectrum``, and from it ``condition_number`` and ``effective_rank``;
- bounds known before the matrix is: ``separation``, ``separation_log``, ``power_enclosure``, ``khatri_rao``,
  ``gershgorin``, compared with the truth by ``a_priori``;
- the unit sphere in place of data: ``mercer``, ``frequencies_vanish``.

Claims: enclosure, eigenvalue_bound, lambda_min, operator_norm, condition_number, effective_rank, spectrum, a_priori,
mercer, vanishing.  Proofs: ``docs/proofs/{kernels,hermite,lambda-min,null-vectors,spectrum,a-priori,sphere}.md``.
"""
