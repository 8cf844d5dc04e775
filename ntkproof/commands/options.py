"""Options that several commands share, and what their texts mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ntkproof.checker.logic.numbers import InputError
from ntkproof.statements.options import DATA, GROUPS, KERNEL, OPTIONS, SPHERE, Option
from ntkproof.statements.statement import Statement

if TYPE_CHECKING:
    from ntkproof.checker.arithmetic.protocols import Tick
    from ntkproof.checker.problem.dataset import Dataset
    from ntkproof.checker.problem.network import Network

ENGINES = ("fast", "reference")
Command = Callable[..., Any]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
one_file_option = click.option("--one-file", is_flag=True, help="Write large arrays into the certificate, too.")
engine_option = click.option(
    "--engine", type=click.Choice(ENGINES), default="fast", show_default=True, help="The arithmetic."
)


# Texts ----------------------------------------------------------------------------------------------------------


def _activation(text: str) -> str:
    from ntkproof.statements.spelling import activation_name

    try:
        return activation_name(text)
    except InputError as error:
        raise click.UsageError(str(error)) from None  # click would say of a ValueError which option, not what to do


def _width(text: str) -> int | None:
    """Read a positive integer, or ``auto`` as None."""
    if text == "auto":
        return None
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise click.UsageError(f"--width must be a positive integer or auto, not {text!r}")
    return int(text)


def _pair(text: str) -> tuple[str, str]:
    """Read ``NAME=VALUE``."""
    name, found, value = text.partition("=")
    if not found:
        raise click.UsageError(f"--constant must be NAME=VALUE, not {text!r}")
    return name, value


_TYPES: dict[str, dict[str, Any]] = {
    "text": {},
    "activation": {"type": _activation},
    "integer": {"type": int},
    "number": {"type": float},
    "flag": {"is_flag": True},
    "file": {"type": Path},
    "width": {"type": _width, "metavar": "M"},
    "pairs": {"type": _pair, "multiple": True, "metavar": "NAME=VALUE"},
}


# Options from the table -----------------------------------------------------------------------------------------


class Grouped(click.Option):
    """An option that ``--help`` lists under a heading.

    Args:
        group: the heading.
    """

    def __init__(self, *arguments: Any, group: str, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose ``--help`` lists its options in groups, and first its statements, if it asks any.

    Args:
        statements: returns the statements that the command asks, whose options are added to its own.
    """

    def __init__(
        self, *arguments: Any, statements: Callable[[], tuple[Statement, ...]] = lambda: (), **keywords: Any
    ) -> None:
        super().__init__(*arguments, **keywords)
        self.statements = statements

    def get_params(self, context: click.Context) -> list[click.Parameter]:
        """Return the command's own parameters, with those of its statements as the table has them now."""
        own = super().get_params(context)
        asked = self.statements()
        if not asked:
            return own
        arguments = [parameter for parameter in own if isinstance(parameter, click.Argument)]
        rest = [parameter for parameter in own if not isinstance(parameter, click.Argument)]
        choice = Grouped(
            ["--statement"],
            type=click.Choice([each.name for each in asked]),
            default=asked[0].name,
            show_default=True,
            metavar="NAME",
            help="One of those above.",
            group="statement",
        )
        return [*arguments, choice, *statement_options(asked), *rest]

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the statements, then the options under their headings."""
        asked = self.statements()
        if asked:
            with formatter.section("Statements"):
                formatter.write_dl([(each.name, f"{each.proves}; network: {each.network}") for each in asked])
        groups: dict[str, list[tuple[str, str]]] = {group: [] for group in (*GROUPS, "output")}
        for parameter in self.get_params(context):
            record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
            if record is not None:
                groups[getattr(parameter, "group", "output")].append(record)
        for group, records in groups.items():
            if records:
                with formatter.section(group.capitalize()):
                    formatter.write_dl(records)


def statement_options(asked: tuple[Statement, ...]) -> list[click.Parameter]:
    """Return all options of the table; the help of each says which of these statements use it, with which defaults.

    Those that none of them uses are hidden: they are there to be refused in the words of the statement.
    """
    found: list[click.Parameter] = []
    for option in OPTIONS.values():
        users = [each for each in asked if each.uses(option.name)]
        required = bool(users) and option.name in SPHERE
        text = _help(option, users, asked) if users else ""
        found.append(_click_option(option, text, required=required, hidden=not users))
    return found


def _help(option: Option, using: list[Statement], asked: tuple[Statement, ...]) -> str:
    defaults = {str(each.options[option.name]) for each in using if each.options.get(option.name) not in (None, False)}
    shown = f" [default: {' or '.join(sorted(defaults))}]" if defaults else ""
    rest = [each.name for each in asked if each not in using]
    names = ", ".join(each.name for each in using) if len(rest) > 3 else f"all but {', '.join(rest)}"
    return option.help + shown + (f" ({names})" if rest else "")


def _click_option(option: Option, text: str, **keywords: Any) -> Grouped:
    settings = {**_TYPES[option.kind], **keywords}
    return Grouped([f"--{option.word}", option.name], help=text, group=option.group, **settings)


def given(context: click.Context) -> dict[str, Any]:
    """Return those options of a table that were said on the command line, by name."""
    said = click.core.ParameterSource.COMMANDLINE
    values = {name: value for name, value in context.params.items() if context.get_parameter_source(name) is said}
    found = {name: value for name, value in values.items() if name in OPTIONS}
    return {name: dict(value) if OPTIONS[name].kind == "pairs" else value for name, value in found.items()}


def table_options(defaults: Mapping[str, Any]) -> Callable[[Command], Command]:
    """Return a decorator that adds options of the table with these defaults."""

    def add(command: Command) -> Command:
        for name, default in reversed(list(defaults.items())):
            option = OPTIONS[name]
            settings = {**_TYPES[option.kind], "help": option.help, "group": option.group, "cls": Grouped}
            if default is not None:
                settings |= {"default": default, "show_default": option.kind != "flag"}
            command = click.option(f"--{option.word}", name, **settings)(command)
        return command

    return add


def data_options(command: Command) -> Command:
    """Add the argument DATA and the options that say how to read and prepare it."""
    return click.argument("data")(table_options(DATA)(command))


targets_option = table_options({"standardize_targets": False})
network_options = table_options(KERNEL)


# What they mean -------------------------------------------------------------------------------------------------


def read_data(values: Mapping[str, Any]) -> Dataset:
    """Load and prepare the dataset that ``data`` and the data options name."""
    from ntkproof.data.datasets import duplicates, load, prepare

    values = {**DATA, "standardize_targets": False, **values}
    dataset = load(values["data"], target=values["target"])
    prepared = prepare(
        dataset,
        drop_duplicates=values["drop_duplicates"],
        rows=values["rows"],
        shuffle_seed=values["shuffle_seed"],
        drop_constant=values["drop_constant_columns"],
        standardize=values["standardize"],
        normalize=values["normalize"],
        standardize_targets=values["standardize_targets"],
    )
    if values["drop_duplicates"]:
        click.echo(duplicates(dataset), err=True)
    return prepared


def read_network(values: Mapping[str, Any]) -> Network:
    """Build the network that the network options describe."""
    from ntkproof.checker.problem.network import Network

    names = ("activation", "depth", "train", "bias", "weight_std", "input_scale")
    return Network(**{name: values[name] for name in names})


def writable(path: Path) -> Path:
    """Return a path, or raise InputError if no certificate can be written there."""
    if not path.parent.is_dir():
        raise InputError(f"{path}: the directory {path.parent} does not exist")
    if path.is_dir():
        raise InputError(f"{path}: is a directory")
    return path


@contextmanager
def progress(what: str, shown: bool) -> Iterator[Tick]:
    """Yield a callback that draws a progress bar on stderr when it is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from ntkproof.show import lines

    console = Console(stderr=True)
    if not (shown and console.is_terminal):
        yield lambda done, total: None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(lines.shown(what), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
