"""The command line: the group of commands."""

from __future__ import annotations

from importlib import import_module

import click

import ntkproof
from ntkproof.commands.entry import EXITS

COMMANDS = {  # each a module of this package with a function ``command``, imported when it is called
    "certify": "Prove a statement about data and write the certificate.",
    "check": "Check certificates: replay every step and accept or reject.",
    "claims": "Re-establish the verdict of every claim of the literature, or of your paper.",
    "conditions": "Show what every convergence theorem asks of data.",
    "datasets": "List the named datasets.",
    "hash": "Print the hash of data, as verdicts name them.",
    "pack": "Write a certificate in one file.",
    "predict": "Predict how wide networks train on data.",
    "show": "Show what a certificate states: data, network, steps, claims.",
    "simulate": "Train networks of finite width and measure what the theory bounds.",
    "sphere": "Prove a statement about the kernel on the unit sphere.",
    "train": "Train one network and save its weights on the way.",
    "unpack": "Write a certificate with its large arrays beside it.",
    "weights": "Show the layers of a file of weights.",
}


class Commands(click.Group):
    """The commands of `COMMANDS`."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return all names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return the command of a name, or None."""
        if name not in COMMANDS:
            return None
        found: click.Command = import_module(f"ntkproof.commands.{name}").command
        return found

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the exit codes of all commands."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), words.replace("`", "")) for code, words in EXITS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(ntkproof.__version__, prog_name="ntkproof")
@click.pass_context
def cli(context: click.Context) -> None:
    """Prove, and check, statements about the Neural Tangent Kernel of a dataset and a network."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
