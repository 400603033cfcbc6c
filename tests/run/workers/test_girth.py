"""Claims about run/workers/girth.py: a worker that grows is replaced between two cells, and nobody notices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.run.job import Done
from flowcore.run.workers import girth as girth_room
from flowcore.run.workers.girth import EVERY, GROWN, Girth
from tests.run.driving import drive, task

MIB = 1 << 20


@given(looks=st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 3)), max_size=30))
def test_a_worker_with_cells_is_never_replaced(looks: list[tuple[int, bool, int]]) -> None:
    """And one without is only for what it has grown by since it had met its last task, if that is too much."""
    girth, now, tasks, base = Girth(), 0.0, 0, 0
    for occupied, idle, fresh in looks:
        now, tasks = now + EVERY, tasks + fresh // 3
        new = idle and tasks != girth._met  # noqa: SLF001
        verdict = girth.look(now, lambda: occupied * GROWN, idle=idle, tasks=tasks)  # noqa: B023
        base = occupied if new else base
        expected = "keep" if occupied <= base + 1 else "replace" if idle else "drain"

        assert expected == verdict
        assert (verdict == "drain") == girth.draining


def test_it_is_looked_at_once_in_a_while() -> None:
    """But at once when it has run empty for that."""
    looks: list[int] = []

    def resident() -> int:
        looks.append(1)
        return 5 * GROWN

    girth = Girth()
    verdicts = [
        girth.look(now * EVERY, resident, idle=idle, tasks=0)
        for now, idle in ((1.0, False), (1.1, False), (1.2, True), (1.3, True))
    ]

    assert (["drain", "keep", "replace", "keep"], 2) == (verdicts, len(looks))


@pytest.mark.contract("W9", "P4")
@pytest.mark.parametrize("cells", [1, 4], ids=["one by one", "always busy"])
def test_a_worker_that_leaks_is_replaced_and_no_cell_is_charged(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if it never were without cells."""
    monkeypatch.setattr(girth_room, "GROWN", 40 * MIB)
    monkeypatch.setattr(girth_room, "EVERY", 0.0)
    with drive(workers=1) as driving:
        spec = task("hoard")
        attempts: list[int] = []
        for _ in range(24 // cells):
            attempts += [driving.give(spec, [(8 * MIB,)])[0] for _ in range(cells)]
            driving.all_end()
        processes = driving.values(attempts)

        assert all(isinstance(driving.ends[attempt][0], Done) for attempt in attempts)
        assert driving.ended_once()
        assert 1 < len(set(processes)) < 12


@pytest.mark.contract("W9")
def test_a_worker_is_not_replaced_for_the_number_of_its_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor for what it holds from its first one: imports, a model, a table."""
    monkeypatch.setattr(girth_room, "GROWN", 40 * MIB)
    monkeypatch.setattr(girth_room, "EVERY", 0.0)
    with drive(workers=1) as driving:
        spec = task("hoard")
        attempts = driving.give(spec, [(100 * MIB,)])
        driving.all_end()
        for _ in range(200):
            attempts += driving.give(spec, [(1,)])
            driving.all_end()

        assert 1 == len(set(driving.values(attempts)))
