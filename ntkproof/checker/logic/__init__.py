"""What a certificate is and how it is replayed.  Knows no theorem, no network and no kernel.

Read in this order: ``numbers`` (exact decimals), ``reading`` (strict JSON), ``arrays`` and ``sidecars`` (hashed
arrays of numbers), ``format`` (steps and certificates), ``claim`` (what a claim is and what follows from it),
``rule`` (what a rule is and the shape of its steps), ``replay`` (step by step, to a conclusion or a rejection);
beside them ``assume`` (the one rule that proves nothing), ``arguments`` (checks that rules share) and ``load``
(modules that only some proofs need).
"""
