"""What a certificate may cost: bytes and work, counted alike on every machine.

Trusted.  A unit of work is about a tenth of a microsecond of ``fast``.  Who is about to do something costly calls
`spend` first; ``docs/certificate-format.md`` has the prices.  Outside of `allowing`, for provers, nothing is counted.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from ntkproof.checker.logic.claim import Rejection

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE, PER_BYTE = 2 * 10**8, 20_000  # the work allowed, and more of it for each byte of the arrays
STEP = 10**4  # the least work of a step

_LEFT: ContextVar[list[int] | None] = ContextVar("left", default=None)


@contextmanager
def allowing(size: int) -> Iterator[list[int]]:
    """Allow the work of a certificate whose arrays have so many bytes; yields what is left of it."""
    token = _LEFT.set([BASE + PER_BYTE * size])
    try:
        yield _LEFT.get() or []
    finally:
        _LEFT.reset(token)


def spend(work: int) -> None:
    """Spend work, or raise `Rejection`: ``too-costly``."""
    left = _LEFT.get()
    if left is not None:
        left[0] -= work
        if left[0] < 0:
            raise Rejection("too-costly", "the certificate asks for more work than its size allows")


def operations(count: int, bits: int) -> int:
    """Return the work of so many operations on enclosures of so many bits."""
    return count * (16 + (bits // 256) ** 2)
