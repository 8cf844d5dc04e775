"""The trusted base: replays certificates.  See ``docs/how-it-works.md`` for what it imports and why."""

from ntkproof.checker.check import Verdict, check

__all__ = ["Verdict", "check"]
