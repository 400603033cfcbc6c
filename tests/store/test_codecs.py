"""Claims about store/codecs.py: what is kept, what is passed on, and what cannot travel."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import itertools
import pathlib
import pickle
import subprocess
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.errors import NotPicklable, StoreUnavailable
from flowcore.plan.encode import BadRecord, NoEncoding, ValueGone, component_of, decode, references
from flowcore.run.cell import call
from flowcore.store import codecs, keeping
from flowcore.store.codecs import Codec, register_codec
from flowcore.store.trace import Trace
from tests.plan.corpus import Config, Memory, different

BIG = np.arange(50_000.0)
_names = itertools.count()


class Model:
    """A value without encoding."""

    def __init__(self, weights: Any, extra: Any = None) -> None:
        self.weights = weights
        self.extra = extra


class Slotted:
    """A value whose parts are in slots."""

    __slots__ = ("inner",)

    def __init__(self, inner: Any) -> None:
        self.inner = inner


class Full(Memory):
    """A store on a full disk."""

    def put(self, header: bytes, data: memoryview) -> bytes:
        """Refuse."""
        raise StoreUnavailable(store=".flowcore", reason="full")


@fc.compute
def double(x: float) -> float:
    """Double a number."""
    return 2 * x


def plain(x: float) -> float:
    """Give a number back."""
    return x


@pytest.fixture
def kept() -> Memory:
    """The store."""
    return Memory(0)


@pytest.fixture
def spool() -> Memory:
    """The spool."""
    return Memory(1)


@pytest.fixture
def codec(kept: Memory, spool: Memory) -> Codec:
    """A codec over both."""
    return Codec(kept=kept, passed=spool)


def test_kept_values_go_to_the_store(codec: Codec, kept: Memory, spool: Memory) -> None:
    """With keep, arrays go to the store, else to the spool; identity is the same."""
    keeping, passing = codec.encode(BIG, keep=True), codec.encode(BIG, keep=False)

    assert keeping.component == passing.component
    assert [0, 1] == [references(e.record)[0][2] for e in (keeping, passing)]
    assert set(kept.files) == set(spool.files)
    assert np.array_equal(BIG, codec.decode(keeping.record))  # type: ignore[arg-type]


def test_everything_survives(codec: Codec) -> None:
    """The whole corpus can be kept, and can be passed on, with one identity."""
    for value in different():
        encoded = codec.encode(value, keep=True)
        again = codec.encode(codec.decode(codec.pass_on(value, name="value")), keep=False)

        assert encoded.component == codec.encode(codec.decode(encoded.record), keep=False).component
        if not isinstance(value, (np.ma.MaskedArray, np.str_, np.bytes_)):  # numpy's pickles change these
            assert encoded.component == again.component, value


@pytest.mark.contract("P8", "F19")
def test_a_full_store_costs_nothing(spool: Memory) -> None:
    """When the store fails, or there is none, the value goes to the spool."""
    for home in (Full(0), None):
        codec = Codec(kept=home, passed=spool)

        assert [(1)] == [place for _, _, place in references(codec.encode(BIG, keep=True).record)]


@pytest.mark.contract("F19", "K29")
def test_where_no_file_has_room_the_record_carries_a_value() -> None:
    """Of every kind, with the same identity; it is read from the record alone, and no store keeps such a record."""
    full = Codec(kept=Full(0), passed=Full(1))
    large = [BIG, [BIG, {"a": BIG}], "x" * 50_000, BIG.reshape(2, -1).T]
    carried = [full.encode(value, keep=True) for value in large]
    trace = Trace(
        node=0, nodes=[0] * 4, numbers=[*range(4)], keys=[bytes(32)] * 4, components=[c.component for c in carried],
        records=[c.record for c in carried], seconds=[0.0] * 4,
    )  # fmt: skip

    assert ([b""] * 4, [b""] * 4) == (keeping.kept(trace)[0].keys, keeping.kept(trace)[0].records)
    for value in [*large, *different()]:
        encoded = full.encode(value, keep=True)

        assert encoded.component == Codec(kept=Memory(0), passed=Memory(1)).encode(value, keep=True).component
        assert encoded.component == full.encode(full.decode(encoded.record), keep=False).component


@pytest.mark.contract("F19")
def test_objects_parts_and_pickles_are_carried_too() -> None:
    """Large buffers of what has no encoding, kept pickles, rows of an array and items of a value."""
    full = Codec(kept=Full(0), passed=Full(1), pickles=True)
    passed, pickled = full.pass_on(Model(BIG), name="value"), full.pickle(Model(BIG), name="value")
    record = full.encode({"rows": BIG.reshape(2, -1)}, keep=False).record
    rows, _ = call._item(full, record, full.encode("rows", keep=False).record)
    found = [full.decode(element) for _, element, _ in call._expand(full, rows)]

    assert all(np.array_equal(BIG, full.decode(one).weights) for one in (passed, pickled))  # type: ignore[attr-defined]
    assert np.array_equal(BIG, np.concatenate(found))  # type: ignore[arg-type]


@pytest.mark.contract("F19", "P8")
def test_what_is_too_large_for_a_message_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the bytes, what flowcore would have carried, and where to make room."""
    full = Codec(kept=Full(0), passed=Full(1), pickles=True)
    rows, first = (full.encode(value, keep=False).record for value in (BIG.reshape(2, -1), 0))
    for room in (codecs, call):
        monkeypatch.setattr(room, "CARRIED_LIMIT", 1 << 15)
    ways: list[Callable[[], object]] = [
        lambda: full.encode(BIG, keep=True), lambda: full.pass_on(Model(BIG), name="value"),
        lambda: full.pickle(Model(BIG), name="value"), lambda: call._expand(full, rows),
        lambda: call._item(full, rows, first),
    ]  # fmt: skip
    for way in ways:
        with pytest.raises(StoreUnavailable, match=r"\d{6} bytes are too many for a message") as refused:
            way()

        assert "Make room" in str(refused.value)


