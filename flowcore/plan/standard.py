"""Values of the standard library that are kept: dates, paths, exact numbers and the like.

Each is a name and plain parts, by its exact type (K13). Modules such as `decimal` are
not imported to look for their types: a value of one cannot exist before its module.
"""

from __future__ import annotations

import datetime
import pathlib
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from flowcore.plan.extension import STANDARD, BadRecord, NoEncoding, extension, kind_name

if TYPE_CHECKING:
    from flowcore.plan.reading import Reading
    from flowcore.plan.writing import Writer, Writing


def _zone(value: datetime.datetime | datetime.time) -> list[object]:
    """Give the parts of a time zone: nothing, a fixed offset with its name, or a key."""
    zone = value.tzinfo
    if zone is None:
        return []
    if type(zone) is datetime.timezone:
        offset, *name = zone.__getinitargs__()  # type: ignore[attr-defined]
        return ["offset", _timedelta(offset), *name]
    key = getattr(zone, "key", None)
    if kind_name(type(zone)) == "zoneinfo.ZoneInfo" and type(key) is str:
        return ["zone", key]
    raise NoEncoding(".tzinfo", kind_name(type(zone)), "use datetime.timezone or zoneinfo.ZoneInfo")


def _zone_from(parts: list[Any]) -> datetime.tzinfo | None:
    match parts:
        case []:
            return None
        case ["offset", offset, *name]:
            return datetime.timezone(_timedelta_from(offset), *name)
        case ["zone", str(key)]:
            return _type("zoneinfo", "ZoneInfo")(key)  # type: ignore[no-any-return]
    raise BadRecord("not a time zone")


def _type(module: str, name: str) -> Any:
    return getattr(__import__(module), name)


def _timedelta(value: datetime.timedelta) -> list[object]:
    return [value.days, value.seconds, value.microseconds]


def _timedelta_from(parts: list[Any]) -> datetime.timedelta:
    return datetime.timedelta(*parts)


def _datetime(v: datetime.datetime) -> list[object]:
    return [v.year, v.month, v.day, v.hour, v.minute, v.second, v.microsecond, v.fold, _zone(v)]


def _datetime_from(parts: list[Any]) -> datetime.datetime:
    year, month, day, hour, minute, second, micro, fold, zone = parts
    return datetime.datetime(year, month, day, hour, minute, second, micro, _zone_from(zone), fold=fold)


def _time(v: datetime.time) -> list[object]:
    return [v.hour, v.minute, v.second, v.microsecond, v.fold, _zone(v)]


def _time_from(parts: list[Any]) -> datetime.time:
    hour, minute, second, micro, fold, zone = parts
    return datetime.time(hour, minute, second, micro, _zone_from(zone), fold=fold)


def _date(v: datetime.date) -> list[object]:
    return [v.year, v.month, v.day]


def _timezone(v: datetime.timezone) -> list[object]:
    return _zone(datetime.time(tzinfo=v))


def _path(v: pathlib.PurePath) -> list[object]:
    return [type(v).__name__, str(v)]


def _path_from(parts: list[Any]) -> pathlib.PurePath:
    flavour, text = parts
    kinds = {k.__name__: k for k in _PATHS}
    here = type(pathlib.Path())
    if flavour in ("PosixPath", "WindowsPath") and flavour != here.__name__:
        flavour = f"Pure{flavour}"  # made on another system
    return kinds[flavour](text)


def _pattern(v: re.Pattern[Any]) -> list[object]:
    return [v.pattern, v.flags]


def _pattern_from(parts: list[Any]) -> re.Pattern[Any]:
    pattern, flags = parts
    return re.compile(pattern, flags & ~re.DEBUG)  # which would print


def _range(v: range | slice) -> list[object]:
    return [v.start, v.stop, v.step]


def _decimal(v: Any) -> list[object]:
    sign, digits, exponent = v.as_tuple()
    return [sign, "".join(map(str, digits)), exponent]


def _decimal_from(parts: list[Any]) -> object:
    sign, digits, exponent = parts
    return _type("decimal", "Decimal")((sign, tuple(map(int, digits)), exponent))


def _uuid_from(parts: list[Any]) -> object:
    (content,) = parts
    if type(content) is not bytes:  # as `uuid` asserts
        raise BadRecord("not a uuid")
    return _type("uuid", "UUID")(bytes=content)


