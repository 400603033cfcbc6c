"""Conformance of executors: whatever satisfies the seam has to satisfy this.

Each check draws a small flow, runs it on the executor alone, and compares with what
plain calls give. All the while a ledger is kept of attempts handed over and ended. What
is asked of an executor when something goes wrong stands in `trouble.py`.
"""

from __future__ import annotations

import warnings
from typing import Any

from flowcore.declare.axes import each, gather
from flowcore.errors import FlowcoreWarning
from flowcore.flow import Flow
from flowcore.run.executors.protocol import MakeExecutor
from flowcore.testing import cells
from flowcore.testing.recursion import Recursion, drawn, random_steps
from flowcore.testing.trial import Loss, Trial
from flowcore.testing.trouble import TROUBLES

_MANY = 1000  # small cells
_GRAPHS = ("one", "another")  # names of random graphs


def check_executor(
    make: MakeExecutor,
    *,
    coroutines: bool = False,
    ends_cells: bool = True,
    loss: Loss | None = None,
    stops_loops: bool = False,
    prints: bool = False,
    deadline: float = 60.0,
) -> None:
    """Hold an executor to its protocol: right values, and exactly one end for each attempt.

    Asked are: grids, gathering and containers; random graphs beside plain recursion; big
    arrays; a thousand small cells; failures and skips; cells over their timeout; a run that
    is cancelled; an input that is gone; and what `loss`, `stops_loops` and `prints` promise.

    Parameters
    ----------
    make : MakeExecutor
        The executor's class, or a function that makes one; see
        `flowcore.run.executors.protocol`.
    coroutines : bool
        Whether it carries out coroutines, and nothing else.
    ends_cells : bool
        Whether `cancel`, and a timeout, end, or at least let go of, a cell that is running;
        one that runs cells inside `start` cannot.
    loss : {"cell", "engine"}, optional
        What a cell takes with it that ends the process it runs in, which then must be another
        process than this one: ``"cell"``, itself alone, and bystanders have their values;
        ``"engine"``, the engine takes no more work, and the run ends with a failure. By
        default no cell ends its process.
    stops_loops : bool
        Whether a stop reaches a loop over steps, so that it saves its state and a later run
        goes on from there.
    prints : bool
        Whether what cells print is told under their names.
    deadline : float
        Seconds after which a run counts as hanging.

    Raises
    ------
    AssertionError
        If a value is wrong, an attempt has no end or more than one, or a run hangs.

    Examples
    --------
    >>> from flowcore.run.executors.inline import InlineExecutor
    >>> def make(*, workers, inbox, codec, surroundings):
    ...     return InlineExecutor(inbox=inbox, codec=codec)
    >>> check_executor(make, ends_cells=False)
    """
    trial = Trial(
        make=make, coroutines=coroutines, ends_cells=ends_cells, loss=loss, stops_loops=stops_loops, prints=prints,
        deadline=deadline,
    )  # fmt: skip
    checks = (_values, _graphs, _arrays, _vast, _many, _printed, _failures, _skips, *TROUBLES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FlowcoreWarning)
        for check in checks:
            check(trial)


def _values(trial: Trial) -> None:
    """Grids, broadcasting, gathering and containers give what plain calls give."""
    flow = Flow("values")
    grid = trial.add(flow, cells.plus, each(x=[1, 2, 3]), each(y=[10, 20]), name="grid")
    rows = trial.add(flow, cells.total, gather(grid, over="y"), name="rows")
    told = trial.add(flow, cells.labelled, gather(rows, labels=True), name="told")
    last = trial.add(flow, cells.total, [rows_0 := trial.add(flow, cells.plus, 5, b=6), 7, rows_0], name="last")
    expected = {(x, y): x + y for x in (1, 2, 3) for y in (10, 20)}
    by_row = {x: (x + 10) + 2 * (x + 20) for x in (1, 2, 3)}

    with trial.running(flow) as (run, ledger):
        trial.wait(run, ledger)
        assert expected == dict(run[grid]), f"a grid of sums is {dict(run[grid])}"
        assert by_row == dict(run[rows]), f"sums over an axis are {dict(run[rows])}"
        assert list(by_row.items()) == run[told], f"gathered by label: {run[told]}"
        assert 11 + 14 + 33 == run[last], f"a list of references came to {run[last]}"


