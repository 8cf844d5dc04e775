"""The claims of four documents about the NTK."""

from __future__ import annotations

from ntkproof.claims import bowman2023_flow, bowman2023_width

LITERATURE = (bowman2023_flow.bowman2023,)
assert bowman2023_width
