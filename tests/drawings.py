"""Drawings as data: how they are drawn into a flow, and what they mean. `programs` makes them at random.

`Model` is the meaning, by plain recursion in one process. It shares nothing with
`plan/`: no numbers of cells, no edges, no order of events.
"""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import flowcore as fc
from tests.vocabulary import FUNCTIONS, MEANT, OPTIONS, fold, grown, line_of

AXES: dict[str, tuple[tuple[object, ...], tuple[object, ...]]] = {  # its labels, and other values along it
    "x": ((3, 1, 2), ("c", "a", "b")),
    "y": (("p", "q"), (0.5, 0.25)),
    "z": ((1.5,), (None,)),
}
Axes: TypeAlias = Mapping[str, tuple[tuple[object, ...], tuple[object, ...]]]
Computation: TypeAlias = tuple[object, object]  # what a function is, and what it is given
State = Literal["done", "skipped", "failed", "blocked"]


@dataclass(frozen=True)
class Const:
    """A value as written."""

    value: Any


@dataclass(frozen=True)
class Use:
    """The value of a step."""

    step: int


@dataclass(frozen=True)
class Along:
    """Values along a static axis."""

    axis: str
    variant: int = 0


@dataclass(frozen=True)
class Element:
    """Elements of a step's value."""

    step: int


@dataclass(frozen=True)
class Collect:
    """A gather."""

    step: int
    over: tuple[str, ...]
    labels: bool
    missing: str


@dataclass(frozen=True)
class Many:
    """A container with references in it."""

    kind: str
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Step:
    """A node: a call, an item, or a choice."""

    function: str  # a name of the vocabulary, "item" or "choose"
    arguments: tuple[Any, ...]
    axes: tuple[str, ...]
    key: object = None
    after: tuple[int, ...] = ()
    kind: str = "compute"  # or "io", or "kept io"
    runner: str | None = None


@dataclass(frozen=True)
class Code:
    """A function of the vocabulary in some state of its code.

    Attributes
    ----------
    function : callable
        What runs.
    identity : object
        Equal where the code is the same.
    salt : object
        What the state of the code brings into values; None: nothing.
    more : tuple
        What a plain call is given besides.
    """

    function: Callable[..., Any]
    identity: object
    salt: object = None
    more: tuple[Any, ...] = ()

    def arguments(self, values: list[Any]) -> tuple[Any, Any, Any]:
        """Give what the function of the vocabulary is called with in the end."""
        a, b, c = [*values, *[None] * (3 - len(values))]
        return a, b, c if self.salt is None else (c, self.salt)


CODES = {name: Code(function, name) for name, function in FUNCTIONS.items()}


@dataclass(frozen=True)
class Outcome:
    """What became of a cell."""

    state: State
    value: Any = None


# ---- axes -----------------------------------------------------------------------------


def axes_of(argument: Any, steps: list[Step]) -> tuple[str, ...]:
    """Give the axes that an argument brings."""
    match argument:
        case Use(step):
            return steps[step].axes
        case Along(axis):
            return (axis,)
        case Element(step):
            return (*steps[step].axes, f"e{step}")
        case Collect(step, over):
            return tuple(axis for axis in steps[step].axes if axis not in over)
        case Many(_, parts):
            return union(axes_of(part, steps) for part in parts)
    return ()


def union(several: Any) -> tuple[str, ...]:
    """Join axes in order of appearance."""
    return tuple(dict.fromkeys(itertools.chain.from_iterable(several)))


# ---- drawing -------------------------------------------------------------------------


def drawn(
    steps: list[Step], name: str = "oracle", *, axes: Axes = AXES, codes: Mapping[str, Code] = CODES, prefix: str = "s"
) -> tuple[fc.Flow, list[Any]]:
    """Draw the steps into a flow; give it, and a reference a step."""
    refs: list[Any] = []
    with fc.Flow(name) as flow:
        for number, step in enumerate(steps):
            arguments = [_form(argument, refs, axes) for argument in step.arguments]
            if step.function == "item":
                refs.append(arguments[0][step.key])
            elif step.function == "choose":
                refs.append(fc.choose(*arguments))
            else:
                options: dict[str, Any] = {"runner": step.runner} if step.runner else {}
                if step.kind == "kept io":
                    options["cache"] = True
                kind = fc.compute if step.kind == "compute" else fc.io
                task = kind(**options, **OPTIONS.get(step.function, {}))(codes[step.function].function)
                after = [refs[i] for i in step.after]
                refs.append(flow.add(task, *arguments, name=f"{prefix}{number}", after=after))
        flow.result = refs
    return flow, refs