def _graphs(trial: Trial) -> None:
    """Random graphs give what plain recursion gives."""
    for seed in _GRAPHS:
        steps, flow = random_steps(seed), Flow(f"graph {seed}")
        nodes, oracle = drawn(steps, flow, trial.add), Recursion(steps)
        with trial.running(flow) as (run, ledger):
            trial.wait(run, ledger)
            for number, node in enumerate(nodes):
                expected, found = oracle.cells(number), run[node]
                found = dict(found) if steps[number].axes else {(): found}
                wrong = [label for label in expected if not _same(expected[label], found.get(label))]
                assert not wrong, (
                    f"graph {seed!r}, step {number} ({steps[number]}): another value than recursion's at {wrong}"
                )


def _same(expected: Any, found: Any) -> bool:
    """Tell whether two values are the same, in type as well."""
    return type(expected) is type(found) and cells.weight(expected) == cells.weight(found)


def _arrays(trial: Trial) -> None:
    """Big arrays arrive as they left, and each consumer has its own."""
    flow = Flow("arrays")
    fields = trial.add(flow, cells.field, each(seed=[0, 1, 2]), name="fields")
    sums = [trial.add(flow, cells.overwritten, fields, name=name) for name in ("once", "again")]
    whole = float(sum(range(cells.BIG)))

    with trial.running(flow) as (run, ledger):
        trial.wait(run, ledger)
        for seed in range(3):
            assert (run[fields][seed] == cells.field(seed)).all(), "an array changed on its way"
            found = [run[node][seed] for node in sums]
            assert [whole * (seed + 1)] * 2 == found, f"two consumers of one array got {found}"


def _vast(trial: Trial) -> None:
    """Arrays of several MiB in a container, in either order, come back to the last element."""
    flow = Flow("vast")
    made = trial.add(flow, cells.vast, 7, name="made")
    turned = trial.add(flow, cells.turned, made, name="turned")
    expected = cells.vast(7)

    with trial.running(flow) as (run, ledger):
        trial.wait(run, ledger)
        found = run[made]
        for name in ("rows", "columns"):
            assert (expected[name] == found[name]).all(), f"{name} changed on their way"
        assert (cells.turned(expected) == run[turned]).all(), "what was computed of big arrays is another value"


def _many(trial: Trial) -> None:
    """A thousand small cells, and what depends on each of them."""
    flow = Flow("many")
    first = trial.add(flow, cells.plus, each(x=range(_MANY)), name="first")
    second = trial.add(flow, cells.plus, first, b=first, name="second")

    with trial.running(flow) as (run, ledger):
        trial.wait(run, ledger)
        wrong = {x: value for x, value in run[second].items() if value != 2 * (x + 1)}
        assert not wrong, f"of {_MANY} cells {len(wrong)} have a wrong value, such as {dict(list(wrong.items())[:3])}"
        assert _MANY == len(run[second]), f"{len(run[second])} of {_MANY} cells have a value"


def _printed(trial: Trial) -> None:
    """What cells print is told under their names."""
    if not trial.prints:
        return
    flow = Flow("printed")
    said = trial.add(flow, cells.say, each(x=range(4)), name="said")

    with trial.running(flow) as (run, ledger):
        trial.wait(run, ledger)
        found = {x: run.output(f"said[x={x}]") for x in run[said]}
        assert {x: f"x is {x}\n" for x in range(4)} == found, f"printed was {found}"


def _failures(trial: Trial) -> None:
    """A cell that raises fails alone, with what it raised."""
    flow = Flow("failures")
    tried = trial.add(flow, cells.refuse_odd, each(x=range(6)), name="tried")
    after = trial.add(flow, cells.plus, tried, name="after")

    with trial.running(flow) as (run, ledger):
        trial.wait(run, ledger)
        assert {0: 1, 2: 3, 4: 5} == dict(run[after]), f"beside failures there are {dict(run[after])}"
        told = sorted((failure.cell, str(failure.exception)) for failure in run.failures)
        assert [(f"tried[x={x}]", f"{x} is odd") for x in (1, 3, 5)] == told, f"failures are {told}"


def _skips(trial: Trial) -> None:
    """A cell that skips has no value, and is no failure."""
    flow = Flow("skips")
    tried = trial.add(flow, cells.skip_odd, each(x=range(6)), name="tried")
    kept = trial.add(flow, cells.labelled, gather(tried, labels=True, missing="drop"), name="kept")

    with trial.running(flow) as (run, ledger):
        trial.wait(run, ledger)
        assert [(0, 0), (2, 2), (4, 4)] == run[kept], f"beside skips there are {run[kept]}"
        assert 3 == run.counts(tried).skipped, f"{run.counts(tried).skipped} cells were skipped"
