"""Arguments of a verb: argparse, but wrong ones are told in a sentence, with what was probably meant.

Owns the options that several verbs share. Never exits, but for ``--help``.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import NoReturn

from flowcore.errors import did_you_mean, nearest, shorten

_NEGATIVE = re.compile(r"-[0-9.]")


class Usage(Exception):  # noqa: N818 - says what the case is
    """The command line cannot be carried out as it stands."""


class Raised(Usage):
    """The user's own code raised before anything ran; its traceback is the message."""


class Parser(argparse.ArgumentParser):
    """Reads the arguments of one verb.

    Parameters
    ----------
    verb : str
        What it is called in messages.
    about : str
        The first line of its help.
    """

    def __init__(self, verb: str, about: str, *, epilog: str = "", add_help: bool = True) -> None:
        super().__init__(
            prog=f"flowcore {verb}", description=escaped(about), epilog=escaped(epilog), allow_abbrev=False,
            add_help=add_help, formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip

    def error(self, message: str) -> NoReturn:
        """Tell of a wrong argument."""
        raise Usage(message.removeprefix("argument "))

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Read the arguments.

        Raises
        ------
        Usage
            If one is unknown, missing or unreadable.
        """
        found, unknown = self.parse_known_args(self.joined(arguments))
        if unknown:
            raise Usage(self._unknown(unknown[0]))
        return found

    def joined(self, arguments: Sequence[str]) -> list[str]:
        """Write ``--rates -1,2`` as ``--rates=-1,2``: a list of numbers is no option."""
        found: list[str] = []
        for argument in arguments:
            if found and found[-1].startswith("--") and "=" not in found[-1] and _NEGATIVE.match(argument):
                found[-1] = f"{found[-1]}={argument}"
            else:
                found.append(argument)
        return found

    def _unknown(self, argument: str) -> str:
        if not argument.startswith("-"):
            return f"there is no place for {shorten(argument)!r}."
        name = argument.partition("=")[0]
        return f"there is no option {shorten(name)}.{did_you_mean(nearest(name, self._option_string_actions))}"


def escaped(text: str) -> str:
    """Give text so that argparse prints it as it is."""
    return text.replace("%", "%%")


def choice(names: Sequence[str]) -> Callable[[str], str]:
    """Make a reader that takes one of `names`, and says which there are."""

    def read(text: str) -> str:
        if text not in names:
            near = did_you_mean(nearest(text, names))
            raise argparse.ArgumentTypeError(f"{shorten(text)!r} is none of {', '.join(names)}.{near}")
        return text

    return read


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON for programs")


def add_store(parser: argparse._ActionsContainer) -> None:
    """Add ``--store``."""
    parser.add_argument("--store", metavar="DIR", help="where results are kept (default: as configured, .flowcore)")


def add_size(parser: argparse._ActionsContainer) -> None:
    """Add ``--workers`` and ``--memory``: how much of the machine a run may have."""
    parser.add_argument("-w", "--workers", metavar="N", help="cells that may run at once in processes")
    parser.add_argument("--memory", metavar="SIZE", help="what cells may have together, such as 8GiB; others wait")


def add_selection(parser: argparse._ActionsContainer) -> None:
    """Add ``--only`` and ``--refresh``."""
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME",
        help="only what these nodes or cells need, such as 'erode[rate=0.1]'"
    )  # fmt: skip
    parser.add_argument(
        "--refresh", nargs="*", metavar="NAME", help="compute these nodes or cells anew; alone: everything"
    )


def refreshed(given: argparse.Namespace) -> object:
    """Give what is computed anew: these, or everything if the option stands alone."""
    return given.refresh or True if given.refresh is not None else None
