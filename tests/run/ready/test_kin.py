"""Claims about cells of several nodes that travel, land and are written down together."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore.history import open_run
from flowcore.run import flight
from flowcore.run.engine import Engine
from flowcore.run.flight import Batch, chained
from flowcore.run.job import Job
from flowcore.run.ready import kin
from flowcore.run.session import Session
from flowcore.store.history import Answered, NodeFacts, read_run
from flowcore.store.journal import JournalWriter, read_frames
from flowcore.store.trace import Trace, TraceRows
from flowcore.testing import fakes

WIDTH, STEPS = 8, 12


@fc.compute
def point(step: int, column: int, before: list[int]) -> int:
    """Add up."""
    return (1000 * step + column + sum(before)) % 1_000_003


@fc.compute
def picky(x: int) -> int:
    """Refuse some."""
    if x % 5 == 3:
        raise ValueError(f"{x} is not liked")
    if x % 5 == 4:
        raise fc.Skip(f"{x} is nothing")
    return 2 * x


def stencil(seed: int = 0) -> fc.Flow:
    """Draw rows of single nodes; each but the first reads three of the row before."""
    with fc.Flow("stencil") as flow:
        row: list[Any] = []
        for step in range(STEPS):
            row = [point(step + seed, column, row[max(0, column - 1) : column + 2]) for column in range(WIDTH)]
        flow.result = row
    return flow


def solved(seed: int = 0) -> list[int]:
    """Give what the last row comes to: a plain loop."""
    row: list[int] = []
    for step in range(STEPS):
        row = [point(step + seed, column, row[max(0, column - 1) : column + 2]) for column in range(WIDTH)]
    return row


def journal(store: Path, run: fc.Run) -> str:
    """Give the path of a run's journal."""
    return str(store / "v1" / "journals" / f"{run.id}.journal")


def session(run: fc.Run) -> Session:
    """Give what is behind a run."""
    return run._session


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Collect the jobs that engines hand over."""
    made: list[Job] = []
    real = Engine._job

    def job(self: Engine, batch: Batch) -> Job:
        made.append(real(self, batch))
        return made[-1]

    monkeypatch.setattr(Engine, "_job", job)
    return made


@pytest.mark.parametrize("executor", ["process", "thread", "inline"])
def test_a_row_of_nodes_is_what_a_loop_gives(store: Path, executor: str) -> None:
    """Cold, warm, and with one constant of every node changed."""
    runs = [stencil(seed).run(store=store, executor=executor, progress=False) for seed in (0, 0, 7)]

    assert [solved(0), solved(0), solved(7)] == [[run[node] for node in run.flow_result] for run in map(_Shown, runs)]
    assert [0, WIDTH * STEPS, 0] == [sum(c.hit for c in session(run).books.counts.values()) for run in runs]


class _Shown:
    """A run, and the nodes of its last row."""

    def __init__(self, run: fc.Run) -> None:
        self._run = run
        names = [planned.name for planned in session(run).graph.nodes.values()]
        self.flow_result = names[-WIDTH:]

    def __getitem__(self, name: str) -> Any:
        return self._run[name]


def test_ready_nodes_of_one_recipe_share_messages_and_frames(store: Path, jobs: list[Job]) -> None:
    """A row of eight cells is a few messages, and what comes back at once is one frame of the journal."""
    run = stencil().run(store=store, executor="inline", progress=False)
    frames = [records for _, _, records in read_frames(journal(store, run))]
    traces = [[record for record in records if record[0] == "trace"] for records in frames]

    assert WIDTH * STEPS == sum(len(job.attempts) for job in jobs)
    assert 2 * STEPS - 1 == len(jobs), "all of a row that read as many, where one worker takes them"
    assert STEPS == sum(map(bool, traces)), "what came back at once is one frame"


def test_what_is_written_of_a_node_is_little(store: Path) -> None:
    """What nodes share is written once; a node and its cell are well under two hundred bytes beyond its name."""
    run = stencil().run(store=store, executor="inline", progress=False)
    records = [record for _, _, records in read_frames(journal(store, run)) for record in records]
    kinds = Counter(record[0] for record in records)

    assert 3 == kinds["recipe"], "lists of no, two and three references"
    assert kinds["cast"] <= 2 * STEPS
    assert (0, 1) == (kinds["node"], kinds["nodes"]), "as they were drawn, and not once more when they were made ready"


def test_the_history_of_a_run_tells_every_node(store: Path) -> None:
    """State, value, key, components and seconds, as for nodes that are alone."""
    run = stencil().run(store=store, progress=False)
    warm = stencil().run(store=store, progress=False)
    told = list(read_run(journal(store, run)))
    traces = [one for one in told if isinstance(one, Trace)]
    facts = {one.number: one.facts for one in told if isinstance(one, NodeFacts)}
    answered = [one for one in read_run(journal(store, warm)) if isinstance(one, Answered)]
    names = [planned.name for planned in session(run).graph.nodes.values()]
    seen = open_run(run.id, store=store)

    assert all(not trace.nodes for trace in traces), "node by node, whoever reads it"
    assert set(range(WIDTH * STEPS)) == {trace.node for trace in traces} == {one.node for one in answered}
    assert all(
        session(run).books.works[node].keys.common == fact["common"]
        for node, fact in facts.items()  # type: ignore[union-attr]
    )
    assert solved() == [seen[name] for name in names[-WIDTH:]]


def test_failures_and_skips_among_kin_are_their_own(store: Path) -> None:
    """Each is told under its own name; the others are kept, and found again."""
    with fc.Flow("picky") as flow:
        for x in range(20):
            flow.add(picky, x, name=f"n{x}")
    runs: list[fc.Run] = []
    for _ in range(2):
        runs.append(flow.start(store=store, on_error="continue", progress=False))
        with pytest.raises(fc.RunFailed):
            runs[-1].wait()
    liked = [x for x in range(20) if x % 5 < 3]

    assert [f"n{x}" for x in range(3, 20, 5)] == sorted((f.node for f in runs[0].failures), key=lambda n: int(n[1:]))
    assert [2 * x for x in liked] == [runs[1][f"n{x}"] for x in liked]
    assert {"n4", "n9", "n14", "n19"} == {session(runs[1]).labels.name(*cell) for cell in session(runs[1]).books.skips}


def test_a_node_made_ready_the_short_way_is_the_one_of_the_long_way(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys, own components, what the cells are handed: everything but the work it takes."""
    short = session(stencil().run(store=store, executor="inline", progress=False))
    monkeypatch.setattr(kin.Kin, "find", lambda *_: None)
    long = session(stencil().run(store=tmp_path / "long", executor="inline", progress=False))

    def made(one: Session) -> list[Any]:
        works = one.books.works.values()
        return [
            (w.keys.prefix, w.keys.common, w.varying, w.keyed([0], one.values), w.columns([0], one.values))
            for w in works if w.keys is not None
        ]  # fmt: skip

    assert made(long) == made(short)


