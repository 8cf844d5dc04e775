"""The claims of four documents about the Neural Tangent Kernel: two sets of lecture notes, a thesis, a reading note."""

from __future__ import annotations

from ntkproof.literature.bowman2023_spectrum import bowman2023
from ntkproof.literature.lecture import lecture
from ntkproof.literature.note import note
from ntkproof.literature.post import post

LITERATURE = (bowman2023, lecture, note, post)
