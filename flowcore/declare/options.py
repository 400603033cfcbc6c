"""How a task's options are read: one frozen record, from names and values as written.

Owns: :class:`TaskOptions`, and which values each option takes.
Promises: all that is wrong with a decoration is told at once (contract E2); an option
that would have no effect is refused, never ignored.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Literal, TypeAlias, TypedDict, get_args

from flowcore.amounts import seconds, size
from flowcore.dataclass import dataclass
from flowcore.declare.tolerance import AllClose
from flowcore.errors import BadOption, FlowcoreError, nearest
from flowcore.settings import raise_all, whole

Kind: TypeAlias = Literal["compute", "io"]
Place: TypeAlias = Literal["driver", "worker"]
Cache: TypeAlias = bool | Literal["required"] | float  # a float: answers while younger than so many seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How many cells may run at once, or begin in a span of time; tasks that give one `name` share the limit."""

    count: int
    name: str = ""  # empty: this task's own
    period: float = 0.0  # seconds in which so many may begin; 0: so many may run at once


class GivenOptions(TypedDict, total=False):
    """A task's options as they may be written, for ``**options: Unpack[GivenOptions]``."""

    cache: bool | str | float
    version: str | None
    tracks: object
    ignore: str | Iterable[str]
    retries: int
    backoff: float | str
    timeout: float | str | None
    cores: int
    memory: int | str | None
    gpus: int
    limit: int | str | None
    priority: float
    runner: str | None
    extend: str | None
    same: AllClose | None
    place: Place | None
    keep: object


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """All options of a task, as they hold.

    `given` names those that were written out: ``cache=True`` written out makes it an
    error if a result cannot be kept, and what is written out is not changed by a
    flow's defaults.
    """

    kind: Kind = "compute"
    cache: Cache = True
    version: str | None = None
    tracks: tuple[object, ...] = ()
    ignore: tuple[str, ...] = ()
    retries: int = 0
    backoff: float = 0.0  # seconds before the first repetition
    timeout: float | None = None  # seconds an attempt may take
    cores: int = 1
    memory: int | None = None  # bytes
    gpus: int = 0
    limit: Limit | None = None
    priority: float = 0
    runner: str | None = None  # None: by kind
    extend: str | None = None
    same: AllClose | None = None
    place: Place | None = None
    keep: int | tuple[int, ...] | None = None
    given: frozenset[str] = frozenset()

    def over(self, defaults: TaskOptions | None) -> TaskOptions:
        """Give these options, with `defaults` where nothing was written out."""
        if defaults is None:
            return self
        taken = {name: getattr(defaults, name) for name in defaults.given - self.given}
        return replace(self, **taken) if taken else self


def read_options(written: Mapping[str, object], *, base: TaskOptions, at: str) -> TaskOptions:
    """Read options as written over `base`.

    Raises
    ------
    BadOption
        For an unknown name or an unreadable value; several at once come as an ExceptionGroup.
    """
    troubles: list[FlowcoreError] = []
    values: dict[str, object] = {}
    for name, value in written.items():
        reader = _READERS.get(name)
        try:
            if reader is None:
                raise _unknown(name)
            values[name] = reader(name, value)
        except BadOption as trouble:
            trouble.at = at
            troubles.append(trouble)
    raise_all(troubles, f"options that cannot be read ({at})")
    given = base.given | {name for name in values if name != "kind"}
    return replace(base, given=given, **values)  # type: ignore[arg-type]


def _unknown(name: str) -> BadOption:
    return BadOption(
        option=name, found="unknown", expected=f"one of {', '.join(_READERS)}", near=nearest(name, _READERS)
    )


def _cache(name: str, value: object) -> Cache:
    if isinstance(value, bool):
        return value
    if value == "required":
        return "required"
    try:
        return seconds(value, option=name)
    except BadOption as trouble:
        trouble.expected = 'True, False, "required", or an age such as "1 day"'
        raise


def _text(name: str, value: object) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return value
    raise BadOption(option=name, found=repr(value), expected=f'text, such as {name}="{value}"')


def _tracks(name: str, value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _ignore(name: str, value: object) -> tuple[str, ...]:
    names: tuple[object, ...] = (value,) if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)
    texts = tuple(n for n in names if isinstance(n, str))
    if len(texts) < len(names):
        raise BadOption(option=name, found=repr(value), expected='names of parameters, or "global:NAME"')
    return texts


def _backoff(name: str, value: object) -> float:
    return seconds(value, option=name)


def _timeout(name: str, value: object) -> float | None:
    if value is None:
        return None
    amount = seconds(value, option=name)
    if amount == 0:
        raise BadOption(option=name, found=repr(value), expected="a duration above zero, or None")
    return amount


def _cores(name: str, value: object) -> int:
    return whole(name, value, least=1)


def _limit(name: str, value: object) -> Limit | None:
    if value is None:
        return None
    shared, colon, amount = value.rpartition(":") if isinstance(value, str) else ("", "", value)
    count, slash, unit = amount.partition("/") if isinstance(amount, str) else (amount, "", "")
    try:
        period = seconds(f"1{unit.strip()}", option=name) if unit.strip().isalpha() else 0.0
        if bool(colon) != bool(shared) or bool(slash) != bool(period):
            raise BadOption(option=name, found="", expected="")
        return Limit(count=whole(name, count, least=1), name=shared, period=period)
    except BadOption as trouble:
        trouble.found, trouble.expected = (
            repr(value),
            ('a whole number above zero, a shared one such as "db:4", or a rate such as "10/s", "100/min", "db:10/s"'),
        )
        raise


def _memory(name: str, value: object) -> int | None:
    amount = None if value is None else size(value, option=name)
    if amount == 0:
        raise BadOption(option=name, found=repr(value), expected="more than nothing, or None")
    return amount


def _place(name: str, value: object) -> str | None:
    if value is None or value in get_args(Place):
        return value  # type: ignore[return-value]
    raise BadOption(option=name, found=repr(value), expected='"driver" or "worker"')


def _same(name: str, value: object) -> AllClose | None:
    if value is None or isinstance(value, AllClose):
        return value
    raise BadOption(option=name, found=repr(value), expected="a tolerance, such as same=fc.allclose(rtol=1e-12)")


def _priority(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadOption(option=name, found=repr(value), expected="a number")
    return value


def _keep(name: str, value: object) -> int | tuple[int, ...] | None:
    """Read which steps of a simulation are kept: every so many, or these."""
    if value is None:
        return None
    steps = tuple(value) if isinstance(value, list | tuple | range) else (value,)
    whole_steps = [step for step in steps if isinstance(step, int) and not isinstance(step, bool) and step > 0]
    if len(whole_steps) < len(steps) or not steps:
        raise BadOption(option=name, found=repr(value), expected="every so many steps, as a number, or a list of steps")
    return whole_steps[0] if isinstance(value, int) else tuple(sorted(whole_steps))


_READERS: dict[str, Callable[[str, object], object]] = {
    "cache": _cache, "version": _text, "tracks": _tracks, "ignore": _ignore, "retries": whole, "backoff": _backoff,
    "timeout": _timeout, "cores": _cores, "memory": _memory, "gpus": whole, "limit": _limit,
    "priority": _priority, "runner": _text, "extend": _text, "same": _same, "place": _place,
    "keep": _keep,
}  # fmt: skip

OPTION_NAMES = tuple(f.name for f in dataclasses.fields(TaskOptions) if f.name not in ("kind", "given"))