def test_a_shape_that_is_left_out_is_seen(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sabotage of the test above: nodes that read one and three cells must not be taken for kin."""
    real: Any = kin._named
    monkeypatch.setattr(kin, "_named", lambda planned: (name := real(planned)) and name[:-1])

    with pytest.raises(ValueError, match="longer"):
        test_a_row_of_nodes_is_what_a_loop_gives(store, "inline")


def test_a_column_of_another_node_is_seen(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sabotage of what is put together: where one entry stands for several cells, it is repeated."""
    monkeypatch.setattr("flowcore.run.ready.loading.chained", lambda parts, sizes: list(parts[0]))

    with pytest.raises((fc.RunFailed, AssertionError, IndexError, fc.FlowcoreError)):
        test_a_row_of_nodes_is_what_a_loop_gives(store, "inline")


def test_values_are_written_down_before_anyone_is_told(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a node is first handed over, the values that it reads are in the journal (contract F1)."""
    written: set[int] = set()
    early: list[int] = []
    append, job = JournalWriter.append_payload, Engine._job

    def appended(self: JournalWriter, payload: bytes) -> int:
        offset = append(self, payload)
        for _, _, records in read_frames(self.path, offset):
            written.update(n for r in records if r[0] == "trace" for n in _nodes(r))
        return offset

    def handed(self: Engine, batch: Batch) -> Job:
        for node in batch.nodes:
            sources = [edge.source for edge in self._books.graph[node].edges]
            early.extend(source for source in sources if source not in written)
        return job(self, batch)

    monkeypatch.setattr(JournalWriter, "append_payload", appended)
    monkeypatch.setattr(Engine, "_job", handed)
    stencil().run(store=store, executor="inline", progress=False)

    assert WIDTH * STEPS == len(written)
    assert [] == early


def _nodes(record: list[Any]) -> list[int]:
    return TraceRows(record).nodes


def test_nothing_is_computed_again_among_kin(store: Path) -> None:
    """A warm run starts no cell: shown with an executor that refuses."""
    stencil().run(store=store, progress=False)
    again = stencil().run(store=store, executor=fakes.RefusingExecutor, progress=False)

    assert WIDTH * STEPS == sum(c.hit for c in session(again).books.counts.values())


def test_a_stretch_is_what_stands_together() -> None:
    """Columns of nodes are cut where the node changes, and joined columns say so of each cell."""
    assert [(7, 0, 2), (3, 2, 3), (7, 3, 4)] == list(flight.stretches([7, 7, 3, 7]))
    assert [] == list(flight.stretches([]))
    assert [b"a", b"a", b"b"] == chained([[b"a"], [b"b"]], [2, 1])


def test_what_stands_together_is_that_of_the_cells_there_are_now() -> None:
    """Cells may be added to a batch after it was asked: those that ride with it (a hang, once)."""
    batch = Batch(recipe=None, nodes=[1, 1], numbers=[0, 1], keys=[b"", b""], own=[])  # type: ignore[arg-type]
    before = batch.stretches
    batch.nodes = [*batch.nodes, 2]

    assert [(1, 0, 2)] == before
    assert [(1, 0, 2), (2, 2, 3)] == batch.stretches
