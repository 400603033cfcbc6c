"""Options that a project keeps in a file: ``flowcore.toml``, or ``[tool.flowcore]`` in ``pyproject.toml``.

Owns where such a file is looked for: the working directory, then each one above it; the
nearest one with options counts alone, and ``flowcore.toml`` before ``pyproject.toml``.
Promises that a path in it means the same from every directory below it. What plugins want to be
told stands in tables of their own, ``[executors.<name>]``. Never reads a file that is not
called so, nor one that another user put where everybody may write (S5), and never loads a TOML
parser where there is none.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import field

from flowcore.dataclass import dataclass
from flowcore.errors import BadOption

EXECUTORS = "executors"  # the table of tables of plugins
_DEEPEST = 64  # tables in tables
# A dotted key of more than _DEEPEST parts, outside of strings: a parser remembers each of its beginnings.
_ENDLESS = re.compile(rb"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){%d}" % _DEEPEST)
_STRING = re.compile(rb'"[^"\n]*+"|\'[^\'\n]*+\'')
_FILES = (("flowcore.toml", ()), ("pyproject.toml", ("tool", "flowcore")))


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """What the nearest file says.

    Attributes
    ----------
    origin : str
        The file, and the table in it; empty if there is no file.
    directory : str
        Where the file is; paths in it start there.
    values : dict
        Option to value, as written.
    """

    origin: str = ""
    directory: str = ""
    values: dict[str, object] = field(default_factory=dict)


def nearest_options(directory: str | None = None) -> FileOptions:
    """Read the options of the nearest file at or above `directory`, by default the working one.

    Raises
    ------
    BadOption
        If the file is no TOML, or its options are no table.
    """
    try:
        here = os.path.abspath(directory if directory is not None else os.getcwd())
    except FileNotFoundError:  # the working directory was removed
        return FileOptions()
    while True:
        for name, table in _FILES:
            found = _options(here, name, table)
            if found is not None:
                return found
        above = os.path.dirname(here)
        if above == here:
            return FileOptions()
        here = above


def executor_options(name: str, directory: str | None = None) -> FileOptions:
    """Read what the nearest file says to the executor of that name, in its table ``[executors.<name>]``.

    Raises
    ------
    BadOption
        If the file is no TOML, or that is no table.
    """
    file = nearest_options(directory)
    found: object = file.values
    for part in (EXECUTORS, name):
        found = found.get(part, {}) if isinstance(found, dict) else found
    if not isinstance(found, dict):
        where = f"{EXECUTORS}.{name}"
        raise BadOption(option=where, found=f"a {type(found).__name__}", expected="a table", at=file.origin)
    return FileOptions(origin=file.origin, directory=file.directory, values=found)


def _options(directory: str, name: str, table: tuple[str, ...]) -> FileOptions | None:
    path = os.path.join(directory, name)
    text = _content(path, directory)
    if text is None:
        return None
    if table and table[-1].encode() not in text:
        return None  # spares most projects the parser
    values: object = _parsed(text, path)
    for part in table:
        values = values.get(part) if isinstance(values, dict) else None
    if values is None:
        return None
    origin = f"{path} [{'.'.join(table)}]" if table else path
    if not isinstance(values, dict):
        raise BadOption(option=".".join(table), found=f"a {type(values).__name__}", expected="a table", at=path)
    return FileOptions(origin=origin, directory=directory, values=values)


def _content(path: str, directory: str) -> bytes | None:
    """Give what a file holds; None: there is none, or none for us.

    1. /tmp is everybody's. 2. Somebody puts options there, or a FIFO of their name. 3. Each run of others below
    /tmp would have its results, and its workers, where he wants them; or would wait for him.
    """
    try:
        with open(path, "rb", opener=_at_once) as file:
            found = os.fstat(file.fileno())
            planted = found.st_uid not in (os.geteuid(), 0) and os.stat(directory).st_mode & stat.S_IWOTH
            return None if planted or not stat.S_ISREG(found.st_mode) else file.read()
    except OSError:
        return None


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _parsed(text: bytes, path: str) -> object:
    import tomllib  # 5 ms that only a file with options is worth

    try:
        if text.count(b".") >= _DEEPEST and _ENDLESS.search(_STRING.sub(b"a", text)):
            raise RecursionError
        values = tomllib.loads(text.decode("utf-8"))
        if _nested(values):
            raise RecursionError
        return values
    except RecursionError:
        raise BadOption(option=os.path.basename(path), found="tables without end", expected="TOML", at=path) from None
    except ValueError as trouble:  # no TOML, no UTF-8, or a number longer than Python reads
        raise BadOption(option=os.path.basename(path), found=str(trouble), expected="TOML", at=path) from None


def _nested(values: dict[str, object]) -> bool:
    """Tell whether tables lie in tables deeper than anybody writes them: dotted keys do so without a bracket."""
    level: list[dict[str, object] | list[object]] = [values]
    for _ in range(_DEEPEST):
        parts = (part for one in level for part in (one.values() if isinstance(one, dict) else one))
        level = [part for part in parts if isinstance(part, dict | list)]
        if not level:
            return False
    return True
