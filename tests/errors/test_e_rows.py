"""Claims about every error that a user can meet (contract section 7): what it says, and what it does not cost."""

from __future__ import annotations

import importlib
import pickle
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from tests.errors import scenes
from tests.errors.snapshot import compare, told

HOME = str(Path(fc.__file__).parent)


def rows(table: dict[str, tuple[pytest.MarkDecorator, Any]]) -> list[Any]:
    """Give a table's entries as parameters, marked with their rows."""
    return [pytest.param(name, act, id=name, marks=mark) for name, (mark, act) in sorted(table.items())]


def ours(error: BaseException) -> list[str]:
    """Give the functions of flowcore in a traceback."""
    return [frame.name for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(HOME)]


@pytest.mark.parametrize(("name", "act"), rows(scenes.DRAWING))
def test_drawing(name: str, act: Callable[[], BaseException]) -> None:
    """What is wrong with a drawing is told at once, by name and line, among a thousand nodes."""
    error = act()

    compare(name, told(error))
    assert str(error) == str(pickle.loads(pickle.dumps(error)))
    assert len(ours(error)) <= 1, "the user's own frames, and the call that refused"


@pytest.mark.parametrize(("name", "act"), rows(scenes.FAILING))
def test_running(name: str, act: Callable[[], object], store: Path) -> None:
    """A cell that cannot run, or be kept, fails by itself: others finish, and the report is one screen."""
    ran = scenes.ran(act, store)
    assert isinstance(ran.error, fc.RunFailed)
    (failed,) = ran.error.failures
    assert failed.exception is not None

    compare(name, f"{told(ran.error, store)}\n\n{told(failed.exception, store)}")
    assert scenes.OTHERS == ran.finished
    assert len(str(ran.error).splitlines()) <= 20
    assert str(ran.error) == str(pickle.loads(pickle.dumps(ran.error)))
    assert str(failed.exception) == str(pickle.loads(pickle.dumps(failed.exception)))


@pytest.mark.parametrize(("name", "act"), rows(scenes.WARNING))
def test_warnings(name: str, act: Callable[[], object], store: Path) -> None:
    """What is survived is told as a warning at the user's line, and nothing fails."""
    ran = scenes.ran(act, store)
    assert ran.error is None

    compare(name, "\n\n".join(f"{told(w.message)}" for w in ran.warned))
    assert {"scenes.py"} == {Path(w.filename).name for w in ran.warned}
    assert scenes.OTHERS == ran.finished


@fc.compute
def ones(n: int) -> Any:
    """Give an array that lies in a file of its own."""
    return np.ones(n)


def kept(store: Path, **options: Any) -> tuple[fc.Run, list[warnings.WarningMessage]]:
    """Run one node of a large flow; give the run, and what it warned of."""
    with scenes.crowd() as flow:
        ones(5000)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        run = flow.run("ones", "half_2", store=store, progress=False, workers=1, **options)
    return run, warned


def blob(store: Path) -> Path:
    """Give the one array in a store."""
    (found,) = store.glob("v1/arrays/*/*.npy")
    return found


