"""The command line: the group of commands, and what becomes of errors.

Exit codes: 0 done, or every certificate valid; 3 holey; 1 invalid; 2 malformed input or wrong usage; 130
interrupted.  Errors are one line on stderr.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import NoReturn

import click

import ntkproof
from ntkproof.show.lines import shown

COMMANDS = {  # each a module of this package with a function ``command``, imported when it is called
    "certify": "Prove a statement about data and write the certificate.",
    "check": "Check certificates: replay every step and accept or reject.",
    "claims": "Re-establish the verdict of every claim of the literature, or of your paper.",
    "conditions": "Show what every convergence theorem asks of data.",
    "datasets": "List the named datasets.",
    "predict": "Predict how wide networks train on data.",
    "simulate": "Train networks of finite width and measure what the theory bounds.",
    "sphere": "Prove a statement about the kernel on the unit sphere.",
    "train": "Train one network and save its weights on the way.",
    "weights": "Show the layers of a file of weights.",
}
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


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


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(ntkproof.__version__, prog_name="ntkproof")
@click.pass_context
def cli(context: click.Context) -> None:
    """Prove, and check, statements about the Neural Tangent Kernel of a dataset and a network."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main() -> NoReturn:
    """Run the command line; every error is one line on stderr."""
    _one_blas_thread()
    try:
        # not cli.main: it prints an empty line of its own when interrupted
        with cli.make_context("ntkproof", sys.argv[1:]) as context:
            cli.invoke(context)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        _fail(error.format_message())
    except ValueError as error:
        from ntkproof.checker.logic.numbers import InputError

        if not isinstance(error, InputError):
            raise
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("interrupted; nothing half-written", 130)
    except MemoryError:
        _fail("out of memory")
    sys.exit(0)


def _one_blas_thread() -> None:
    """Keep BLAS, which NumPy has not loaded yet, to one thread unless the environment says how many.

    On a busy machine two of them wait for each other: ten times slower; on an idle one they gain a sixth.
    """
    if not any(name in os.environ for name in THREADS):
        os.environ.update(dict.fromkeys(THREADS, "1"))


def _fail(message: str, code: int = 2) -> NoReturn:
    """Print one line on stderr and exit."""
    print("ntkproof: error: " + shown(" ".join(message.split())), file=sys.stderr)
    sys.exit(code)
