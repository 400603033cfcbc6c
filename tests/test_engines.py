"""Claims about engines of other people's: one file runs on all of them, to the bit; each is held to the protocol."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowcore.store.history import read_run
from flowcore.store.trace import Trace
from tests.engines import ROOT, command, started
from tests.oracle import journals

EXAMPLE = ROOT / "examples" / "ising.py"

# Engine -> what it is called in FLOWCORE_EXECUTOR.
EVERYWHERE = {
    "processes": "process",
    "threads": "thread",
    "fork": "concurrent.futures:ProcessPoolExecutor",
    "loky": "loky:ProcessPoolExecutor",
    "mpi": "mpi4py.futures:MPIPoolExecutor",
    "dask": "tests.engines:dask_executor",
}


def kept(store: Path) -> dict[bytes, bytes]:
    """Give what a store has: a record by key, with the digests of all arrays in it."""
    return {
        key: record
        for path in journals(str(store)) for told in read_run(path) if isinstance(told, Trace)
        for key, record in zip(told.keys, told.records, strict=True) if key
    }  # fmt: skip


def example(folder: Path, line: list[str], executor: str) -> tuple[str, dict[bytes, bytes]]:
    """Run the example in a folder; give what it printed, and what it has kept."""
    folder.mkdir(parents=True, exist_ok=True)
    done = started(
        line, cwd=folder, FLOWCORE_EXECUTOR=executor, FLOWCORE_WORKERS="2", FLOWCORE_STORE=str(folder / "store")
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, kept(folder / "store")


@pytest.fixture(scope="module")
def meant(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[bytes, bytes]]:
    """What the example prints and keeps, on the engine's own thread."""
    return example(tmp_path_factory.mktemp("inline"), command("inline", str(EXAMPLE)), "inline")


@pytest.mark.contract("P1", "P5")
@pytest.mark.parametrize("engine", EVERYWHERE)
def test_one_file_gives_the_same_everywhere(engine: str, meant: tuple[str, dict[bytes, bytes]], tmp_path: Path) -> None:
    """Arrays, a grid, a coroutine, loops with states, a failure that is tried again: equal keys, and equal bytes."""
    printed, records = example(tmp_path, command(engine, str(EXAMPLE)), EVERYWHERE[engine])

    assert meant[0] == printed
    assert meant[1] == records
    assert 15 == len(records)  # a lattice, six simulations, six figures, picture and table


@pytest.mark.contract("F40", "P5")
@pytest.mark.parametrize(
    ("engine", "loss"),
    [
        ("loky", "engine"),
        ("mpi", ""),
        pytest.param("threads", "", marks=pytest.mark.slow),
        pytest.param("fork", "engine", marks=pytest.mark.slow),
        pytest.param("spawn", "engine", marks=pytest.mark.slow),
        pytest.param("forkserver", "engine", marks=pytest.mark.slow),
        pytest.param("dask", "cell", marks=pytest.mark.slow),
    ],
)
def test_an_engine_conforms(engine: str, loss: str, tmp_path: Path) -> None:
    """By `check_executor`, and its io stays in the driver's process but for what asks for a worker's place."""
    done = started(command(engine, "-m", "tests.engines", engine, loss), cwd=tmp_path)
    here = engine == "threads"

    assert done.returncode == 0, done.stderr
    assert {"compute": here, "io": True, "io on the driver": True, "io on a worker": here} == json.loads(
        done.stdout.splitlines()[-1]
    )


@pytest.mark.contract("F4", "P5")
def test_a_rank_that_dies_ends_the_run_and_costs_no_finished_cell(tmp_path: Path) -> None:
    """MPI takes all ranks down, the driver too, and says so; started again, the run does what is missing."""
    script = str(ROOT / "tests" / "dying_rank.py")
    counted = tmp_path / "executed"
    first = started(command("mpi", script, "dies"), cwd=tmp_path, COUNTED=str(counted))
    before = counted.read_text().split()
    second = started(command("mpi", script, "lives"), cwd=tmp_path, COUNTED=str(counted))

    assert first.returncode != 0
    assert "TERMINATION" in first.stdout + first.stderr
    assert second.returncode == 0, second.stderr
    assert "[0, 1, 2, 3, 4, 5, 6, 7]" == second.stdout.strip()
    assert [] == sorted(set(before) & set(counted.read_text().split()[len(before) :]) & {"0", "1", "2", "3"})
