"""ntkproof: machine-checked proofs about the Neural Tangent Kernel of a dataset and a network."""

__version__ = "0.1.0"
