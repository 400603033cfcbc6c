"""Whether a record has the types that it says it has, all the way down."""

from __future__ import annotations

import collections.abc
import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

Check = Callable[[object], bool]


def misshapen(record: object) -> str:
    """Give the first field of a record that is not what its class says; empty if all are."""
    for name, check in _fields(type(record)):
        if not check(getattr(record, name)):
            return f"{type(record).__name__}.{name}"
    return ""


@cache
def _fields(kind: Any) -> list[tuple[str, Check]]:
    hints = typing.get_type_hints(kind)
    return [(field.name, _check(hints[field.name])) for field in dataclasses.fields(kind)]


def _check(hint: Any) -> Check:  # noqa: PLR0911 - one arm a kind of hint
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or hint is object:
        return lambda value: True
    if origin in (typing.Union, types.UnionType):
        checks = [_check(one) for one in arguments]
        return lambda value: any(check(value) for check in checks)
    if origin is typing.Literal:
        return lambda value: value in arguments
    if origin is tuple:
        return _tuple(arguments)
    if origin in (list, collections.abc.Sequence):
        return _sequence(_check(arguments[0]))
    if origin in (dict, collections.abc.Mapping):
        return _mapping(_check(arguments[0]), _check(arguments[1]))
    if origin is not None:
        return lambda value: isinstance(value, origin) or callable(value)
    if hint is float:
        return lambda value: isinstance(value, (int, float))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return lambda value: isinstance(value, hint) and not misshapen(value)
    return lambda value: isinstance(value, hint)


def _tuple(arguments: tuple[Any, ...]) -> Check:
    if len(arguments) == 2 and arguments[1] is ...:
        return _sequence(_check(arguments[0]))
    checks = [_check(one) for one in arguments]
    return lambda value: (
        isinstance(value, (tuple, list))
        and len(value) == len(checks)
        and all(check(one) for check, one in zip(checks, value, strict=True))
    )


def _sequence(check: Check) -> Check:
    return lambda value: isinstance(value, (list, tuple, bytes, range)) and all(map(check, value))


def _mapping(key: Check, held: Check) -> Check:
    return lambda value: isinstance(value, Mapping) and all(key(k) and held(v) for k, v in value.items())
