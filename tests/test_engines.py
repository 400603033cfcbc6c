"""Claims about engines of other people's: one file runs on all of them, to the bit; each is held to the protocol."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowcore.store.history import read_run
from flowcore.store.trace import Trace
from tests.engines import ROOT, cluster, command, started
from tests.oracle import journals

EXAMPLE = ROOT / "examples" / "ising.py"

# Engine -> what it is called in FLOWCORE_EXECUTOR.
EVERYWHERE = {
    "inline": "inline",
    "processes": "process",
    "threads": "thread",
    "fork": "concurrent.futures:ProcessPoolExecutor",
    "loky": "loky:ProcessPoolExecutor",
    "fc.Executor": "flowcore:Executor",
    "mpi": "mpi4py.futures:MPIPoolExecutor",
    "dask's futures": "tests.engines:dask_executor",
    "dask": "flowcore_dask:dask",
    "pilots": "pilots",
    "slurm": "flowcore_slurm:make",
}
# ... and in the table of docs/engines.md, with what a process that ends takes with it.
PAGE = ROOT / "docs" / "engines.md"
ROWS = {
    "threads": ("`ThreadPoolExecutor`", "the run"),
    "fork": ("`ProcessPoolExecutor`", "the engine"),
    "spawn": ("`ProcessPoolExecutor`", "the engine"),
    "forkserver": ("`ProcessPoolExecutor`", "the engine"),
    "loky": ("loky", "the engine"),
    "fc.Executor": ("`fc.Executor`", "the cell"),
    "mpi": ("`mpi4py.futures`", "the run"),
    "dask's futures": ("Dask's `get_executor`", "the cell, once Dask has another"),
}

# Which cells the driver carries out where workers are somewhere else.
ELSEWHERE = {"compute": False, "io": True, "io on the driver": True, "io on a worker": False}


def kept(store: Path) -> dict[bytes, bytes]:
    """Give what a store has: a record by key, with the digests of all arrays in it."""
    return {
        key: record
        for path in journals(str(store)) for told in read_run(path) if isinstance(told, Trace)
        for key, record in zip(told.keys, told.records, strict=True) if key
    }  # fmt: skip


def example(folder: Path, engine: str) -> tuple[str, dict[bytes, bytes]]:
    """Run the example in a folder, on an engine; give what it printed, and what it has kept."""
    folder.mkdir(parents=True, exist_ok=True)
    return on(engine, folder, command(engine, str(EXAMPLE))), kept(folder / "store")


def on(engine: str, folder: Path, line: list[str]) -> str:
    """Run a script on an engine, by nothing but the environment; give what it printed."""
    with cluster(engine, folder) as found:
        done = started(
            line, cwd=folder, FLOWCORE_EXECUTOR=EVERYWHERE[engine], FLOWCORE_WORKERS="2",
            FLOWCORE_STORE=str(folder / "store"), **found,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def meant(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[bytes, bytes]]:
    """What the example prints and keeps, on the engine's own thread."""
    return example(tmp_path_factory.mktemp("inline"), "inline")


@pytest.mark.contract("P1", "P5")
@pytest.mark.parametrize("engine", list(EVERYWHERE)[1:])
def test_one_file_gives_the_same_everywhere(engine: str, meant: tuple[str, dict[bytes, bytes]], tmp_path: Path) -> None:
    """Arrays, a grid, a coroutine, loops with states, a failure that is tried again: equal keys, and equal bytes."""
    printed, records = example(tmp_path, engine)

    assert meant[0] == printed
    assert meant[1] == records
    assert 15 == len(records)  # a lattice, six simulations, six figures, picture and table


@pytest.mark.contract("F40", "P5")
@pytest.mark.parametrize(
    ("engine", "loss"),
    [
        ("loky", "engine"),
        ("fc.Executor", "cell"),
        ("mpi", ""),
        pytest.param("threads", "", marks=pytest.mark.slow),
        pytest.param("fork", "engine", marks=pytest.mark.slow),
        pytest.param("spawn", "engine", marks=pytest.mark.slow),
        pytest.param("forkserver", "engine", marks=pytest.mark.slow),
        pytest.param("dask's futures", "", marks=pytest.mark.slow),
    ],
)
def test_an_engine_conforms(engine: str, loss: str, tmp_path: Path) -> None:
    """By `check_executor`, and its io stays in the driver's process but for what asks for a worker's place."""
    done = started(command(engine, "-m", "tests.engines", engine, loss), cwd=tmp_path)
    page, (name, takes) = PAGE.read_text(encoding="utf-8"), ROWS[engine]
    here = dict.fromkeys(ELSEWHERE, True)

    assert done.returncode == 0, done.stderr
    assert (here if engine == "threads" else ELSEWHERE) == json.loads(done.stdout.splitlines()[-1])
    assert f"| {name} | {takes} | abandoned in its thread | yes |" in page.splitlines()
    assert loss in ("", takes.removeprefix("the "))


@pytest.mark.parametrize("engine", ["dask", "pilots", "slurm"])
def test_io_stays_on_the_driver(engine: str, tmp_path: Path) -> None:
    """Unless it asks for a place among the workers."""
    found = on(engine, tmp_path, command(engine, "-m", "tests.engines", "places"))

    assert ELSEWHERE == json.loads(found)


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
