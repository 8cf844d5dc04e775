"""The claims of four documents about the Neural Tangent Kernel: two sets of lecture notes, a thesis, a reading note."""

from __future__ import annotations

from ntkproof.claims.bowman2023_spectrum import bowman2023
from ntkproof.claims.lecture import lecture
from ntkproof.claims.note import note
from ntkproof.claims.post import post

LITERATURE = (bowman2023, lecture, note, post)
