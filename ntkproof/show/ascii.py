"""Text for terminals that cannot show it: what their encoding lacks is written in ASCII."""

from __future__ import annotations

import codecs
from io import TextIOWrapper

_LETTERS = "αβγδεζηθικλμνξπρσςτυφχψωΓΔΘΛΞΠΣΥΦΨΩµ√∇∫∠∈"
_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma sigma tau upsilon phi chi "
    "psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega mu sqrt grad int angle in"
)
_SIGNS = "‖−‐–—≤≥≠≈≳≲⪰⪯∝∂∞…·×÷∘⊗±→↦⟨⟩⌊⌋⌈⌉½¼¾ℓℝ\u0302\u0303\u0304ĝĥũÕöú‘’“”"
_WRITTEN = (
    "|| - - - - <= >= != ~= >~ <~ >= <= ~ d inf ... * x / o (x) +- -> |-> < > floor( ) ceil( ) (1/2) (1/4) (3/4) l R "
    "_hat _tilde _bar g_hat h_hat u_tilde O_tilde oe u ' ' \" \""
)
WORDS = dict(zip(_LETTERS, _NAMES.split(), strict=True))  # kept apart from letters and digits beside them
SIGNS = dict(zip(_SIGNS, _WRITTEN.split(), strict=True))
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᵀᵉⁿᵘˣᶻ", "0123456789+-Tenuxz", strict=True))
LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
NAME = "ntkproof_ascii"


def plain(text: str, before: str = "", after: str = "") -> str:
    """Return a text in ASCII: ``λ_min ≤ x²`` is ``lambda_min <= x^2``; characters in no table are escaped.

    Args:
        text: what to write.
        before: the character that comes before it.
        after: the character that comes after it.
    """
    written, last = "", ""
    for c in text:
        if c in WORDS:
            piece = WORDS[c]
        elif c in RAISED:
            piece = RAISED[c] if last in RAISED else "^" + RAISED[c]
        elif c in LOWERED:
            piece = LOWERED[c] if last in LOWERED else "_" + LOWERED[c]
        else:
            piece = SIGNS.get(c) or c.encode("ascii", "backslashreplace").decode("ascii")
        written += _gap(last or before, c, written or before, piece) + piece
        last = c
    return written + _gap(last, after, written, after)


def _gap(left: str, right: str, written: str, piece: str) -> str:
    """Return the space that keeps a word apart from a letter or digit."""
    apart = left in WORDS or right in WORDS
    return " " if apart and all(c.isalpha() or c.isdecimal() for c in (written[-1:], piece[:1])) else ""


def fall_back(stream: TextIOWrapper) -> None:
    """Let a stream write in ASCII the characters that its encoding lacks."""
    codecs.register_error(NAME, _replace)
    if codecs.lookup(stream.encoding).name == "ascii":  # click takes a stream that says so for UTF-8
        codecs.register(lambda name: _renamed() if name == NAME else None)
        stream.reconfigure(encoding=NAME)
    stream.reconfigure(errors=NAME)


def _renamed() -> codecs.CodecInfo:
    found = codecs.lookup("ascii")
    names = ("encode", "decode", "streamreader", "streamwriter", "incrementalencoder", "incrementaldecoder")
    return codecs.CodecInfo(name=NAME, **{name: getattr(found, name) for name in names})


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    start, end = error.start, error.end
    return plain(error.object[start:end], error.object[max(start - 1, 0) : start], error.object[end : end + 1]), end
