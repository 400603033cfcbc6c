"""The options that a drawing function has: one for each parameter, with its kind, default and help.

Pure: from a function to records, and from the texts given to the arguments of its call.
"""

from __future__ import annotations

import argparse
import inspect
import os
import typing
from collections.abc import Callable, Container, Mapping

from flowcore.cli.docstring import described
from flowcore.cli.parser import Usage, escaped
from flowcore.cli.readers import Reader, reader_of
from flowcore.dataclass import dataclass
from flowcore.errors import shorten

EMPTY = inspect.Parameter.empty
_LONGEST = 60  # characters of a default in help


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One parameter of a drawing function, as an option.

    Attributes
    ----------
    parameter : str
        Its name in the function.
    flag : str
        Its name on the command line, ``--rates``.
    reader : Reader or None
        How its text is read; None: it cannot be given here.
    default : object
        What it is if it is not given; `EMPTY`: it must be given.
    help : str
    """

    parameter: str
    flag: str
    reader: Reader | None
    default: object
    help: str

    @property
    def place(self) -> str:
        """Where argparse keeps its value: a name that no option of a run has."""
        return f"parameter {self.parameter}"


def options_of(function: Callable[..., object], *, taken: Container[str] = ()) -> list[Option]:
    """Give an option for each parameter of a function.

    Parameters
    ----------
    taken : container of str
        Option names in use; a parameter of such a name is ``--flow-NAME``.

    Examples
    --------
    >>> def sweep(rates: list[float], years: int = 500): ...
    >>> [(option.flag, option.reader.shown) for option in options_of(sweep)]
    [('--rates', 'FLOAT,...'), ('--years', 'INT')]
    """
    helps = described(function.__doc__).parameters
    found = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        flag = f"--{parameter.name.strip('_').replace('_', '-')}"
        found.append(
            Option(
                parameter=parameter.name,
                flag=flag if flag not in taken else f"--flow-{flag.removeprefix('--')}",
                reader=reader_of(_annotation(function, parameter), parameter.default),
                default=parameter.default,
                help=helps.get(parameter.name, ""),
            )
        )
    return found


def add_options(group: argparse._ActionsContainer, options: list[Option]) -> None:
    """Add options to a parser."""
    for option in options:
        if option.reader is None:
            continue
        told = escaped(" ".join(part for part in (option.help, _default(option)) if part))
        if option.reader.flag:
            group.add_argument(
                option.flag, dest=option.place, action=argparse.BooleanOptionalAction, default=EMPTY, help=told
            )
            continue
        group.add_argument(
            option.flag, dest=option.place, type=_named(option.reader), default=EMPTY, help=told,
            metavar=option.reader.shown.replace("%", ""),
        )  # fmt: skip


def call_of(
    function: Callable[..., object], options: list[Option], given: Mapping[str, object]
) -> tuple[list[object], dict[str, object]]:
    """Give the arguments of the call that the options stand for.

    Parameters
    ----------
    given : mapping
        `Option.place` to value; `EMPTY` for what was not given.

    Raises
    ------
    Usage
        If a parameter without default was not given.
    """
    values = {option.parameter: given.get(option.place, EMPTY) for option in options}
    missing = [o for o in options if values[o.parameter] is EMPTY and o.default is EMPTY]
    for option in missing:
        if option.reader is None:
            raise Usage(
                f"parameter {option.parameter!r} has a kind that a command line cannot give. "
                "Give it a default, or draw the flow in the file."
            )
    if missing:
        raise Usage(f"{', '.join(f'{o.flag} {_shown(o)}'.strip() for o in missing)} must be given.")
    args: list[object] = []
    kwargs: dict[str, object] = {}
    for parameter in inspect.signature(function).parameters.values():
        value = values.get(parameter.name, EMPTY)
        if parameter.kind is parameter.POSITIONAL_ONLY:
            args.append(parameter.default if value is EMPTY else value)
        elif value is not EMPTY:
            kwargs[parameter.name] = value
    return args, kwargs


def _annotation(function: Callable[..., object], parameter: inspect.Parameter) -> object:
    """Give what a parameter is annotated with; nothing if the name cannot be found."""

    def probe() -> None: ...

    probe.__annotations__ = {"it": parameter.annotation}
    try:
        return typing.get_type_hints(probe, getattr(function, "__globals__", {}), include_extras=True)["it"]
    except (NameError, AttributeError, TypeError, SyntaxError):
        return EMPTY


def _shown(option: Option) -> str:
    return "" if option.reader is None or option.reader.flag else option.reader.shown


def _default(option: Option) -> str:
    """Tell the default, where it has a short text."""
    value = option.default
    if value is EMPTY:
        return "(must be given)"
    if isinstance(value, list | tuple):
        text = ",".join(map(str, value))
    elif value is None or isinstance(value, bool | int | float | str | os.PathLike):
        text = str(value)
    else:
        text = str(getattr(value, "name", ""))
    return f"(default: {shorten(text, _LONGEST)})" if text else ""


def _named(reader: Reader) -> Callable[[str], object]:
    """Give a reader's function with a name that argparse can print."""

    def read(text: str) -> object:
        return reader.read(text)

    read.__name__ = reader.shown
    return read
