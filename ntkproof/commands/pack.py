"""``ntkproof pack``: a certificate in one file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ntkproof.certificate import write
from ntkproof.checker.check import read
from ntkproof.checker.logic.numbers import InputError
from ntkproof.checker.logic.reading import Malformed
from ntkproof.commands.options import json_option, writable
from ntkproof.show.lines import say


def repacking(name: str, words: str, *, one_file: bool) -> click.Command:
    """Return the command that writes a certificate again, in one file or with its large arrays beside it."""

    @click.command(name, help=words)
    @click.argument("certificate", type=Path)
    @click.option("-o", "--output", type=Path, required=True, help="The certificate to write.")
    @json_option
    def command(certificate: Path, output: Path, as_json: bool) -> None:
        try:
            found = read(certificate)
        except Malformed as error:
            raise InputError(f"{certificate}: {error}") from None
        files = [str(file) for file in write(found, writable(output), one_file=one_file)]
        say(*([json.dumps({"certificate": str(output), "files": files})] if as_json else files))

    return command


command = repacking(
    "pack",
    "Write CERTIFICATE again in one file, to be mailed. Its proof is not checked; its hashes stay.",
    one_file=True,
)
