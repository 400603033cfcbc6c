"""What a worker says, looked at before anything is made of it (contract W2).

Owns what the fields of a result may be. A worker runs the code of users, and what lies in
its memory may be anything; a result of another shape that was half taken in would end
attempts which nobody then hears of, and the run would wait for them. So results are looked
at whole, at the border, and one that is none costs the worker alone. Looks at columns by
their types, some ten nanoseconds a cell and column, and into a record only for what it points
to. Never decodes one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from flowcore.plan.extension import BadRecord
from flowcore.plan.records import references
from flowcore.run.growing.grown import Grown
from flowcore.run.job import (
    Died,
    Done,
    Failed,
    Failure,
    Interrupted,
    Lost,
    Metric,
    Printed,
    Result,
    Skipped,
    TimedOut,
    Warned,
)

UNREADABLE = (BadRecord, ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError)
"""What reading a message raises that no worker of ours sends."""

_Kinds: TypeAlias = frozenset[type]
_INT: Final[_Kinds] = frozenset({int})
_BOOL: Final[_Kinds] = frozenset({bool})
_BYTES: Final[_Kinds] = frozenset({bytes})
_TEXT: Final[_Kinds] = frozenset({str})
_NUMBER: Final[_Kinds] = frozenset({int, float})
_LIST: Final[_Kinds] = frozenset({list})


def sound(result: Result) -> Result:
    """Give a result that a worker sent, if its fields are what its class says.

    Raises
    ------
    ValueError, BadRecord
        If they are not, or this is not for a worker to say.
    """
    match result:
        case Done():
            fits = _is_done(result)
        case Failed():
            place: Any = result.input
            fits = _is_failure(result.failure) and (place is None or (len(place) == 2 and _are(place, _INT)))
            fits = fits and _is_one(result.attempt, result.seconds, result.began)
        case Skipped():
            fits = _are([result.reason], _TEXT) and _is_one(result.attempt, result.seconds, result.began)
        case Lost():
            fits = _are([result.digest], _BYTES) and _is_one(result.attempt)
        case Grown():
            fits = _are([result.flow], _LIST) and _are([result.changed], _TEXT)
            fits = fits and _is_one(result.attempt, result.seconds, result.began)
        case Interrupted():
            fits = _is_list(result.attempts, _INT)
        case Printed():
            fits = result.stream in ("stdout", "stderr") and _are([result.text], _TEXT) and _is_one(result.attempt)
        case Warned():
            fits = _are([result.kind, *result.facts], _TEXT)
        case Metric():
            numbers = result.numbers
            fits = _are(numbers, _TEXT) and _are(numbers.values(), _NUMBER) and _are([result.step, result.steps], _INT)
            fits = fits and _is_one(result.attempt)
        case _:
            raise ValueError(f"not for a worker to say: {type(result).__name__}")
    if not fits:
        raise ValueError(f"a result of another form: {type(result).__name__}")
    return result


def supervised(result: Result) -> Result:
    """As :func:`sound`, from where workers are watched over: what became of one is for them to say, too."""
    match result:
        case Died():
            texts = (result.cause, result.stderr, result.stack)
            fits = _are(texts, _TEXT) and _are([result.peak, result.step], _INT)
            fits = fits and _are([result.memory], _BOOL) and _is_one(result.attempt, result.began)
        case TimedOut():
            fits = _are([result.did], _TEXT) and _is_one(result.attempt, result.seconds)
        case _:
            return sound(result)
    if not fits:
        raise ValueError(f"a result of another form: {type(result).__name__}")
    return result


def _is_one(attempt: object, *seconds: object) -> bool:
    return _are([attempt], _INT) and _are(seconds, _NUMBER)


def _is_done(done: Done) -> bool:
    columns = (
        _is_list(done.attempts, _INT) and _is_list(done.records, _BYTES) and _is_list(done.components, _BYTES)
        and _is_list(done.seconds, _NUMBER) and _is_list(done.peaks, _INT) and _is_list(done.times, _NUMBER)
    )  # fmt: skip
    rows = _is_list(done.classes, _LIST) and _is_list(done.elements, _LIST)
    if not columns or not rows or not _is_list(done.refusals, _LIST) or not _is_list(done.same, _LIST):
        return False
    ours = set(done.attempts)
    return (
        all(_is_row(met, (_TEXT, _BYTES)) for row in done.classes for met in row)
        and all(_is_row(one, (_BOOL, _BYTES, _BYTES)) for row in done.elements for one in row)
        and all(_is_row(one, (_INT, _TEXT, _TEXT)) and one[0] in ours for one in done.refusals)
        and all(_is_row(one, (_INT, _NUMBER, _NUMBER)) and one[0] in ours for one in done.same)
        and all(references(record) is not None for record in done.records)  # all of it that the engine reads
    )


def _is_failure(failure: Failure) -> bool:
    waiting = [failure]
    for one in waiting:  # grows as it is walked: causes have causes
        texts = (one.type, one.text, one.traceback, one.at, *one.bases, *one.notes)
        if not _are(texts, _TEXT) or type(one.pickled) is not bytes:
            return False
        waiting += one.causes
    return True


def _is_row(row: object, kinds: tuple[_Kinds, ...]) -> bool:
    return (
        isinstance(row, list | tuple)
        and len(row) == len(kinds)
        and all(type(part) in kind for part, kind in zip(row, kinds, strict=True))
    )


def _is_list(column: object, kinds: _Kinds) -> bool:
    return type(column) is list and _are(column, kinds)


def _are(parts: Iterable[object], kinds: _Kinds) -> bool:
    return set(map(type, parts)) <= kinds