def test_a_home_that_is_not_there(codec: Codec, kept: Memory) -> None:
    """A value of the store cannot be read where there is no store: it is gone, and no error."""
    record = codec.encode(BIG, keep=True).record
    with pytest.raises(ValueGone):
        Codec(kept=None, passed=Memory(1)).decode(record)
    kept.files.clear()
    with pytest.raises(ValueGone):
        codec.decode(record)


@pytest.mark.contract("F10")
def test_passed_values_come_through(codec: Codec, spool: Memory) -> None:
    """An object travels as a pickle; its large buffers lie in the spool, and its record is small."""
    value = Model({"w": BIG, "small": np.zeros(3)}, extra=lambda x: x + 1)
    record = codec.pass_on(value, name="result")
    back: Any = codec.decode(record)

    assert np.array_equal(BIG, back.weights["w"])
    assert (4, [0.0] * 3) == (back.extra(3), back.weights["small"].tolist())
    assert back.weights["w"].flags.writeable
    assert len(record) < 4000
    assert [BIG.nbytes] == [len(data) for _, data in spool.files.values()]
    assert [(1, BIG.nbytes + 128)] == [(place, size) for _, size, place in references(record)]
    assert b"" == component_of(record, fetch=codec.fetch)


def test_large_pickles_lie_in_the_spool(codec: Codec) -> None:
    """A pickle of many small objects goes as a file too."""
    value = Model([str(i) for i in range(20_000)])
    record = codec.pass_on(value, name="result")

    assert len(record) < 300
    assert value.weights == codec.decode(record).weights  # type: ignore[attr-defined]


@pytest.mark.contract("F31")
def test_passed_values_are_fresh(codec: Codec) -> None:
    """Two consumers get two objects; writing into one does not show in the other."""
    record = codec.pass_on(Model(BIG.copy()), name="result")
    first: Any = codec.decode(record)
    first.weights[:] = 1
    second: Any = codec.decode(record)

    assert 49_999.0 == second.weights[-1]


@pytest.mark.contract("S1", "S2")
def test_a_reader_that_was_not_told_refuses(codec: Codec) -> None:
    """A record with a pickle is no value of the store."""
    with pytest.raises(BadRecord):
        decode(codec.pass_on(Model(1), name="x"), fetch=codec.fetch)


@pytest.mark.contract("F11")
def test_errors_while_unpickling_are_the_users(codec: Codec) -> None:
    """What a user's class raises when it is loaded comes out as it is."""
    record = codec.pass_on(Fragile(), name="result")
    with pytest.raises(ZeroDivisionError):
        codec.decode(record)


