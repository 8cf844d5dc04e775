"""The untrusted search for proofs: it proposes, the checker decides."""
