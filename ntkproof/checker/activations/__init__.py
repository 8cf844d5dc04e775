"""One activation σ, and what is known of it.

- ``names``: which there are; ``expressions``: those given by a text, and Taylor arithmetic on them;
- ``facts``, ``suprema``, ``bounds``: suprema of σ and its derivatives on the whole line, and whether its kernel
  exists;
- ``dual``, and by it ``piecewise_linear``, ``erf``, ``waves`` (closed forms) or ``hermite`` with ``hermite_pieces``
  (expansions): the Gaussian expectations E σ(u)σ(v);
- ``values``, and by it ``tables`` or ``pointwise``: σ and its derivative at many points, in fixed point.

Proofs: ``docs/proofs/{kernels,hermite,tables}.md``.
"""
