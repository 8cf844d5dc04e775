"""Writes ``claims.md`` from the registry of claims: ``python docs/claims_page.py --write``."""

from __future__ import annotations

import sys
from pathlib import Path

from ntkproof.literature import run
from ntkproof.literature.literature import LITERATURE
from ntkproof.literature.page import page

PAGE = Path(__file__).resolve().with_name("claims.md")

if __name__ == "__main__":
    outcomes = {claim.id: run(claim) for registry in LITERATURE for claim in registry}
    changed = [name for name, outcome in outcomes.items() if not outcome.unchanged]
    if changed:
        sys.exit(f"verdicts have changed: {', '.join(changed)}")
    text = page(LITERATURE, outcomes)
    if "--write" in sys.argv[1:]:
        PAGE.write_text(text, "utf-8")
    else:
        print(text, end="")
