"""From the text of an option to a value, by what a parameter is annotated with.

Pure: no file is opened and nothing is printed. Reads numbers, text, paths, booleans,
dates, choices (``Literal``, ``Enum``), alternatives, and lists of these: parts with
commas between them, or a list as in JSON where a part has commas of its own. A kind
that has no text, such as an array, has no reader.
"""

from __future__ import annotations

import argparse
import ast
import collections.abc
import datetime
import enum
import functools
import inspect
import json
import os
import pathlib
import types
import typing
from collections.abc import Callable, Sequence

from flowcore.dataclass import dataclass
from flowcore.errors import did_you_mean, nearest, shorten

_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})
_DATES = (datetime.datetime, datetime.date, datetime.time)
_LISTS = {
    collections.abc.Sequence: list, collections.abc.Iterable: list, collections.abc.Collection: list,
    collections.abc.MutableSequence: list, collections.abc.Set: set, list: list, set: set, frozenset: frozenset,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How one kind of value is read.

    Attributes
    ----------
    read : callable
        From text; raises ValueError or ArgumentTypeError, with a sentence, for what it cannot read.
    shown : str
        What stands for the value in help: ``FLOAT``, ``{a,b}``, ``INT,...``.
    flag : bool
        Whether the option needs no text at all.
    """

    read: Callable[[str], object]
    shown: str
    flag: bool = False


def reader_of(annotation: object, default: object = inspect.Parameter.empty) -> Reader | None:
    """Find the reader for an annotation; where it says nothing, by the default.

    Returns
    -------
    Reader or None
        None for a kind that has no text.

    Examples
    --------
    >>> reader_of(list[float]).read("0.1,0.2")
    [0.1, 0.2]
    >>> reader_of(inspect.Parameter.empty, 500).read("900")
    900
    """
    if annotation in (inspect.Parameter.empty, typing.Any, object):
        if default is inspect.Parameter.empty or default is None:
            return Reader(read=_literal, shown="VALUE")
        return reader_of(_kind_of(default))
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return reader_of(parts[0], default)
    if origin is typing.Literal:
        return _choices({str(value): value for value in parts})
    if origin in (typing.Union, types.UnionType):
        return _either(parts)
    if origin is tuple:
        return _tuple(parts)
    if origin in _LISTS or annotation in _LISTS:
        return _list(_LISTS[origin if origin in _LISTS else annotation], parts)  # type: ignore[index]
    if annotation is tuple:
        return _tuple((typing.Any, ...))
    if origin in (dict, collections.abc.Mapping) or annotation is dict:
        return Reader(read=_dict, shown="DICT")
    return _simple(annotation)


def _simple(annotation: object) -> Reader | None:
    below = getattr(annotation, "__supertype__", None)  # of a NewType
    if below is not None:
        return reader_of(below)
    if not isinstance(annotation, type):
        return None
    if issubclass(annotation, enum.Enum):
        members = dict(annotation.__members__)
        return _choices({**{str(m.value): m for m in annotation}, **members}, members)
    if annotation is bool:
        return Reader(read=_bool, shown="{true,false}", flag=True)
    if annotation is int:
        return Reader(read=_int, shown="INT")
    for kind, shown, said in ((float, "FLOAT", "number"), (complex, "COMPLEX", "number"), (str, "TEXT", "text")):
        if issubclass(annotation, kind):
            return Reader(read=functools.partial(_made, annotation, said), shown=shown)
    if annotation is os.PathLike or issubclass(annotation, pathlib.PurePath):
        made: Callable[..., object] = pathlib.Path if annotation is os.PathLike else annotation
        return Reader(read=functools.partial(_made, made, "path"), shown="PATH")
    if annotation in _DATES:
        return Reader(read=functools.partial(_date, annotation), shown=annotation.__name__.upper())
    return None


def _kind_of(default: object) -> object:
    """Give the annotation that a default stands for."""
    if isinstance(default, list | tuple | set | frozenset):
        kinds = {type(part) for part in default}
        part = kinds.pop() if len(kinds) == 1 else typing.Any
        return tuple[part, ...] if isinstance(default, tuple) else type(default)[part]  # type: ignore[valid-type,index]
    return type(default)


def _int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        number = 0.5
    if not number.is_integer():
        raise argparse.ArgumentTypeError(f"{shorten(text)!r} is no whole number")
    return int(number)  # 1e6 is one


def _made(kind: Callable[..., object], said: str, text: str) -> object:
    try:
        return kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{shorten(text)!r} is no {said}") from None


def _date(kind: type[datetime.date | datetime.time], text: str) -> object:
    try:
        return kind.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{shorten(text)!r} is no {kind.__name__}, such as 2026-01-31") from None


def _bool(text: str) -> bool:
    if text.lower() not in _TRUE | _FALSE:
        raise argparse.ArgumentTypeError(f"{shorten(text)!r} is neither true nor false")
    return text.lower() in _TRUE


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _dict(text: str) -> object:
    try:
        value = json.loads(text)
    except ValueError:
        value = _literal(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f'{shorten(text)!r} is no dict, such as {{"rate": 0.1}}')
    return value


def _choices(values: dict[str, object], shown: collections.abc.Iterable[str] | None = None) -> Reader:
    names = list(values if shown is None else shown)

    def read(text: str) -> object:
        if text not in values:
            near = did_you_mean(nearest(text, names))
            raise argparse.ArgumentTypeError(f"{shorten(text)!r} is none of {', '.join(names)}.{near}")
        return values[text]

    return Reader(read=read, shown=f"{{{','.join(names)}}}")


def _either(kinds: Sequence[object]) -> Reader | None:
    """Read what the first of some kinds can read; text takes all, so it comes last."""
    empty = types.NoneType in kinds
    found = [reader_of(kind) for kind in sorted((k for k in kinds if k is not types.NoneType), key=lambda k: k is str)]
    readers = [reader for reader in found if reader is not None]
    if not readers:
        return None

    def read(text: str) -> object:
        if empty and text.lower() == "none":
            return None
        for reader in readers[:-1]:
            try:
                return reader.read(text)
            except (ValueError, argparse.ArgumentTypeError):
                continue
        return readers[-1].read(text)

    return Reader(read=read, shown="|".join([*(r.shown for r in readers), *(["none"] if empty else [])]))


def _list(kind: Callable[[list[object]], object], parts: tuple[object, ...]) -> Reader | None:
    inner = reader_of(parts[0] if parts else typing.Any)
    if inner is None:
        return None
    return Reader(read=lambda text: kind([inner.read(part) for part in _parts(text)]), shown=f"{inner.shown},...")


def _tuple(parts: tuple[object, ...]) -> Reader | None:
    if len(parts) == 2 and parts[1] is Ellipsis:
        return _list(tuple, parts[:1])
    found = [reader_of(part) for part in parts]
    readers = [reader for reader in found if reader is not None]
    if len(readers) < len(parts):
        return None

    def read(text: str) -> object:
        given = _parts(text)
        if len(given) != len(readers):
            raise argparse.ArgumentTypeError(f"{shorten(text)!r} has {len(given)} parts, not {len(readers)}")
        return tuple(reader.read(part) for reader, part in zip(readers, given, strict=True))

    return Reader(read=read, shown=",".join(reader.shown for reader in readers))


def _parts(text: str) -> list[str]:
    """Split a list; one in brackets is read as JSON."""
    if not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",")] if text.strip() else []
    try:
        items = json.loads(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{shorten(text)!r} is no list as in JSON") from None
    return [item if isinstance(item, str) else json.dumps(item) for item in items]
