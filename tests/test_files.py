"""Claims about fc.File in flows: what is computed again, what comes back, and what is never kept."""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc


@fc.compute
def size(file: fc.File) -> int:
    """Count the bytes."""
    return len(Path(file).read_bytes())


@fc.compute
def sizes(files: Any) -> list[int]:
    """Count the bytes of several."""
    return [len(Path(file).read_bytes()) for file in (files.values() if isinstance(files, dict) else files)]


@fc.compute
def written(folder: str, n: int) -> fc.File:
    """Write a file."""
    path = Path(folder) / f"out-{n}.dat"
    path.write_bytes(b"x" * n)
    return fc.File(path)


@fc.io
def fetched(folder: str, n: int) -> fc.File:
    """Write a file, every time."""
    path = Path(folder) / f"raw-{n}.dat"
    path.write_bytes(b"y" * n)
    return fc.File(path)


@fc.io
def found(folder: str) -> list[fc.File]:
    """Find files."""
    return [fc.File(path) for path in sorted(Path(folder).glob("*.txt"))]


@fc.compute
def several(folder: str) -> dict[str, Any]:
    """Write files, and give them inside other things."""
    paths = [Path(folder) / f"part-{i}" for i in range(2)]
    for i, path in enumerate(paths):
        path.write_text("z" * (i + 1))
    return {"all": [fc.File(path) for path in paths], "first": (fc.File(paths[0]), 1)}


@fc.compute
def meddling(file: fc.File) -> int:
    """Write into what was given."""
    content = Path(file).read_bytes()
    Path(file).write_bytes(b"edited")
    return len(content)


@fc.compute(cache="required")
def meddling_kept(file: fc.File) -> int:
    """Write into what was given, and ask for the result to be kept."""
    return meddling.function(file)


@fc.io(cache=True)
async def read(file: fc.File) -> int:
    """Count the bytes, on the event loop."""
    return os.stat(file).st_size


@fc.compute
def edits_its_neighbour(file: fc.File) -> str:
    """Read a file, and write into the next one if it was the first."""
    content = Path(file).read_text()
    if content == "hello":
        Path(file).with_name("b.txt").write_text("edited")
    return content