def _seed_sequence(v: Any) -> list[object]:
    if v.pool_size > _LARGEST_POOL:
        raise NoEncoding(".pool_size", f"pool of {v.pool_size} words", f"take one of at most {_LARGEST_POOL}")
    entropy = v.entropy if v.entropy is None or type(v.entropy) is int else [int(e) for e in v.entropy]
    return [entropy, [int(k) for k in v.spawn_key], int(v.pool_size), int(v.n_children_spawned)]


def _seed_sequence_from(parts: list[Any]) -> object:
    entropy, spawn_key, pool_size, children = parts
    if type(pool_size) is not int or pool_size > _LARGEST_POOL:
        raise ValueError("pool_size")
    words = entropy if type(entropy) is list else [] if entropy is None else [entropy]
    if not all(type(number) is int for number in (*words, *spawn_key, children)):
        raise ValueError("numbers")
    kind = sys.modules["numpy.random"].SeedSequence if "numpy.random" in sys.modules else _numpy_random().SeedSequence
    return kind(entropy, spawn_key=tuple(spawn_key), pool_size=pool_size, n_children_spawned=children)


def _numpy_random() -> Any:
    import numpy.random

    return numpy.random


_PATHS: tuple[type[pathlib.PurePath], ...] = (
    pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.PosixPath, pathlib.WindowsPath,
)  # fmt: skip

_LARGEST_POOL: Final = 4096  # words; mixing them costs the square of that, and 4 is what numpy takes
_PLAIN: Final = (type(None), bool, int, float, str, bytes)

_Parts = Callable[[Any], list[object]]
_From = Callable[[list[Any]], object]
_KINDS: dict[str, tuple[_Parts, _From]] = {
    "datetime.datetime": (_datetime, _datetime_from),
    "datetime.date": (_date, lambda p: datetime.date(*p)),
    "datetime.time": (_time, _time_from),
    "datetime.timedelta": (_timedelta, _timedelta_from),
    "datetime.timezone": (_timezone, _zone_from),
    "zoneinfo.ZoneInfo": (lambda v: _zone(datetime.time(tzinfo=v)), _zone_from),
    **{f"pathlib.{kind.__name__}": (_path, _path_from) for kind in _PATHS},
    "re.Pattern": (_pattern, _pattern_from),
    "range": (_range, lambda p: range(*p)),
    "slice": (_range, lambda p: slice(*p)),
    "ellipsis": (lambda _: [], lambda _: ...),
    "NotImplementedType": (lambda _: [], lambda _: NotImplemented),
    "decimal.Decimal": (_decimal, _decimal_from),
    "fractions.Fraction": (lambda v: [v.numerator, v.denominator], lambda p: _type("fractions", "Fraction")(*p)),
    "uuid.UUID": (lambda v: [v.bytes], _uuid_from),
    "numpy.random.bit_generator.SeedSequence": (_seed_sequence, _seed_sequence_from),
}


def writer(kind: type) -> Writer | None:
    """Find the writer of a kind of the standard library, by its exact type."""
    name = kind_name(kind).replace("pathlib._local.", "pathlib.")  # as Python 3.13 calls it
    if name not in _KINDS or _defined(kind) is not kind:
        return None
    parts = _KINDS[name][0]

    def write(value: object, writing: Writing) -> object:
        return extension(STANDARD, [name, writing.write(parts(value))])

    return write


def _defined(kind: type) -> object:
    """Give what the module of `kind` has under its name: a look-alike is found out here."""
    if kind.__module__ == "builtins":
        return kind if not kind.__flags__ & (1 << 9) else None
    return getattr(sys.modules.get(kind.__module__), kind.__qualname__, None)


def _is_plain(part: object) -> bool:
    """Tell whether a part is plain: anything else would be asked to be a number, a text or a path (S1)."""
    return type(part) in _PLAIN or (type(part) is list and all(map(_is_plain, part)))


def _read(parts: list[object], reading: Reading) -> object:  # noqa: ARG001 - every reader has this shape
    match parts:
        case [str(name), list(inner)] if name in _KINDS:
            if name != "slice" and not _is_plain(inner):  # a slice asks nothing of what it holds
                raise BadRecord(f"not a {name}")
            try:
                return _KINDS[name][1](inner)
            except (ValueError, TypeError, LookupError, ArithmeticError, re.error) as error:
                raise BadRecord(f"not a {name}") from error
    raise BadRecord("not a kind of the standard library")


READERS = {STANDARD: _read}
