"""Claims about store/verify.py: what is damaged is found, named and put aside; what is sound stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flowcore.store import indexing
from flowcore.store.directory import Store, StoreRun, open_store
from flowcore.store.fs import DISK
from flowcore.store.index import Index
from flowcore.store.indexfile import Covered, Source, write_index
from flowcore.store.manifest import Manifest
from flowcore.store.verify import Findings, verify
from tests.store.conftest import Begin
from tests.store.test_cache import array, journal, key, reasons, trace_of
from tests.store.test_gc import everything, names


def kept(begin: Begin, cells: range, value: Callable[[int], object] = array) -> StoreRun:
    """Let a run record cells, in two frames, and end."""
    run = begin()
    middle = len(cells) // 2
    run.cache.record(trace_of(run, cells[:middle], value))
    run.cache.record(trace_of(run, cells[middle:], value))
    run.close("done")
    run.release()
    return run


def flip(path: Path, at: int) -> None:
    """Flip a bit of a file."""
    content = bytearray(path.read_bytes())
    content[at] ^= 4
    path.chmod(0o600)
    path.write_bytes(content)


def opened(store: Path) -> Store:
    """Open the store anew."""
    return open_store(store)


def told(found: Findings) -> list[tuple[str, bool]]:
    """Give the kind of each flaw, and whether it was put aside."""
    return [(flaw.kind, bool(flaw.moved)) for flaw in found.flaws]


@pytest.mark.contract("F22", "P2")
def test_a_sound_store_stays_as_it_is(begin: Begin, store: Path) -> None:
    """Everything is read, and nothing is written."""
    kept(begin, range(4))
    before = everything(store)
    found = verify(opened(store))

    assert ([], 0) == (found.flaws, found.gone)
    assert {"arrays and files": 4, "journals": 1} == found.checked
    assert before == everything(store)


@pytest.mark.contract("F22", "P2", "E10")
def test_a_damaged_array_is_put_aside(begin: Begin, store: Path) -> None:
    """The flaw names it and where it lies; its cell runs again, and the others do not."""
    kept(begin, range(4))
    path = next((store / "v1" / "arrays").rglob("*.npy"))
    flip(path, -5)
    foretold = verify(opened(store), read_only=True)
    first = path.exists()
    found = verify(opened(store))
    again = verify(opened(store))

    assert [("array or file", False)] == told(foretold)
    assert first
    assert [("array or file", True)] == told(found)
    assert path.name == found.flaws[0].name
    assert Path(found.flaws[0].moved).exists()
    assert (1, []) == (again.gone, again.flaws)
    assert ["hit"] * 3 + ["value gone"] == sorted(reasons(begin(), range(4)))


@pytest.mark.contract("J4", "F22")
def test_a_damaged_journal_is_put_aside_and_what_it_still_holds_is_not(begin: Begin, store: Path) -> None:
    """Its sound frames go to a pack first; no later run is warned of it."""
    run = kept(begin, range(8))
    flip(journal(store, run), 700)
    found = verify(opened(store))
    answers = reasons(begin(), range(8))

    assert [("journal", True)] == told(found)
    assert [] == [name for name in names(store, "journals/*.journal") if run.id in name]
    assert 4 == answers.count("hit")
    assert [] == verify(opened(store)).flaws


@pytest.mark.contract("J4", "F22")
@pytest.mark.parametrize("at", [0, 7, 10, 12, 20, 47])
def test_a_journal_without_its_head_is_put_aside(at: int, begin: Begin, store: Path) -> None:
    """A flipped bit in its first bytes costs all of its records: that is no sound store."""
    run = kept(begin, range(4))
    flip(journal(store, run), at)
    foretold = verify(opened(store), read_only=True)
    found = verify(opened(store))

    assert [("journal", False)] == told(foretold)
    assert [("journal", True)] == told(found)
    assert [] == verify(opened(store)).flaws


@pytest.mark.contract("J4", "F26")
@pytest.mark.parametrize("content", [b"", b"flowjrnl", b"flowjrnl" + bytes([99, 0]) + bytes(90)])
def test_a_journal_that_was_never_begun_or_is_of_a_later_flowcore_is_left(
    content: bytes, begin: Begin, store: Path
) -> None:
    """A run that was killed at its first write, and one of another version, are not damage."""
    path = journal(store, kept(begin, range(4)))
    path.chmod(0o600)
    path.write_bytes(content)
    found = verify(opened(store))

    assert [] == found.flaws
    assert content == path.read_bytes()


@pytest.mark.contract("J5")
def test_the_journal_of_a_live_run_is_never_put_aside(begin: Begin, store: Path) -> None:
    """Its damage is told."""
    run = begin()
    run.cache.record(trace_of(run, range(4)))
    run.cache.record(trace_of(run, range(4, 8)))
    flip(journal(store, run), 200)
    found = verify(opened(store))

    assert [("journal", False)] == told(found)
    assert journal(store, run).exists()


@pytest.mark.contract("J9", "F22")
def test_a_damaged_or_lying_index_is_put_aside(begin: Begin, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that says of keys that their records are where they are not, though it is whole."""
    monkeypatch.setattr(indexing, "WORTH", 1)
    run = kept(begin, range(8))
    lying = Index()
    lying.load(0, 52, b"".join(key(i) for i in range(8)))
    fd = DISK.open(store / "v1" / "index" / "7", 0o102)
    covered, source = Covered(name=f"{run.id}.journal", end=90, lost=0), Source(journal=0, run_id=run.id)
    write_index(DISK, fd, lying.batches([0]), journals=[covered], sources=[source], files={})
    DISK.close(fd)
    flip(store / "v1" / "index" / "1", 100)

    assert [("index", True), ("index", True)] == told(verify(opened(store)))
    assert ["hit"] * 8 == reasons(begin(), range(8))


@pytest.mark.contract("C4", "F22")
@pytest.mark.parametrize("part", ["0.state", "*.npy", "*.series"])
def test_a_damaged_checkpoint_is_put_aside(begin: Begin, store: Path, part: str) -> None:
    """Whichever of its files is damaged, it is that state which does not count any more."""
    run = begin()
    states = run.checkpoints.at(key(1))
    series = states.series("h", descr="<f8", shape=(4,))
    series.append(np.arange(4.0))
    marks = {"h": series.commit()}
    states.save(Manifest(loop=0, step=1, records=states.encode({"x": np.arange(9000.0)}), series=marks))
    series.close()
    run.close("done")
    run.release()
    sound = verify(opened(store))
    flip(next((store / "v1" / "checkpoints").rglob(part)), 20)

    assert [] == sound.flaws
    assert [("checkpoint", True)] == told(verify(opened(store)))
    assert [] == names(store, "checkpoints/*/0.state")