@fc.compute
def nothing(folder: str) -> fc.File:
    """Return a file that was never written."""
    return fc.File(Path(folder) / "never")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with two files."""
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "b.txt").write_text("worlds!")
    return tmp_path


def counts(run: fc.Run, *names: str) -> list[tuple[int, int]]:
    """Give how many cells of nodes ran, and were answered by the store."""
    return [(run.counts(name).done, run.counts(name).hit) for name in names]


def refusals(warned: Sequence[warnings.WarningMessage]) -> list[type]:
    """Give the kinds of warnings."""
    return [type(w.message) for w in warned]


@pytest.mark.contract("K22")
def test_content_decides(folder: Path, store: Path) -> None:
    """A moved, copied or touched file is a hit; an edited one is computed again, with the right value."""
    with fc.Flow("one") as flow:
        size(fc.File(folder / "a.txt"))
    first = flow.run(store=store, progress=False, executor="inline")["size"]
    (folder / "a.txt").rename(folder / "moved.txt")
    with fc.Flow("moved") as moved:
        size(fc.File(folder / "moved.txt"))
    again = moved.run(store=store, progress=False, executor="inline")
    (folder / "moved.txt").write_text("other")
    edited = moved.run(store=store, progress=False, executor="inline")
    (folder / "moved.txt").write_text("hello")
    back = moved.run(store=store, progress=False, executor="inline")

    assert (5, 5, 5, 5) == (first, again["size"], edited["size"], back["size"])
    assert [(0, 1), (1, 0), (0, 1)] == [*counts(again, "size"), *counts(edited, "size"), *counts(back, "size")]


@pytest.mark.contract("K22")
@pytest.mark.parametrize("executor", ["process", "inline", "thread"])
def test_files_travel(executor: str, folder: Path, store: Path) -> None:
    """Along axes, in containers, gathered, as parts, along dynamic axes, and out of results: always the right bytes."""
    with fc.Flow("many") as flow:
        flow.options(runner=executor)
        sized = size(fc.each(file=[fc.File(folder / "a.txt"), fc.File(folder / "b.txt")]))
        made = written(str(folder), fc.each(n=[3, 30_000]))
        gathered = sizes(fc.gather(made))
        labelled = sizes(fc.gather(made, labels=True))
        listed = sizes([fetched(str(folder), 7), fc.File(folder / "a.txt")])
        dynamic = size(
            fc.each(file=found(str(folder))),
        )
        parts = several(str(folder))
        part = size(parts["first"][0])
        spread = size(fc.each(file=parts["all"]))
    run = flow.run(*flow.nodes, store=store, progress=False, workers=2)
    label = {"file": str(folder / "a.txt")}

    assert (5, [3, 30_000], [3, 30_000], [7, 5]) == (run[sized][label], run[gathered], run[labelled], run[listed])
    assert (7, 1, [1, 2]) == (run[dynamic][{"file": str(folder / "b.txt")}], run[part], run[spread].array().tolist())
    kept = run[made][{"n": 3}]
    assert (fc.File, b"xxx", str(store / "v1" / "files")) == (
        type(kept), Path(kept).read_bytes(), str(kept.path.parent.parent),
    )  # fmt: skip

    warm = flow.run(*flow.nodes, store=store, progress=False, workers=2)
    ran = {node.name for node in flow.nodes if node.kind in ("compute", "io") and warm.counts(node).done}

    assert {"fetched", "found"} == ran
    assert Path(warm[made][{"n": 30_000}]).stat().st_size == 30_000


@pytest.mark.contract("K22")
def test_an_uncached_file_is_known_by_content(folder: Path, store: Path) -> None:
    """What an io task fetches anew is not computed with again, as long as it is the same."""
    with fc.Flow("fetch") as flow:
        size(fetched(str(folder), 7))
    runs = [flow.run(store=store, progress=False, executor="inline") for _ in range(2)]

    assert [(1, 0), (0, 1)] == [counts(run, "size")[0] for run in runs]
    assert [7, 7] == [run["size"] for run in runs]


@pytest.mark.contract("F32")
@pytest.mark.parametrize("runner", ["process", "inline", "thread"])
def test_an_input_edited_under_a_cell(runner: str, folder: Path, store: Path) -> None:
    """Its result is passed on, and kept under neither the old nor the new content; one warning says so."""
    with fc.Flow("edit") as flow:
        flow.options(runner=runner)
        meddling(fc.File(folder / "a.txt"))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        run = flow.run(store=store, progress=False, workers=1)
    value = run["meddling"]
    edited = size_in(flow, store)
    (folder / "a.txt").write_text("hello")
    old = size_in(flow, store)

    assert (5, [fc.FileChanged]) == (value, refusals(warned))
    assert str(folder / "a.txt") in str(warned[0].message)
    assert [((1, 0), 6), ((1, 0), 5)] == [edited, old]


def size_in(flow: fc.Flow, store: Path) -> tuple[tuple[int, int], int]:
    """Run once more; give what ran, and the value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = flow.run(store=store, progress=False, workers=1)
    return counts(run, "meddling")[0], run["meddling"]


@pytest.mark.contract("F32")
def test_an_edited_input_and_a_result_that_must_be_kept(folder: Path, store: Path) -> None:
    """Then the cell fails, and says why."""
    with fc.Flow("edit") as flow:
        meddling_kept(fc.File(folder / "a.txt"))
    with pytest.raises(fc.RunFailed) as caught:
        flow.run(store=store, progress=False, executor="inline")

    assert isinstance(caught.value.failures[0].exception, fc.FileChanged)


@pytest.mark.contract("F32")
def test_an_edit_between_hash_and_read(folder: Path, store: Path) -> None:
    """A file edited after it was keyed and before its cell reads it: nothing is kept under what was keyed."""
    with fc.Flow("late") as flow:
        edits_its_neighbour(fc.each(file=[fc.File(folder / "a.txt"), fc.File(folder / "b.txt")]))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        first = flow.run(store=store, progress=False, executor="inline")["edits_its_neighbour"].array().tolist()
    (folder / "b.txt").write_text("worlds!")
    again = flow.run(store=store, progress=False, executor="inline")

    assert (["hello", "edited"], [fc.FileChanged]) == (first, refusals(warned))
    assert ["hello", "worlds!"] == again["edits_its_neighbour"].array().tolist()
    assert [(1, 1)] == counts(again, "edits_its_neighbour")