def _form(argument: Any, refs: list[Any], axes: Axes) -> Any:
    match argument:
        case Const(value):
            return copy.deepcopy(value)
        case Use(step):
            return refs[step]
        case Along(axis, variant):
            return fc.each(**{axis: list(axes[axis][variant])})
        case Element(step):
            return fc.each(**{f"e{step}": refs[step]})
        case Collect(step, over, labels, missing):
            return fc.gather(refs[step], over=over, labels=labels, missing=missing)  # type: ignore[call-overload]
        case Many(kind, parts):
            forms = [_form(part, refs, axes) for part in parts]
            return _contained(kind, forms)
    raise AssertionError(argument)


# ---- meaning -------------------------------------------------------------------------


@dataclass
class Model:
    """What a drawing means. Ask for outcomes; executions are noted on the way."""

    steps: list[Step]
    axes: Axes = field(default_factory=lambda: AXES)
    codes: Mapping[str, Code] = field(default_factory=lambda: CODES)
    given: Mapping[int, Any] = field(default_factory=dict)  # step -> the value that takes its place
    known: dict[tuple[int, tuple[int, ...]], Outcome] = field(default_factory=dict)
    kept: dict[Computation, str] = field(default_factory=dict)  # computation -> its line; runs once, ever
    computed: dict[tuple[int, tuple[object, ...]], Computation] = field(default_factory=dict)  # by step and label
    always: Counter[str] = field(default_factory=Counter)  # lines of what runs for each cell and in each run
    inner: set[str] = field(default_factory=set)  # lines of cells that grow; each runs once, ever

    def cells(self, step: int) -> dict[tuple[object, ...], Outcome]:
        """Give the outcome of each cell of a step, by its label along each axis."""
        found = {}
        for row in self.select(step, {}):
            if isinstance(row, dict):
                found[self.label(step, row)] = self.outcome(step, row)
        return found

    def all(self) -> list[dict[tuple[object, ...], Outcome]]:
        """Give the outcomes of all steps."""
        return [self.cells(step) for step in range(len(self.steps))]

    @property
    def lines(self) -> Counter[str]:
        """The lines of a run with an empty store."""
        return self.always + Counter(self.kept.values()) + Counter(self.inner)

    def select(self, step: int, fixed: dict[str, int]) -> Iterator[dict[str, int] | State]:
        """Give the places of the cells that agree with `fixed`, row-major; a state for a row that will never be."""
        return self._select(self.steps[step].axes, fixed, {})

    def _select(
        self, axes: tuple[str, ...], fixed: dict[str, int], places: dict[str, int]
    ) -> Iterator[dict[str, int] | State]:
        if not axes:
            yield dict(places)
            return
        axis, *rest = axes
        if axis in self.axes:
            length = len(self.axes[axis][0])
        else:
            source = self.outcome(int(axis[1:]), places)
            if source.state != "done":
                yield "skipped" if source.state == "skipped" else "blocked"
                return
            length = len(source.value)
        for place in [fixed[axis]] if axis in fixed else range(length):
            yield from self._select(tuple(rest), fixed, {**places, axis: place})

    def label(self, step: int, places: dict[str, int], over: tuple[str, ...] | None = None) -> tuple[object, ...]:
        """Give the label of a cell along its axes, or some of them."""
        return tuple(self._label(axis, places) for axis in self.steps[step].axes if over is None or axis in over)

    def _label(self, axis: str, places: dict[str, int]) -> object:
        if axis in self.axes:
            return self.axes[axis][0][places[axis]]
        source = int(axis[1:])
        if self.steps[source].function == "fields":
            return places[axis]
        label = self.outcome(source, places).value[places[axis]]
        return label.item() if hasattr(label, "item") else label

    def outcome(self, step: int, places: dict[str, int]) -> Outcome:
        """Give what becomes of a cell; `places` may say more than its own axes."""
        own = {axis: places[axis] for axis in self.steps[step].axes}
        memo = (step, tuple(own.values()))
        if memo not in self.known:
            self.known[memo] = self._outcome(step, own)
        found = self.known[memo]
        return Outcome(found.state, copy.deepcopy(found.value))

    def _outcome(self, number: int, places: dict[str, int]) -> Outcome:
        if number in self.given:
            return Outcome("done", self.given[number])
        step = self.steps[number]
        if step.function == "choose":
            return self._chosen(step, places)
        states: list[tuple[str, str]] = []
        read = [self._value(argument, places, lambda *told: states.append(told)) for argument in step.arguments]
        for before in step.after:
            rows = self.select(before, {a: p for a, p in places.items() if a in self.steps[before].axes})
            states += [(row if isinstance(row, str) else self.outcome(before, row).state, "order") for row in rows]
        if any(state in ("failed", "blocked") and mode != "drop-failed" for state, mode in states):
            return Outcome("blocked")
        if any(state == "skipped" and mode == "need" for state, mode in states):
            return Outcome("skipped")
        if step.function == "item":
            return Outcome("done", read[0][0][step.key])
        left_out = [("const", fold(None))] * (3 - len(read))  # a default that is written out changes nothing
        lacking = any(state in ("failed", "blocked") and mode == "drop-failed" for state, mode in states)
        found = self._called(step, [value for value, _ in read], lacking=lacking)
        if found.state in ("done", "skipped") and step.kind != "io" and not lacking:  # a skip is kept as well
            computation = (self.codes[step.function].identity, (*(sign for _, sign in read), *left_out))
            self.kept[computation] = self._line(step, [value for value, _ in read])
            self.computed[number, self.label(number, places)] = computation
        return found

    def _line(self, step: Step, values: list[Any]) -> str:
        return line_of(step.function, self.codes[step.function].arguments(values))

    def _called(self, step: Step, values: list[Any], *, lacking: bool) -> Outcome:
        line = self._line(step, values)
        function: Callable[..., Any] = _silent(MEANT[step.function])
        code = self.codes[step.function]
        if step.function == "grows":
            self.inner.update(grown(fold(code.arguments(values)))[1])
        try:
            value = function(*copy.deepcopy(code.arguments(values)), *code.more)
        except fc.Skip:
            if step.kind == "io" or lacking:
                self.always[line] += 1
            return Outcome("skipped")
        except ValueError:
            self.always[line] += 1 + OPTIONS.get(step.function, {}).get("retries", 0)
            return Outcome("failed")
        if step.kind == "io" or lacking:  # what is made without the failed cells is never kept
            self.always[line] += 1
        return Outcome("done", value)

    def _chosen(self, step: Step, places: dict[str, int]) -> Outcome:
        condition, *branches = step.arguments
        first = self.outcome(condition.step, places)
        if first.state != "done":
            return Outcome("skipped" if first.state == "skipped" else "blocked")
        found = self.outcome(branches[0 if first.value else 1].step, places)
        return Outcome("blocked") if found.state == "failed" else found

    def _value(self, argument: Any, places: dict[str, int], heed: Callable[[str, str], None]) -> tuple[Any, object]:
        """Give an argument's value, and what it is known by in a key."""
        match argument:
            case Const(value):
                return value, ("const", fold(value))
            case Along(axis, variant):
                value = self.axes[axis][variant][places[axis]]
                return value, ("own", fold(value))
            case Use(step):
                found = self.outcome(step, places)
                heed(found.state, "need")
                return found.value, ("own", fold(found.value))
            case Element(step):
                value = self.outcome(step, places).value[places[f"e{step}"]]
                return value, ("own", fold(value))
            case Collect():
                return self._collected(argument, places, heed)
        assert isinstance(argument, Many)
        parts = [self._value(part, places, heed) for part in argument.parts]
        values: Any = [value for value, _ in parts]
        sign = (argument.kind, tuple(sign for _, sign in parts))
        if all(isinstance(part, Const) for part in argument.parts):
            sign = ("const", fold(_contained(argument.kind, values)))
        return _contained(argument.kind, values), sign

    def _collected(
        self, argument: Collect, places: dict[str, int], heed: Callable[[str, str], None]
    ) -> tuple[Any, object]:
        step, over = argument.step, argument.over
        fixed = {a: places[a] for a in self.steps[step].axes if a not in over}
        found: list[tuple[object, Any]] = []
        for row in self.select(step, fixed):
            if isinstance(row, str):
                heed(row, argument.missing)
                continue
            outcome = self.outcome(step, row)
            heed(outcome.state, argument.missing)
            label = self.label(step, row, over)
            if outcome.state == "done":
                found.append((label[0] if len(label) == 1 else label, outcome.value))
        if argument.labels:
            return dict(found), ("by label", tuple((fold(label), fold(value)) for label, value in found))
        values = [value for _, value in found]
        return values, ("gather", tuple(fold(value) for value in values))


def _contained(kind: str, values: list[Any]) -> Any:
    return dict(zip("ab", values, strict=False)) if kind == "dict" else tuple(values) if kind == "tuple" else values


def _silent(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function of the vocabulary that leaves no line."""
    namespace = dict(function.__globals__)
    namespace["note"] = lambda name, *arguments: fold(arguments)
    return type(function)(function.__code__, namespace, function.__name__, function.__defaults__)  # type: ignore[no-any-return]
