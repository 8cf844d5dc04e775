"""Lines for people: everything the commands print passes through here."""

from __future__ import annotations

import json


def shown(text: str) -> str:
    r"""Return a text as one line that shows what it is: what is not printable is escaped as in JSON.

    A name from outside may hold line ends, terminal escapes, marks that turn the direction of writing, or bytes that
    are not UTF-8; they become ``\n``, ``\u001b``, ``\u202e``, ``\udcff``.  A line of JSON stays the JSON it was.
    """
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def say(*lines: str, err: bool = False) -> None:
    """Print lines, each of them `shown`, on stdout or stderr."""
    import click

    click.echo("\n".join(map(shown, lines)), err=err)
