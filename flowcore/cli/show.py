"""``flowcore show RUN [CELL]``: what a run did; what one of its cells gave and printed."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Sequence
from dataclasses import asdict

from flowcore.cli.parser import Parser, Usage, add_json, add_store
from flowcore.cli.printing import document, duration, name, plain, table
from flowcore.cli.runs import began
from flowcore.errors import FlowcoreError, ValueLost, ValueReleased
from flowcore.history import RecordedRun, open_run, runs
from flowcore.inspect.failures import FailedCell
from flowcore.inspect.recordings.brief import CellInfo
from flowcore.inspect.recordings.loops import step_told
from flowcore.settings import Settings

_NEWEST = "last"
_FRAMES = 8  # lines of a failure's traceback
_LOOPS = 20  # running or interrupted loops that are told
_KINDS = 5  # failures that are shown in full
_LONGEST = 4000  # characters of a value
_LINES = 24  # of a value
_LAST = 6  # of them from its end


def main(arguments: Sequence[str]) -> int:
    """Show a run, a node of it, or a cell."""
    parser = Parser("show", "Tell what a run did, or what one of its cells gave and printed.",
                    epilog="for example: flowcore show last, flowcore show last 'erode[rate=0.1]'")  # fmt: skip
    parser.add_argument("run", metavar="RUN", help=f'its id, the beginning of it, "{_NEWEST}", or "{_NEWEST}~1"')
    parser.add_argument("cell", metavar="CELL", nargs="?", help="a cell, as erode[rate=0.1], or a node")
    add_store(parser)
    add_json(parser)
    given = parser.read(arguments)
    run = opened(given.run, Settings.of(store=given.store).store)
    if given.cell is None:
        print(document(_run_facts(run)) if given.json else _run_told(run))
    elif len(cells := run.cells(given.cell)) == 1:
        print(document(_cell_facts(run, cells[0].cell)) if given.json else _cell_told(run, cells[0].cell))
    else:
        print(document({"cells": [asdict(cell) for cell in cells]}) if given.json else _cells_told(cells))
    return 0


def opened(wanted: str, store: object) -> RecordedRun:
    """Open the run that a user names."""
    found = re.fullmatch(rf"{_NEWEST}(?:~(\d+))?", wanted)
    if found is None:
        return open_run(wanted, store)
    back = int(found[1] or 0)
    known = runs(store)
    if not known:
        raise Usage(f"there are no runs in {name(store)}.")
    if back >= len(known):
        raise Usage(f"there are only {len(known)} runs in {name(store)}.")
    return open_run(known[back].id, store)


def _run_facts(run: RecordedRun) -> dict[str, object]:
    nodes = []
    for node in run.nodes:
        counts = run.counts(node.name)
        told = {what: getattr(counts, what) for what in ("done", "hit", "failed", "skipped")}
        nodes.append({"name": node.name, "kind": node.kind, "axes": list(node.axes), **told})
    return {
        "run": asdict(run.info), "settings": run.settings, "nodes": nodes,
        "loops": {cell: {"step": s.step, "steps": s.steps or None, **s.numbers} for cell, s in run.loops().items()},
        "failures": [_failure_facts(failure) for failure in run.failures],
    }  # fmt: skip


def _failure_facts(failure: FailedCell) -> dict[str, object]:
    error = failure.error
    if isinstance(error, FlowcoreError):
        what = {"type": type(error).__name__, "text": str(error), "at": "", "traceback": ""}
    else:
        what = {"type": error.type, "text": error.text, "at": error.at, "traceback": error.traceback}
    return {
        "cell": failure.cell, "node": failure.node, "labels": failure.labels, "attempts": failure.attempts,
        "arguments": failure.arguments, **what,
    }  # fmt: skip


def _run_told(run: RecordedRun) -> str:
    settings = ", ".join(f"{option} {value}" for option, value in run.settings.items() if value is not None)
    lines = [run.summary(), f"  began {began(run.began)}; {settings}"]
    lines += [f"  {name(cell)}: {step_told(step)}" for cell, step in list(run.loops().items())[:_LOOPS]]
    failures = run.failures
    for failure in failures[:_KINDS]:
        lines += ["", *_failure_told(failure)]
    if len(failures) > _KINDS:
        lines += ["", f"... and {len(failures) - _KINDS} more: flowcore show {run.id} --json"]
    return plain("\n".join(lines))


def _failure_told(failure: FailedCell) -> list[str]:
    facts = _failure_facts(failure)
    tried = f" (attempt {failure.attempts})" if failure.attempts > 1 else ""
    lines = [f"{name(failure.cell)} failed{tried}: {facts['type']}: {facts['text']}"]
    lines += [f"  {line}" for line in str(facts["traceback"]).splitlines()[-_FRAMES:]]
    called = ", ".join(f"{parameter}={name(given)}" for parameter, given in failure.arguments.items())
    return [*lines, f"  called with {called}"] if called else lines


def _cells_told(cells: Sequence[CellInfo]) -> str:
    if not cells:
        return "It has no cells that are known."
    head = ("cell", "state", "took", "attempts", "key")
    rows = [(cell.cell, cell.state, duration(cell.seconds), cell.attempts, cell.key[:12]) for cell in cells]
    return table([head, *rows], right=frozenset({2, 3}))


def _cell_facts(run: RecordedRun, cell: str) -> dict[str, object]:
    value, gone = _value(run, cell)
    kind = None if gone else f"{type(value).__module__}.{type(value).__qualname__}"
    dtype, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    facts = {
        "kind": kind, "dtype": None if dtype is None else str(dtype), "shape": shape,
        "text": "" if gone else shown(value), "gone": gone,
    }  # fmt: skip
    return {"cell": asdict(run.cell(cell)), "value": facts, "output": run.output(cell)}


def _cell_told(run: RecordedRun, cell: str) -> str:
    lines = [_cells_told([run.cell(cell)]), ""]
    failed = [line for failure in run.failures if failure.cell == cell for line in _failure_told(failure)]
    value, gone = _value(run, cell)
    if failed or gone:
        lines += failed or gone.splitlines()
    else:
        dtype, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
        of = f" of {dtype}, shape {shape}" if dtype is not None and shape is not None else ""
        lines += [f"value: {type(value).__name__}{of}", shown(value)]
    printed = run.output(cell)
    lines += ["", "printed:", printed.rstrip("\n")] if printed else []
    return plain("\n".join(lines))


def _value(run: RecordedRun, cell: str) -> tuple[object, str]:
    """Give a cell's value, or why there is none."""
    try:
        return run[cell], ""
    except (ValueLost, ValueReleased) as gone:
        return None, str(gone)


def shown(value: object) -> str:
    """Give the text of a value, cut where it is long.

    Examples
    --------
    >>> shown([1, 2])
    '[1, 2]'
    """
    told = reprlib.Repr()
    told.maxlevel = 6
    told.maxlist = told.maxtuple = told.maxset = told.maxfrozenset = told.maxdict = 50
    told.maxstring = told.maxlong = _LONGEST
    told.maxother = _LONGEST if getattr(value, "dtype", None) is None else _LONGEST * 10  # numpy cuts in rows
    lines = told.repr(value).splitlines()
    if len(lines) > _LINES:
        lines[_LINES - _LAST : -_LAST] = [f"... {len(lines) - _LINES} more lines ..."]
    return "\n".join(lines)
