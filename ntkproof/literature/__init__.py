"""Claims of documents about the Neural Tangent Kernel, each with a verdict that a test re-establishes.

`Registry`, `Claim` and `run` are for claims of your own (``docs/examples.md``, "Put your paper's claims under CI");
`ntkproof.literature.literature` holds those of four documents.
"""

from ntkproof.literature.claim import Claim, Document, Evidence, Outcome, Registry, run, select

__all__ = ["Claim", "Document", "Evidence", "Outcome", "Registry", "run", "select"]
