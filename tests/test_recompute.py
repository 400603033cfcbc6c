"""Claims about recompute: kept results are computed again and compared, and nothing that is kept changes."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.cli import main
from flowcore.cli.parser import Usage
from flowcore.cli.recompute import main as verify
from flowcore.recompute import Recomputed, recompute
from flowcore.settings import Settings

pytestmark = pytest.mark.contract("F33")


def steady(x: float, n: int) -> Any:
    """Give the same each time."""
    return np.linspace(0.0, x, n)


def hidden(x: float, n: int, path: str) -> Any:
    """Depend on a file that no key knows of, in every second cell."""
    factor = float(Path(path).read_text()) if x % 2 else 1.0
    return np.linspace(1.0, x + 1, n) * factor


def total(found: list[Any]) -> float:
    """Sum up."""
    return float(sum(z.sum() for z in found))


def world(path: str) -> str:
    """Read a file."""
    return Path(path).read_text()


def longer(text: str, x: float) -> str:
    """Use what was read."""
    return f"{text} {x}"


def flow_of(path: Path | None = None, cells: int = 6, n: int = 5000) -> fc.Flow:
    """Draw a grid and its sum."""
    flow = fc.Flow("checked")
    arguments = (n,) if path is None else (n, os.fspath(path))
    grid = flow.add(
        steady if path is None else hidden, fc.each(x=[float(i) for i in range(cells)]), *arguments, name="z"
    )
    flow.add(total, fc.gather(grid), name="total")
    return flow


def state(store: Path) -> dict[str, str]:
    """Give every file of a store with a digest."""
    files = (path for path in (store / "v1").rglob("*") if path.is_file() and "tmp" not in path.parts)
    return {os.fspath(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def checked(flow: fc.Flow, store: Path, fraction: float = 1.0, *, sample: int = 0, **options: Any) -> Recomputed:
    """Compute again."""
    return recompute(flow, fraction, Settings.of(store=store, progress=False, **options), sample=sample)


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_the_same_bits_come_out(store: Path, executor: str) -> None:
    """On the executors of any run; and no file of the store is another one afterwards."""
    flow = flow_of()
    flow.run(store=store, progress=False, executor=executor)
    before = state(store)
    found = checked(flow, store, executor=executor)

    assert (7, 7, 7, True) == (found.cached, found.checked, found.equal, found.sound)
    assert before == state(store)


def test_what_differs_is_told_and_the_kept_value_stays(store: Path, tmp_path: Path) -> None:
    """With the largest difference; without a warning of two values; the next run is all hits."""
    path = tmp_path / "factor"
    path.write_text("1.0")
    flow = flow_of(path)
    first = flow.run(store=store, progress=False, executor="inline")["total"]
    path.write_text("1.001")
    before = state(store)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = checked(flow, store, executor="inline")
    again = flow.run(store=store, progress=False, executor="inline")

    assert ["z[x=1.0]", "z[x=3.0]", "z[x=5.0]"] == [cell.cell for cell in found.different]
    assert pytest.approx(1e-3) == found.different[0].relative
    assert pytest.approx(6e-3) == max(cell.absolute for cell in found.different)
    assert (3, 1, False) == (found.equal, found.moved, found.sound)
    assert "3 differ; nothing that is kept was changed" in str(found)
    assert before.items() <= state(store).items()
    assert (first, 6) == (again["total"], again.counts("z").hit)


def test_a_sample_is_chosen_by_its_number(store: Path) -> None:
    """The same one each time, another for another number; never none."""
    flow = fc.Flow("many")
    flow.add(abs, fc.each(x=range(200)), name="abs")
    flow.run(store=store, progress=False, executor="inline")
    found = [checked(flow, store, 0.05, sample=sample, executor="inline") for sample in (0, 0, 1)]
    least = checked(flow, store, 1e-9, executor="inline")

    assert [10, 10, 10] == [one.checked for one in found]
    assert found[0] == found[1]
    assert 1 == least.checked


def test_what_is_not_cached_gives_the_inputs(store: Path, tmp_path: Path) -> None:
    """A cell below it is compared if its inputs are what they were, and counted apart if not."""
    path = tmp_path / "text"
    path.write_text("one")
    flow = fc.Flow("io")
    text = flow.add(world, os.fspath(path), kind="io", name="world")
    flow.add(longer, text, fc.each(x=[1.0, 2.0]), name="longer")
    flow.run(store=store, progress=False, executor="inline")
    same = checked(flow, store, executor="inline")
    path.write_text("two")
    other = checked(flow, store, executor="inline")

    assert (2, 2, 0) == (same.checked, same.equal, same.moved)
    assert (2, 0, 2, True) == (other.checked, other.equal, other.moved, other.sound)


def test_a_cell_that_fails_now_is_told(store: Path, tmp_path: Path) -> None:
    """And does not keep the others from being checked."""
    path = tmp_path / "factor"
    path.write_text("1.0")
    flow = flow_of(path, cells=3)
    flow.run(store=store, progress=False, executor="inline")
    path.unlink()
    found = checked(flow, store, executor="inline")

    assert (1, False) == (found.failed - 1, found.sound), "the cell itself, and the sum that needs it"
    assert 2 == found.equal


def test_an_empty_store_has_nothing_to_check(store: Path) -> None:
    """And is not made."""
    assert 0 == checked(flow_of(), store).checked
    assert not store.exists()


@pytest.mark.parametrize("fraction", [0.0, -1.0, 1.5])
def test_a_part_has_bounds(store: Path, fraction: float) -> None:
    """Above nothing, at most all."""
    with pytest.raises(fc.BadOption, match="5%"):
        checked(flow_of(), store, fraction)


def test_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part is told as a percentage or a number; a difference is exit code 1."""
    (tmp_path / "lands.py").write_text(
        "import os\nimport flowcore as fc\n\n@fc.compute(runner='thread')\ndef erode(rate: float) -> str:\n"
        "    return os.environ.get('FLOWCORE_TEST_ROCK', 'chalk') if rate == 2.0 else 'sand'\n\n"
        "@fc.flow\ndef lands(rates: list[float] = [1.0, 2.0]):\n    return erode(fc.each(rate=rates))\n"
    )
    monkeypatch.chdir(tmp_path)
    command = ["cache", "verify", "--recompute", "100%", "lands.py", "--store", "kept"]
    main(["run", "lands.py", "--store", "kept"])
    capsys.readouterr()

    assert 0 == main(command)
    assert "2 of 2 kept results computed again: 2 equal" in capsys.readouterr().out
    monkeypatch.setenv("FLOWCORE_TEST_ROCK", "granite")
    assert 1 == main([*command, "--json"])
    assert ["erode[rate=2.0]"] == [cell["cell"] for cell in json.loads(capsys.readouterr().out)["different"]]
    with pytest.raises(Usage, match="such as 5%"):
        verify(["--recompute", "some", "lands.py"])
