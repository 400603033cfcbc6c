"""Claims about stores that allow pickles: opted into by the reader, and never read unchecked (contract S2, S3)."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.errors import DamagedEntry
from flowcore.plan.encode import BadRecord, NoEncoding, ValueGone, component_of, decode, no_fetch, references
from flowcore.plan.extension import PICKLED, extension, pack
from flowcore.plan.pickled import CODEC, PickleRefused, is_sealed, pickled, sealed
from flowcore.store.archive import Archive
from flowcore.store.cache import PICKLE, VALUE_GONE, Hit
from flowcore.store.codecs import Codec
from flowcore.store.directory import StoreRun, open_store
from flowcore.store.trace import Trace, pack_trace
from tests.plan.corpus import Memory

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


class Model:
    """A value without encoding."""

    def __init__(self, n: int, rate: float = 0.5) -> None:
        self.weights = np.arange(float(n))
        self.rate = rate


@fc.compute
def trained(n: int) -> Any:
    """Give something that only pickle can represent."""
    return Model(n)


@fc.compute(cache="required")
def trained_kept(n: int) -> Any:
    """The same, and it must be kept."""
    return Model(n)


@fc.compute
def total(models: Any) -> float:
    """Use it."""
    return float(sum(model.weights.sum() for model in models))


@fc.compute
def stream(n: int) -> Iterator[int]:
    """Give what is used up by reading."""
    return iter(range(n))


def pickling(store: Path) -> Any:
    """Open the store with leave to read pickles."""
    return fc.open_store(store, allow_pickle=True)


def draw() -> fc.Flow:
    """Draw a flow of two models, one of which fits into a record."""
    with fc.Flow("models") as flow:
        total(fc.gather(trained(fc.each(n=[3, 5000]))))
    return flow


def ran(run: fc.Run, *names: str) -> list[tuple[int, int]]:
    """Give how many cells ran, and were answered."""
    return [(run.counts(name).done, run.counts(name).hit) for name in names]


@pytest.mark.contract("S2")
@pytest.mark.parametrize("executor", ["process", "inline"])
def test_values_without_encoding_are_kept(executor: str, store: Path) -> None:
    """Where the store was opened so; the next run is all hits, and the values are right."""
    flow = draw()
    flow.options(runner=executor)
    cold = flow.run(*flow.nodes, store=pickling(store), progress=False, workers=2)
    warm = flow.run(*flow.nodes, store=pickling(store), progress=False, workers=2)

    assert [(2, 0), (1, 0)] == ran(cold, "trained", "total")
    assert [(0, 2), (0, 1)] == ran(warm, "trained", "total")
    assert 12_497_503.0 == cold["total"] == warm["total"]
    assert (Model, 0.5, 4999.0) == (
        type(warm["trained"][{"n": 5000}]), warm["trained"][{"n": 3}].rate, warm["trained"][{"n": 5000}].weights[-1],
    )  # fmt: skip


@pytest.mark.contract("S2")
def test_a_value_that_must_be_kept(store: Path) -> None:
    """cache="required" is content with a pickle, where the store allows it."""
    with fc.Flow("required") as flow:
        trained_kept(3)
    flow.run(store=pickling(store), progress=False, executor="inline")

    assert [(0, 1)] == ran(flow.run(store=pickling(store), progress=False, executor="inline"), "trained_kept")


@pytest.mark.contract("S2")
def test_without_leave_it_is_a_miss(store: Path) -> None:
    """The same store, opened plainly: the cell is computed, with the reason, and nothing is unpickled."""
    flow = draw()
    flow.run(store=pickling(store), progress=False, executor="inline")
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        plain = flow.run(store=store, progress=False, executor="inline")

    assert [(2, 0), (0, 1)] == ran(plain, "trained", "total")
    assert 12_497_503.0 == plain["total"]


@pytest.mark.contract("S2")
def test_a_finished_run_is_not_unpickled_without_leave(store: Path) -> None:
    """Asking for the value names the cell and the entry, and how to opt in; with leave it is there."""
    flow = draw()
    first = flow.run(*flow.nodes, store=pickling(store), progress=False, executor="inline")
    second = flow.run(*flow.nodes, store=pickling(store), progress=False, executor="inline")
    for run in (first, second):
        plain: Any = fc.open_run(run.id, store=store)
        with pytest.raises(fc.PickleNotAllowed, match=r"(?s)trained\[n=3\].*allow_pickle=True") as caught:
            plain["trained"][{"n": 3}]
        opened: Any = fc.open_run(run.id, store=pickling(store))

        assert isinstance(caught.value, ValueError)
        assert 12 <= len(caught.value.entry)
        assert [0.0, 1.0, 2.0] == opened["trained"][{"n": 3}].weights.tolist()


@pytest.mark.contract("S2", "S1")
def test_no_pickle_is_looked_into_without_leave(store: Path, tmp_path: Path) -> None:
    """An audit hook over a whole run and a look back sees no class being looked up by pickle; with leave it does."""
    draw().run(store=pickling(store), progress=False, executor="inline")
    script = tmp_path / "look.py"
    script.write_text(textwrap.dedent(
        """
        import sys, warnings
        import flowcore as fc
        from flowcore.store.directory import open_store
        from flowcore.store.codecs import Codec
        from flowcore.store.cache import Hit
        seen = []
        sys.addaudithook(lambda name, args: seen.append(args) if name == "pickle.find_class" else None)
        allow = sys.argv[2] == "allow"
        (run,) = fc.runs(store=open_store(sys.argv[1], allow_pickle=allow))
        recorded = fc.open_run(run.id, store=open_store(sys.argv[1], allow_pickle=allow))
        try:
            recorded["trained"][{"n": 3}]
        except (fc.PickleNotAllowed, fc.ValueReleased, AttributeError, ModuleNotFoundError) as error:
            print(type(error).__name__)
        print(len(seen) > 0)
        """
    ))  # fmt: skip
    out = [
        subprocess.run(
            [sys.executable, str(script), str(store), allow],
            capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)},
        ).stdout.split()[-1]
        for allow in ("no", "allow")
    ]  # fmt: skip

    assert ["False", "True"] == out


@pytest.mark.contract("K28", "E8")
def test_what_is_used_up_by_reading_is_never_kept(store: Path) -> None:
    """An iterator could be pickled, and would be empty for whoever comes second."""
    with fc.Flow("stream") as flow:
        stream(3)
    with pytest.warns(fc.NotStorable):
        runs = [flow.run(store=pickling(store), progress=False, executor="inline") for _ in range(2)]

    assert [(1, 0), (1, 0)] == [ran(run, "stream")[0] for run in runs]


# ---- what is checked before anything is unpickled ----------------------------------


@pytest.fixture
def run(store: Path) -> Iterator[StoreRun]:
    """Give a run on a store that allows pickles."""
    opened = open_store(store, allow_pickle=True).begin()
    yield opened
    opened.release()


def codec(run: StoreRun) -> Codec:
    """Give a codec with leave to read pickles."""
    return Codec(kept=run.blobs, passed=run.spool, files=run.files, pickles=True)


def keep(run: StoreRun, value: object, key: bytes = KEY) -> None:
    """Keep a value as a pickle."""
    record = codec(run).pickle(value, name="result")
    run.cache.record(
        Trace(node=0, numbers=[0], keys=[key], components=[b"\2" + bytes(32)], records=[record], seconds=[0.1])
    )


def later(store: Path, *, allow: bool = True) -> tuple[StoreRun, list[object]]:
    """Begin another run; give it, and the list its warnings go to."""
    told: list[object] = []
    return open_store(store, allow_pickle=allow).begin(tell=told.append), told


@pytest.mark.contract("S3")
def test_a_flipped_byte(run: StoreRun, store: Path) -> None:
    """The file of a pickle is checked as any blob is: it is put aside, and nothing is unpickled."""
    keep(run, Bomb(5000))
    (path,) = store.glob("v1/arrays/*/*.npy")
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
    second, told = later(store)
    (hit,) = second.cache.judge([KEY])
    assert isinstance(hit, Hit)
    with pytest.raises(ValueGone):
        codec(second).decode(hit.record)
    second.release()

    assert [DamagedEntry] == [type(one) for one in told]
    assert not Bomb.went_off


@pytest.mark.contract("S3")
def test_swapped_entries(run: StoreRun, store: Path) -> None:
    """Two pickles whose files were swapped, sizes being equal: neither is unpickled."""
    keep(run, Bomb(5000, 1.0))
    keep(run, Bomb(5000, 2.0), OTHER)
    first, second = store.glob("v1/arrays/*/*.npy")
    a, b = first.read_bytes(), second.read_bytes()
    for path, content in ((first, b), (second, a)):
        path.chmod(0o600)
        path.write_bytes(content)
    again, told = later(store)
    hits: list[Any] = again.cache.judge([KEY, OTHER])
    for hit in hits:
        with pytest.raises(ValueGone):
            codec(again).decode(hit.record)
    again.release()

    assert len(a) == len(b)
    assert [DamagedEntry, DamagedEntry] == [type(one) for one in told]
    assert not Bomb.went_off


@pytest.mark.contract("S3")
@pytest.mark.parametrize("size", [1, 5000])
def test_a_replay_under_another_key(size: int, run: StoreRun, store: Path) -> None:
    """A record that was made for one key answers no other, however well its frame is made."""
    keep(run, Bomb(size))
    second, _ = later(store)
    hit: Any = second.cache.judge([KEY])[0]
    forged = Trace(
        node=0, numbers=[0], keys=[OTHER], components=[b"\2" + bytes(32)], records=[hit.record], seconds=[0.1]
    )
    second._writing.journal.append([pack_trace(forged)])  # type: ignore[union-attr]
    third, _ = later(store)
    answers = third.cache.judge([KEY, OTHER])
    archive = Archive(blobs=third.blobs, cache=third.cache, checkpoints=third.checkpoints)

    assert isinstance(answers[0], Hit)
    assert VALUE_GONE == answers[1]
    with pytest.raises(BadRecord, match="another key"):
        archive.decode(hit.record, OTHER)
    assert not Bomb.went_off
    for opened in (second, third):
        opened.release()


@pytest.mark.contract("S3")
def test_a_pickle_that_is_not_what_its_record_says() -> None:
    """Codec, length and digest are looked at before the bytes are handed on."""
    home = Memory()
    good = sealed(Codec(kept=home, passed=Memory(1), pickles=True).pickle([1], name="x"), KEY)
    seen: list[object] = []
    parts = [CODEC, KEY, bytes(32), 1, b""]
    array = extension(7, [b"x", "|u1", False, [1]])
    for changed in (
        {0: "pickle 4"},
        {2: bytes(31)},
        {3: 2},
        {3: "1"},
        {4: "x"},
        {4: extension(7, [b"xxxx", "<f4", False, [1]])},
        {},
    ):
        record = pack(extension(PICKLED, [changed.get(i, array if i == 4 else part) for i, part in enumerate(parts)]))
        with pytest.raises(BadRecord):
            decode(record, fetch=no_fetch, unpickle=seen.append)

    assert [] == seen
    assert [1] == Codec(kept=home, passed=Memory(1), pickles=True).decode(good)
    assert (True, False) == (is_sealed(good, KEY), is_sealed(good, OTHER))
    assert (b"", b"") == (sealed(good, OTHER), sealed(good, b""))


@pytest.mark.contract("S2")
def test_a_reader_without_leave_fetches_nothing() -> None:
    """The refusal comes before the payload is even mapped, inside any container, and names the entry."""
    home = Memory()
    record = Codec(kept=home, passed=Memory(1), pickles=True).pickle(Model(5000), name="x")
    for whole in (record, pack([1])[:1] + record):
        with pytest.raises(PickleRefused) as refused:
            decode(whole, fetch=never)

        assert 12 == len(refused.value.entry)
    assert b"" == component_of(record, fetch=no_fetch)
    assert 1 == len(references(record))


def never(*_: object) -> Any:
    """Fail the test: nothing is to be fetched."""
    raise AssertionError("fetched")


@pytest.mark.contract("S2")
def test_the_reason_is_told(run: StoreRun, store: Path) -> None:
    """A store without leave says why such a record does not answer."""
    keep(run, Model(3))
    plain, _ = later(store, allow=False)
    answers = plain.cache.judge([KEY])
    plain.release()

    assert [PICKLE] == answers
    assert "allow_pickle" in PICKLE.reason


def test_refusals_are_the_same_without_leave() -> None:
    """Leave to read pickles changes nothing for values that have an encoding."""
    home = Memory()
    with_leave, without = (Codec(kept=home, passed=Memory(1), pickles=leave) for leave in (True, False))

    assert with_leave.encode([1, np.zeros(3)], keep=True) == without.encode([1, np.zeros(3)], keep=True)
    with pytest.raises(NoEncoding):
        with_leave.encode(Model(1), keep=True)
    assert pickled(b"x", extension(7, [b"x", "|u1", False, [1]]))


class Bomb(Model):
    """A model that tells when it is unpickled."""

    went_off = False

    def __reduce__(self) -> Any:
        return _explode, (self.weights, self.rate)


def _explode(weights: Any, rate: float) -> Model:
    Bomb.went_off = True
    return Model(len(weights), rate)