@pytest.mark.contract("K22")
def test_coroutines_get_files(folder: Path, store: Path) -> None:
    """On the event loop as anywhere else."""
    with fc.Flow("loop") as flow:
        read(fc.each(file=[fc.File(folder / "a.txt"), fc.File(folder / "b.txt")]))
    runs = [flow.run(store=store, progress=False) for _ in range(2)]

    assert [[5, 7]] * 2 == [run["read"].array().tolist() for run in runs]
    assert [(2, 0), (0, 2)] == [counts(run, "read")[0] for run in runs]


@pytest.mark.contract("K22")
def test_a_missing_file_is_told_before_anything_runs(folder: Path, store: Path) -> None:
    """By node, parameter and path; other nodes go on."""
    with fc.Flow("missing") as flow:
        size(fc.File(folder / "nowhere.nc"))
        sizes([fc.File(folder / "a.txt")])
    with pytest.raises(fc.RunFailed) as caught:
        flow.run(store=store, progress=False, executor="inline", on_error="continue")
    error: Any = caught.value.failures[0].exception

    assert isinstance(error, fc.MissingFile)
    assert ("size", "args.file", str(folder / "nowhere.nc")) == (error.node, error.parameter, error.path)
    assert isinstance(error, FileNotFoundError)
    assert str(error) == str(pickle.loads(pickle.dumps(error)))


@pytest.mark.contract("K22")
def test_a_result_that_is_not_there(folder: Path, store: Path) -> None:
    """A task that returns a file it never wrote fails, and by name."""
    with fc.Flow("nothing") as flow:
        nothing(str(folder))
    with pytest.raises(fc.RunFailed, match="never cannot be read") as caught:
        flow.run(store=store, progress=False, workers=1)
    error: Any = caught.value.failures[0].exception

    assert ("result", "nothing") == (error.parameter, error.node)


@pytest.mark.contract("F25", "K22")
def test_a_kept_file_that_vanished_is_made_again(folder: Path, store: Path) -> None:
    """Who needs it waits, and gets it; nobody is blamed."""
    with fc.Flow("again") as flow:
        made = written(str(folder), 3)
        read = size(made)
    flow.run(made, store=store, progress=False, executor="inline")
    (kept,) = store.glob("v1/files/*/*")
    kept.unlink()
    run = flow.run(read, store=store, progress=False, executor="inline")

    assert 3 == run[read]
    assert kept.exists()


@pytest.mark.contract("K22")
def test_a_finished_run_gives_its_files(folder: Path, store: Path) -> None:
    """A run that is opened again gives the file in the store."""
    with fc.Flow("later") as flow:
        written(str(folder), 3)
    run = flow.run(store=store, progress=False, executor="inline")
    opened: Any = fc.open_run(run.id, store=store)

    assert run["written"] == opened["written"]


def test_files_of_the_user_stay(folder: Path, store: Path) -> None:
    """What is taken into the store is copied: the user's file stays, and stays his to change."""
    with fc.Flow("copy") as flow:
        written(str(folder), 3)
    run = flow.run(store=store, progress=False, executor="inline")
    (folder / "out-3.dat").write_bytes(b"mine")

    assert b"xxx" == Path(run["written"]).read_bytes()


def test_a_global_file_is_refused(folder: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file among the globals of a task could change unseen: it is named, and nothing is kept."""
    monkeypatch.setitem(globals(), "DATA", fc.File(folder / "a.txt"))
    with fc.Flow("global") as flow:
        flow.add(reads_global, kind="compute")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        runs = [flow.run(store=store, progress=False, executor="inline") for _ in range(2)]

    assert [(1, 0), (1, 0)] == [counts(run, "reads_global")[0] for run in runs]
    assert {fc.NotKeyable} == set(refusals(warned))
    assert "DATA" in str(warned[0].message)


def reads_global() -> int:
    """Read a file that no argument names."""
    return len(Path(DATA).read_bytes())  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize("path", ["", "a\0b", b"bytes", 3])
def test_not_a_path(path: Any) -> None:
    """What cannot be the path of a file is refused at once."""
    with pytest.raises((ValueError, TypeError)):
        fc.File(path)


def test_a_file_is_its_path_to_python() -> None:
    """It can be opened, compared, hashed and pickled, and does not change."""
    file = fc.File(Path("a") / "b.nc")

    assert ("a/b.nc", "a/b.nc", Path("a/b.nc")) == (os.fspath(file), str(file), file.path)
    assert {file} == {fc.File("a/b.nc"), pickle.loads(pickle.dumps(file))}
    assert file != "a/b.nc"
    with pytest.raises(AttributeError):
        file._text = "c"
