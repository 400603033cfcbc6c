"""The matrix of crashes: however and whenever a worker dies, bystanders do not notice, and nothing is left of it.

``FLOWCORE_FAULTS_ROUNDS=50 pytest -m slow tests/faults/test_matrix.py`` goes through all
of it fifty times.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import flowcore as fc
from flowcore.run.pool import shutdown
from flowcore.run.workers import launching
from tests.faults import driver, inside, perils

CELLS = 10
ROUNDS = int(os.environ.get("FLOWCORE_FAULTS_ROUNDS", "50"))
WORKERS = (1, 2, 5)
BAD = {"generator": "NotPicklable", "deep list": "NotPicklable", "two arguments": "TwoArguments", "mute": "Mute"}
MATRIX = [(moment, way, workers) for moment in perils.MOMENTS for way in perils.DEATHS for workers in WORKERS]


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Have workers obey orders to die; give the path of such an order."""
    path = tmp_path_factory.mktemp("orders") / "order"
    line = "from tests.faults.perils import arm\narm()\nfrom flowcore.run.launcher"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(perils.ORDER, str(path))
        patch.setenv(inside.TOKEN, f"matrix-{os.getpid()}")
        patch.setenv(inside.TALLY, str(path.with_name("tally")))
        shutdown()
        patch.setattr(launching, "_CODE", launching._CODE.replace("from flowcore.run.launcher", line))
        yield path
        shutdown()


def run_once(store: Path, workers: int) -> fc.Run:
    """Run ten cells with arrays to the end, whatever comes of them."""
    flow = fc.Flow("matrix")
    flow.add(perils.cell, fc.each(number=list(range(CELLS))), name="cell")
    run = flow.start(workers=workers, store=store, on_error="continue", progress=False)
    try:
        run.wait()
    except fc.RunFailed as failed:
        assert run.failures == failed.failures  # noqa: PT017 - it is no claim, it only must not hide another error
    return run


def charged(run: fc.Run) -> dict[int, int]:
    """Give the cells that a death was charged to, and how many were."""
    return {number: tries.total for (_, number), tries in run._session.books.tries.items()}


def values(run: fc.Run) -> dict[int, float]:
    """Give what each cell gave, after a look at all of it."""
    found = {}
    for number, array in run["cell"].items():
        assert array.shape == (perils.SIZE,)
        assert (array == array[0]).all()
        found[number] = float(array[0])
    return found


def processes(token: str) -> set[int]:
    """Give the living processes that carry a token, but this one."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                environ, state = (entry / "environ").read_bytes(), (entry / "stat").read_text().rpartition(")")[2]
            except OSError:
                continue
            if f"{inside.TOKEN}={token}".encode() in environ.split(b"\0") and state.split()[0] not in "ZX":
                found.add(int(entry.name))
    return found


def check_death(order: Path, store: Path, moment: str, way: str, workers: int) -> None:
    """Have a worker die at a moment, in a way; hold the run and what is left to the contract."""
    if moment == "start-up":
        shutdown()  # workers that are there already have started
    if moment in ("between runs", "shutdown"):
        run_once(store.with_name("first"), workers)._session.release()  # it leaves its workers for the next one
    perils.order(order, moment, way)
    if moment in ("between runs", "shutdown"):
        driver.until(lambda: perils.victim(order) is not None, "one of them dies")
    if moment == "shutdown":
        shutdown()
        driver.until(lambda: not processes(os.environ[inside.TOKEN]), "no process is left")

    run = run_once(store, workers)
    driver.until(lambda: perils.victim(order) is not None, "one of them dies")  # an idle one at the end of the run
    culprit = perils.victim(order)

    assert {number: float(number) for number in range(CELLS)} == values(run)
    assert ({culprit: 1} if moment in perils.OF_CELLS else {}) == charged(run)
    run._session.release()
    assert ([], []) == (driver.leftovers(store), driver.unverified(store))


def check_bad(order: Path, store: Path, way: str, workers: int) -> None:
    """Have a cell give or raise what does not travel; it alone fails, at its first attempt."""
    perils.order(order, "mid-cell", way)

    run = run_once(store, workers)
    culprit = perils.victim(order)

    assert {number: float(number) for number in range(CELLS) if number != culprit} == values(run)
    assert [culprit] == [failure.labels["number"] for failure in run.failures]
    assert {culprit: 1} == charged(run)
    assert run.failures[0].error.type.endswith(BAD[way])


@pytest.mark.contract("F4", "F7", "P4")
@pytest.mark.parametrize("way", perils.DEATHS)
@pytest.mark.parametrize("moment", perils.MOMENTS)
def test_a_death_costs_nobody_else(moment: str, way: str, order: Path, store: Path) -> None:
    """Of two workers one dies: the cell it is on is charged, if it is on one, and made again; nobody else is."""
    check_death(order, store, moment, way, 2)


@pytest.mark.contract("F4", "F7", "P4")
@pytest.mark.parametrize("workers", [1, 5])
@pytest.mark.parametrize("moment", perils.MOMENTS)
def test_a_death_of_one_or_of_five_costs_nobody_else(moment: str, workers: int, order: Path, store: Path) -> None:
    """The only worker there is, or one of many."""
    check_death(order, store, moment, "SIGKILL", workers)


@pytest.mark.contract("F10", "F11", "P4")
@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("way", BAD)
def test_what_cannot_travel_costs_nobody_else(way: str, workers: int, order: Path, store: Path) -> None:
    """A result that no pickle takes, an exception that comes back as none, or says nothing: one cell's own."""
    check_bad(order, store, way, workers)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.contract("F4", "F7", "P4", "P6")
@pytest.mark.parametrize("turn", range(ROUNDS))
def test_the_whole_matrix(turn: int, order: Path, tmp_path: Path) -> None:
    """Every way at every moment with every number of workers, one after the other."""
    del turn
    for number, (moment, way, workers) in enumerate(MATRIX):
        check_death(order, tmp_path / f"death{number}" / "store", moment, way, workers)
    for number, (way, workers) in enumerate((way, workers) for way in BAD for workers in WORKERS):
        check_bad(order, tmp_path / f"bad{number}" / "store", way, workers)
    shutdown()
    driver.until(lambda: not processes(os.environ[inside.TOKEN]), "no process is left")