@pytest.mark.contract("E9", "F32")
def test_code_that_changed(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task edited after its module was imported: the cell fails, and nothing is kept under the old code."""
    source = "import flowcore as fc\n@fc.compute\ndef edited(x: int) -> int:\n    return x + {}\n"
    file = tmp_path / "under_way.py"
    file.write_text(source.format(1))
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("under_way")
    file.write_text(source.format("1 + 1"))
    ran = scenes.ran(lambda: module.edited(1), store)
    del sys.modules["under_way"]
    assert isinstance(ran.error, fc.RunFailed)
    error = ran.error.failures[0].exception

    assert isinstance(error, fc.CodeChanged)
    compare("E9_code_changed", f"{told(ran.error, store)}\n\n{told(error, store)}")
    assert scenes.OTHERS == ran.finished


@pytest.mark.contract("E12", "F34")
def test_a_state_of_other_arguments(store: Path) -> None:
    """The cell starts over, with one warning at the user's line, and what is there is left alone."""
    land = np.ones(4)
    first = scenes.ran(lambda: scenes.advanced(land, 0.1), store)
    saved = sorted(store.glob("v1/checkpoints/*/*"))
    ran = scenes.ran(lambda: scenes.advanced(land, 0.2), store)
    assert isinstance(first.error, fc.RunFailed)

    compare("E12_other_argument", "\n\n".join(told(w.message) for w in ran.warned))
    assert {"test_e_rows.py"} == {Path(w.filename).name for w in ran.warned}
    assert (None, scenes.OTHERS) == (ran.error, ran.finished)
    assert [] != saved
    assert saved == sorted(store.glob("v1/checkpoints/*/*"))


@pytest.mark.contract("E12")
def test_a_state_that_does_not_fit(store: Path) -> None:
    """Told to go on from it, the cell fails and says what is different; others finish."""
    scenes.ran(lambda: scenes.advanced(np.ones(4), 0.1), store)
    ran = scenes.ran(lambda: scenes.advanced(np.ones((2, 2)), 0.2), store, resume="adopt")
    assert isinstance(ran.error, fc.RunFailed)
    error = ran.error.failures[0].exception

    assert isinstance(error, fc.ResumeMismatch)
    compare("E12_does_not_fit", f"{told(ran.error, store)}\n\n{told(error, store)}")
    assert str(error) == str(pickle.loads(pickle.dumps(error)))


@pytest.mark.contract("E12")
@pytest.mark.parametrize(("resume", "steps", "left"), [("adopt", 2, True), ("discard", 9, False), ("own", 9, True)])
def test_what_becomes_of_a_state_of_other_arguments(resume: str, steps: int, left: bool, store: Path) -> None:
    """It is gone on from, removed, or left alone; a state that is gone on from stays as well."""
    land = np.ones(4)
    scenes.ran(lambda: scenes.advanced(land, 0.1), store)
    saved = list(store.glob("v1/checkpoints/*/*.state"))
    with fc.Flow("again") as flow:
        flow.result = scenes.advanced(land, 0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = flow.run(store=store, progress=False, workers=1, resume=resume)[flow.result]

    assert [left] * len(saved) == [path.exists() for path in saved]
    assert value == pytest.approx(4 * (1.0 + (9 - steps) * 0.1 + steps * 0.2))


@pytest.mark.contract("E10", "P2")
def test_a_damaged_entry(store: Path) -> None:
    """It is put aside with one warning that names the check, and computed again."""
    kept(store)
    path = blob(store)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-8] + b"flipped!")
    run, _ = kept(store)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(fc.ValueLost) as caught:
            run["ones"]
    again, _ = kept(store)

    compare("E10_damaged", "\n\n".join(told(w.message, store) for w in warned))
    compare("E10_lost_by_damage", told(caught.value, store))
    assert 5000.0 == again["ones"].sum()
    assert str(caught.value) == str(pickle.loads(pickle.dumps(caught.value)))


@pytest.mark.contract("E10")
def test_a_vanished_value(store: Path) -> None:
    """A value asked for after the run, and gone, says so and how to get it back; others stay."""
    run, _ = kept(store)
    blob(store).unlink()
    with pytest.raises(fc.ValueLost) as caught:
        run["ones"]

    compare("E10_vanished", told(caught.value, store))
    assert 0.5 == run["half_2"]
    assert len(ours(caught.value)) <= 1


@fc.compute(cache="required")
def ones_kept(n: int) -> Any:
    """Give an array that has to be kept."""
    return np.ones(n)


@pytest.mark.contract("E11", "P8")
def test_a_store_that_cannot_be_used_and_has_to_be(store: Path) -> None:
    """Where a task says that its result must be kept, its cell fails; others finish."""
    store.write_text("a file")
    ran = scenes.ran(lambda: ones_kept(5000), store)
    assert isinstance(ran.error, fc.RunFailed)

    compare("E11_required", f"{told(ran.error, store)}\n\n{told(ran.error.failures[0].exception, store)}")
    assert scenes.OTHERS == ran.finished


@pytest.mark.contract("E11")
@pytest.mark.parametrize("name", ["newer", "writable_by_others", "no_directory"])
def test_a_store_that_cannot_be_used(name: str, store: Path) -> None:
    """One warning says why; the run goes on, and nothing is kept."""
    if name == "no_directory":
        store.write_text("a file")
    else:
        kept(store)
    if name == "newer":
        (store / "v1" / "flowcore-store").write_text("flowcore store\nformat 99\n")
    if name == "writable_by_others":
        store.chmod(0o777)
    run, warned = kept(store)

    compare(f"E11_{name}", "\n\n".join(told(w.message, store) for w in warned))
    assert (5000.0, 0.5) == (run["ones"].sum(), run["half_2"])
