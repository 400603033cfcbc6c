"""Identity broken on purpose, one small patch a name: each must be seen by the model."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from blake3 import blake3

from flowcore.declare.files import File
from flowcore.plan import code, pieces, reach
from flowcore.plan.encode import encode
from flowcore.plan.extension import array_digest
from flowcore.run.engine import Engine
from flowcore.run.executors.inline import InlineExecutor
from flowcore.run.flight import Batch
from flowcore.run.job import Done, Result
from flowcore.run.outcomes import landing
from flowcore.run.outcomes.landing import Landing
from flowcore.store import codecs
from flowcore.store.blobs import Blobs
from flowcore.store.trace import Trace
from tests.model.edits import FAMILIES
from tests.test_testing import Meddling

Put = Callable[[Any, str, Any], None]


@dataclass(frozen=True)
class Saboteur:
    """A patch, what has to happen for it to show, and how the model sees it.

    Attributes
    ----------
    patch : callable
        Breaks flowcore by the function it is given.
    seen_by : str
        What the message matches: of values, or of executions.
    edits, actions : tuple of str
        Edits, and what happens between runs, that bring it to light.
    family : tuple
        The near-equal values that constants are exchanged among; empty: all families.
    files : int
        How many files there are.
    """

    patch: Callable[[Put], None]
    seen_by: str
    edits: tuple[str, ...] = ("exchange",)
    actions: tuple[str, ...] = ("run",)
    family: tuple[Any, ...] = ()
    files: int = 2


def _known_by(change: Callable[[Any], Any]) -> Callable[[Put], None]:
    """Give a patch under which values are known by what `change` makes of them."""

    def patch(put: Put) -> None:
        def encoded(value: object, **options: Any) -> Any:
            component = encode(change(value), put=array_digest).component
            return encode(value, **options)._replace(component=component)

        put(codecs, "encode", encoded)

    return patch


def _rebuilt(value: Any, leaf: Callable[[Any], Any]) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_rebuilt(part, leaf) for part in value)
    if isinstance(value, dict):
        return {name: _rebuilt(part, leaf) for name, part in value.items()}
    return leaf(value)


def _without_dtype(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return ["array", list(value.shape), value.tobytes()]
    return value if np.isscalar(value) or value is None or isinstance(value, list | tuple | dict) else repr(value)


def _without_shape(value: Any) -> Any:
    return ["array", value.dtype.str, value.tobytes()] if isinstance(value, np.ndarray) else _without_dtype(value)


def _joined(value: Any) -> Any:
    if isinstance(value, list | tuple) and value and all(isinstance(part, str) for part in value):
        return "-".join(value)
    return _rebuilt(value, repr)


def _hashed(value: Any) -> Any:
    return hash(value) if isinstance(value, int | float | bool | np.generic) else repr(value)


def source_text(put: Put) -> None:
    """Identify functions by their source text."""

    def fingerprint(bare: Any, *_: object) -> code.Fingerprint:
        linecache.clearcache()
        return code.Fingerprint(digest=blake3(inspect.getsource(bare).encode()).digest())

    put(code, "_fingerprint", fingerprint)


def skip_helpers(put: Put) -> None:
    """Do not follow functions that a function calls."""
    real = reach._follow

    def follow(piece: Any, name: str, thing: Any, *rest: Any, **options: Any) -> None:
        if not inspect.isfunction(thing):
            real(piece, name, thing, *rest, **options)

    put(reach, "_follow", follow)


def skip_closures(put: Put) -> None:
    """Do not look into closures."""
    put(pieces, "_closure", lambda *_, **__: None)


def skip_globals(put: Put) -> None:
    """Do not look at constants."""
    real = reach._follow

    def follow(piece: Any, name: str, thing: Any, *rest: Any, **options: Any) -> None:
        if not isinstance(thing, int | dict):
            real(piece, name, thing, *rest, **options)

    put(reach, "_follow", follow)


def upstream_keys(put: Put) -> None:
    """Know a value by the key of the cell that made it."""
    real = Landing._land

    def land(self: Landing, batch: Batch, done: Done, places: Sequence[int], handed: float) -> None:
        named = list(done.components)
        for i, key in zip(places, batch.keys, strict=True):
            named[i] = b"\1" + blake3(key).digest() if key else named[i]
        real(self, batch, replace(done, components=named), places, handed)

    put(Landing, "_land", land)


def record_given(put: Put) -> None:
    """Let a given value answer for the task it stands in for."""
    real = Engine._supply

    def supply(self: Engine, node: int, numbers: Sequence[int]) -> None:
        real(self, node, numbers)
        work = self._work(node, numbers)
        if work is None or work.keys is None or work.own:
            return
        books = self._books
        books.cache.record(Trace(
            node=node, numbers=list(numbers), keys=work.keys.keys([]),
            components=books.values.components(node, numbers), records=books.values.records(node, numbers),
            seconds=[0.0] * len(numbers), refresh=True,
        ))  # fmt: skip

    put(Engine, "_supply", supply)


def trust_the_judgement(put: Put) -> None:
    """Do not make a lost value again."""
    put(landing, "makers_of", lambda *_: [])


def no_verification(put: Put) -> None:
    """Take an array for what its name says."""
    put(Blobs, "_check", lambda *_: None)


class Shifts:
    """Gives each cell the value of the one before."""

    def __init__(self) -> None:
        self.before: bytes | None = None

    def __call__(self, results: Sequence[Result]) -> list[Result]:
        return [self._shifted(result) if isinstance(result, Done) else result for result in results]

    def _shifted(self, done: Done) -> Done:
        before, self.before = self.before, done.records[-1]
        return replace(done, records=[before or done.records[0], *done.records[:-1]])


def broken_executor(put: Put) -> None:
    """Post the value of another cell."""
    real = InlineExecutor.__init__

    def init(self: InlineExecutor, *, inbox: Any, **options: Any) -> None:
        real(self, inbox=Meddling(inbox, Shifts()), **options)

    put(InlineExecutor, "__init__", init)


VALUES, MANY = "^step", "^too many"
_SHAPES = (FAMILIES[5][0], *FAMILIES[5][5:7])
SABOTEURS: dict[str, Saboteur] = {
    "drop dtype": Saboteur(_known_by(lambda value: _rebuilt(value, _without_dtype)), VALUES, family=FAMILIES[5][:3]),
    "drop shape": Saboteur(
        _known_by(lambda value: _rebuilt(value, _without_shape)), VALUES, family=(FAMILIES[5][0], *FAMILIES[5][5:7])
    ),
    "join with a dash": Saboteur(_known_by(_joined), VALUES, family=FAMILIES[3]),
    "use repr": Saboteur(_known_by(repr), VALUES, family=FAMILIES[6][:2]),
    "use hash": Saboteur(_known_by(lambda value: _rebuilt(value, _hashed)), VALUES, family=FAMILIES[1]),
    "file by its path": Saboteur(
        _known_by(lambda value: _rebuilt(value, lambda v: str(v) if isinstance(v, File) else repr(v))),
        "^(step|too few)",
        edits=("exchange", "write"),
        files=1,  # equal files of two names would be computed twice, which is no wrong answer
    ),
    "source text, a constant": Saboteur(source_text, VALUES, edits=("turn",)),
    "source text, a comment": Saboteur(source_text, MANY, edits=("dress",)),
    "skip helpers": Saboteur(skip_helpers, VALUES, edits=("turn",)),
    "skip closures": Saboteur(skip_closures, VALUES, edits=("turn",)),
    "skip globals": Saboteur(skip_globals, VALUES, edits=("turn",)),
    "upstream keys": Saboteur(upstream_keys, MANY, edits=("turn",)),
    "record given values": Saboteur(record_given, VALUES, edits=("rename",), actions=("given",)),
    "trust the judgement": Saboteur(trust_the_judgement, ".", edits=("turn",), actions=("flip",)),
    "no verification": Saboteur(no_verification, ".", edits=("turn",), actions=("flip",)),
    "broken executor": Saboteur(broken_executor, VALUES),
}
