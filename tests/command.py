"""The command line, run in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from ntkproof.commands import entry


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


def runner(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command and returns its exit code and what it printed."""

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["ntkproof", *arguments])
        code = entry.run(sys.argv[1:])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run