class Fragile:
    """Cannot be loaded."""

    def __setstate__(self, state: object) -> None:
        1 / 0  # noqa: B018

    def __getstate__(self) -> object:
        return {"a": 1}


def _holds(generator: Any) -> Any:
    return lambda: generator


@pytest.mark.contract("F9", "E7")
@pytest.mark.parametrize(
    ("value", "path", "kind"),
    [
        ({"cfg": Model(1, Model(threading.Lock()))}, "args['cfg'].extra.weights", "_thread.lock"),
        ([1, (2, {"a": Slotted(iter(i for i in ""))})], "args[1][1]['a'].inner", "generator"),
        (Config(rate=[sys._getframe()]), "args.rate[0]", "frame"),
        (_holds(i for i in ""), "args closure generator", "generator"),
        (functools.partial(plain, threading.Lock()), "args.args[0]", "_thread.lock"),
        (Model(1, types.SimpleNamespace(db=threading.Lock())).__init__, "args.__self__.extra.db", "_thread.lock"),
        ({threading.Lock()}, "args{_thread.lock}", "_thread.lock"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_what_cannot_travel_is_named(value: object, path: str, kind: str, codec: Codec) -> None:
    """A refusal names the leaf, by a path from the argument on."""
    with pytest.raises(NotPicklable) as refused:
        codec.pass_on(value, name="args")

    assert (path, kind) == (refused.value.path, refused.value.kind)
    assert refused.value.reason
    assert str(refused.value) == str(pickle.loads(pickle.dumps(refused.value)))


@pytest.mark.contract("F9")
def test_functions_that_cannot_travel_are_named(codec: Codec) -> None:
    """A closure over a live thing, and a global that is one, are named."""
    with pytest.raises(NotPicklable) as refused:
        codec.pack_function(_holds(i for i in ""))
    assert "_holds.<locals>.<lambda> closure generator" == refused.value.path

    space: dict[str, Any] = {"__name__": "__main__", "HANDLE": {"a": threading.Lock()}}
    exec("def f(): return HANDLE", space)
    with pytest.raises(NotPicklable) as refused:
        codec.pack_function(space["f"])

    assert "f global HANDLE['a']" == refused.value.path


def test_values_too_deep_are_refused(codec: Codec) -> None:
    """A list nested 100,000 deep is refused, and nothing crashes."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(NoEncoding):
        codec.encode(deep, keep=True)
    with pytest.raises(NotPicklable):
        codec.pass_on(deep, name="result")
    while deep:
        deep = deep.pop()  # let go of it level by level: freeing it at once would be as deep


def test_importable_functions_go_by_path(codec: Codec) -> None:
    """A function that is found where it says goes by its path; so does the function of a task."""
    assert (("path", __name__, "plain"), ()) == codec.pack_function(plain)
    assert (("path", __name__, "double"), ()) == codec.pack_function(double)
    assert (("path", __name__, "double"), ()) == codec.pack_function(double.function)
    assert (("path", "os.path", "join"), ()) != codec.pack_function(np.linalg.norm)
    assert double.function is codec.load_function(("path", __name__, "double"), ())
    assert plain is codec.load_function(("path", __name__, "plain"), ())


def test_other_functions_go_by_value(codec: Codec) -> None:
    """Lambdas, closures, replaced functions and methods travel with what they hold."""
    n = 3
    replaced = types.FunctionType(plain.__code__, globals(), "plain")
    replaced.__module__, replaced.__qualname__ = plain.__module__, plain.__qualname__
    for function, expected in [(lambda x: x + n, 5), (functools.partial(pow, 2), 4), (replaced, 2), (Adder(5).add, 7)]:
        packed, buffers = codec.pack_function(function)

        assert isinstance(packed, bytes)
        assert expected == codec.load_function(packed, buffers)(2)


@dataclasses.dataclass
class Adder:
    """Adds."""

    n: int

    def add(self, x: int) -> int:
        """Add."""
        return x + self.n


@pytest.mark.contract("F9")
def test_arrays_in_closures_lie_in_the_spool(codec: Codec, spool: Memory) -> None:
    """A large array that a function holds is no part of its pickle."""
    array = BIG.copy()
    packed, buffers = codec.pack_function(lambda i: array[i])

    assert isinstance(packed, bytes)
    assert len(packed) < 3000
    assert [BIG.nbytes] == [len(data) for _, data in spool.files.values()]
    assert 7.0 == codec.load_function(packed, buffers)(7)


def test_modules_off_the_path_go_by_value(codec: Codec, tmp_path: pathlib.Path) -> None:
    """A function of a module that another process could not import travels with its code."""
    name = f"flowcore_codec_{next(_names)}"
    module = types.ModuleType(name)
    exec("K = 4\ndef helper(x): return x * K\ndef f(x): return helper(x) + 1", vars(module))
    sys.modules[name] = module
    try:
        packed, buffers = codec.pack_function(module.f)
    finally:
        del sys.modules[name]

    assert isinstance(packed, bytes)
    assert 9 == codec.load_function(packed, buffers)(2)


def test_modules_shadowed_on_the_path_go_by_value(
    codec: Codec, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an import would find another file, the function does not go by its path."""
    name = f"flowcore_codec_{next(_names)}"
    for directory, value in (("a", 1), ("b", 2)):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / f"{name}.py").write_text(f"def f(): return {value}")
    monkeypatch.syspath_prepend(str(tmp_path / "a"))
    module = importlib.import_module(name)
    monkeypatch.syspath_prepend(str(tmp_path / "b"))
    packed, buffers = codec.pack_function(module.f)
    del sys.modules[name]

    assert 1 == codec.load_function(packed, buffers)()


SCRIPT = """
import dataclasses, pickle, sys
from flowcore.store.codecs import Codec
from flowcore.plan.classes import class_name
from tests.plan.corpus import Memory
@dataclasses.dataclass
class Setup:
    rate: float
def f(setup): return Setup(setup.rate * 2)
spool = Memory(1)
codec = Codec(kept=None, passed=spool)
value = codec.encode(Setup(2.0), keep=False)
classes = codec.pack_classes({class_name(Setup): Setup})
passed = codec.pass_on({"a": Setup(3.0)}, name="x")
open(sys.argv[1], "wb").write(pickle.dumps([value.record, value.component, classes, passed, codec.pack_function(f)]))
"""


def test_scripts_classes_reach_other_processes(codec: Codec, tmp_path: pathlib.Path) -> None:
    """Functions and dataclasses of a script work where `__main__` is another file, and make the same values."""
    (tmp_path / "study.py").write_text(SCRIPT)
    out = tmp_path / "out"
    subprocess.run(
        [sys.executable, str(tmp_path / "study.py"), str(out)], env={"PYTHONPATH": ":".join(sys.path)}, check=True
    )
    record, component, classes, passed, function = pickle.loads(out.read_bytes())
    codec.load_classes(classes)
    setup: Any = codec.decode(record)
    doubled: Any = codec.load_function(*function)(setup)

    assert ("study:Setup", 2.0) == (f"study:{type(setup).__qualname__}", setup.rate)
    assert component == codec.encode(setup, keep=True).component
    assert (4.0, True) == (doubled.rate, type(doubled) is type(setup))
    assert 3.0 == codec.decode(passed)["a"].rate  # type: ignore[index]


@pytest.mark.contract("K19")
def test_functions_as_arguments(codec: Codec) -> None:
    """An argument that holds a function is passed on, and identified by its code all the same."""
    one, two = codec.argument([lambda x: x + 1], name="args.f"), codec.argument([lambda x: x + 2], name="args.f")
    same = codec.argument([lambda x: x + 1], name="args.f")

    assert one.component == same.component != two.component
    assert 4 == codec.decode(one.record)[0](3)  # type: ignore[index]
    assert codec.encode([1], keep=False) == codec.argument([1], name="args.f")
    with pytest.raises(NoEncoding):
        codec.argument([Model(1)], name="args.f")


def test_registered_kinds_are_kept(codec: Codec) -> None:
    """A registered type has an encoding from then on."""
    with pytest.raises(NoEncoding):
        codec.encode(Slotted(BIG), keep=True)
    register_codec(
        Slotted, name="tests.slotted", version="1", to=lambda s: {"inner": s.inner}, back=lambda p: Slotted(**p)
    )
    back: Any = codec.decode(codec.encode([Slotted(BIG)], keep=True).record)

    assert np.array_equal(BIG, back[0].inner)
