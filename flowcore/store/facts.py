"""What a run's journal says of runs, nodes, axes and cells by name: of which types it may be.

Owns the types of what the engine writes down as facts. A journal that verifies may still
have been written by another version, or by whoever can write to the store; so whoever reads
one is given only facts that have the types they are written with. One of another type is
left out, as if it had not been told; what is not known here passes as it is. Never reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Fits = Callable[[Any], bool]


def _text(value: object) -> bool:
    return type(value) is str


def _whole(value: object) -> bool:
    return type(value) is int


def _size(value: object) -> bool:
    return type(value) is int and value >= 0


def _number(value: object) -> bool:
    return type(value) in (int, float)


def _instant(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < _YEAR_10000  # type: ignore[operator]


def _bytes(value: object) -> bool:
    return type(value) is bytes


def _texts(value: object) -> bool:
    return type(value) is list and all(type(one) is str for one in value)


def _sizes(value: object) -> bool:
    return type(value) is list and all(type(one) is int and one >= 0 for one in value)


def _plain_or_none(value: object) -> bool:
    return value is None or type(value) is str


def _rows(*kinds: Fits) -> Fits:
    def fits(value: object) -> bool:
        return type(value) is list and all(row(one) for one in value)

    row = _row(*kinds)
    return fits


def _row(*kinds: Fits) -> Fits:
    def fits(value: object) -> bool:
        return type(value) is list and len(value) == len(kinds) and all(k(v) for k, v in zip(kinds, value, strict=True))

    return fits


def _named(name: Fits, held: Fits) -> Fits:
    def fits(value: object) -> bool:
        return type(value) is dict and all(name(k) and held(v) for k, v in value.items())

    return fits


def _anything(value: object) -> bool:  # noqa: ARG001 - has the shape of the others
    return True


def _source(value: object) -> bool:
    return value is None or _size(value)


def _labels(value: object) -> bool:
    return value is None or (type(value) is list and all(type(one) in _LABELS for one in value))


_YEAR_10000: Final = 253_402_300_800  # seconds since 1970; no calendar goes further
_LABELS: Final = frozenset({type(None), bool, int, float, str, bytes})

RUN: Final[Mapping[str, Fits]] = {
    "flow": _text, "python": _text, "machine": _named(_text, _anything), "workers": _size, "memory": _size,
    "seed": _whole, "on_error": _text, "executor": _plain_or_none, "given": _sizes, "began": _instant,
    "accepted": _text, "origin": _named(_text, _anything), "targets": _sizes,
}  # fmt: skip
NODE: Final[Mapping[str, Fits]] = {
    "name": _text, "kind": _text, "group": _texts, "site": _text, "axes": _sizes, "task": _plain_or_none,
    "runner": _text,
    "from": _rows(_text, _size), "after": _sizes, "over": _rows(_size, _texts), "memory": _size,
    "limit": _row(_text, _size, _number), "drawn": _row(_size, _size), "common": _named(_text, _bytes), "own": _texts,
    "told": _named(_bytes, _text),
}  # fmt: skip
AXIS: Final[Mapping[str, Fits]] = {
    "name": _text, "labels": _labels, "source": _source, "records": _rows(_bytes, _text),
}  # fmt: skip
FAILED: Final[Mapping[str, Fits]] = {
    "type": _text, "text": _text, "at": _text, "traceback": _text, "attempts": _size, "arguments": _named(_text, _text),
    "causes": _rows(_text, _text, _text),
}  # fmt: skip
BEAT: Final[Mapping[str, Fits]] = {
    "cells": _size, "running": _named(_size, _size), "parked": _named(_text, _size),
}  # fmt: skip
END: Final[Mapping[str, Fits]] = {"seconds": _number, "cells": _size, "done": _size, "hit": _size, "failed": _size}


def fitting(facts: Mapping[object, object], kinds: Mapping[str, Fits]) -> dict[str, object]:
    """Give facts without those that have another type than they are written with.

    Examples
    --------
    >>> fitting({"flow": "landscape", "workers": "many", 5: 6, "mood": "new"}, RUN)
    {'flow': 'landscape', 'mood': 'new'}
    """
    return {
        name: fact for name, fact in facts.items()
        if type(name) is str and (name not in kinds or kinds[name](fact))
    }  # fmt: skip
