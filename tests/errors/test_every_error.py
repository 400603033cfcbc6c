"""Claims about every public class of errors and warnings: each has a snapshot, which somebody has read.

What a scene can bring about is snapshot where it happens (`test_e_rows.py`); the others are made here, of facts as
they are when they happen. `FLOWCORE_REWRITE=1 pytest tests/errors` writes the snapshots anew.
"""

from __future__ import annotations

import importlib
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore.plan.classes import codecs_by_name
from flowcore.replay import CannotReplay
from tests.errors.snapshot import HERE, compare, told

CELL, NODE, AT, RUN = "erode[rate=0.1]", "erode", "sweep.py:12", "20261122T093005-55ba74de2910d395"
TOLD = re.compile(r"^(\w+) > .*?\n\n(.*?)(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)
GONE = "Dask carries nothing out: no worker for 600 s"
READ = '  File "walks.py", line 9, in walk\n    read()\n'
NO_FILE = "there is no such file"
AGAIN = "Run the flow again: only what is missing is computed."
MASK = "data/mask.tif"
MADE: dict[str, fc.FlowcoreError] = {
    "blocked_loop": fc.BlockedLoop(cell="fetch[url='a']", at="fetching.py:31"),
    "box_unusable": fc.BoxUnusable(box="/scratch/ada/pilots", reason="everybody may write to it (mode 0777)"),
    "call_failed": fc.CallFailed(
        call="walk(3)", kind="shapes.Unreadable", text="no shape", traceback=READ
    ),
    "cannot_replay": CannotReplay(
        cell=CELL, run=RUN, reason="its argument dem is gone", remedy=AGAIN
    ),
    "endless_growth": fc.EndlessGrowth(cell="refine", path=("refine", "refine/step[depth=1]", "refine")),
    "executor_broken": fc.ExecutorBroken(reason="its initializer raised OSError three times in a row"),
    "file_changed": fc.FileChanged(node=NODE, path="data/mask.tif", at=AT),
    "file_changed_refused": fc.FileChanged(node=NODE, path="data/mask.tif", at=AT, refused=True),
    "misplaced_flow": fc.MisplacedFlow(node="refine", path="result[0]"),
    "missing_file": fc.MissingFile(path=MASK, reason=NO_FILE, node=NODE, parameter="args.mask", at=AT),
    "missing_file_result": fc.MissingFile(path="out.tif", reason=NO_FILE, node=NODE, parameter="result", at=AT),
    "no_workers": fc.NoWorkers(run=RUN, box="/scratch/ada/.flowcore/v1/pilots", waited=60.0),
    "not_reproducible": fc.NotReproducible(node=NODE, draws=("np.random.normal",), at=AT),
    "nothing_to_accept": fc.NothingToAccept(cell=CELL, because="its result is in the store already"),
    "pickle_not_allowed": fc.PickleNotAllowed(cell=CELL, entry="5c1d2e", store="/scratch/ada/.flowcore"),
    "repeated_stream": fc.RepeatedStream(task="draw", first="draw", second="draw_2", at=AT),
    "run_forked": fc.RunForked(run=RUN),
    "shared_state": fc.SharedState(cell=CELL, names=("z", "edge")),
    "shared_state_refused": fc.SharedState(cell="", names=("z", "edge"), refused=True),
    "too_deeply_nested": fc.TooDeeplyNested(flow="inner", depth=4, allowed=3),
    "two_values": fc.TwoValues(task=NODE, cell=CELL, at=AT),
    "two_values_refreshed": fc.TwoValues(task=NODE, cell=CELL, at=AT, refreshed=True),
    "unfit_worker": fc.UnfitWorker(node=NODE, worker="process 17 on node3", why="it has numpy 2.0, the run numpy 2.1"),
    "unknown_node": fc.UnknownNode(name="erod", flow="lands", near=("erode",)),
    "unknown_cell": fc.UnknownNode(name="erode[rate=9]", flow="lands", near=("erode[rate=0.1]",)),
    "unknown_node_unlike_any": fc.UnknownNode(name="total", flow="lands", known=("load", "erode")),
    "unknown_run": fc.UnknownRun(run="2027", store=".flowcore", near=(RUN,)),
    "unknown_run_packed": fc.UnknownRun(run=RUN, store=".flowcore", packed=True),
    "unknown_run_several": fc.UnknownRun(run="2026", store=".flowcore", near=(RUN, "20261122T101500-0011223344556677")),
    "unseeded": fc.Unseeded(node="simulate", task="noise"),
    "value_released": fc.ValueReleased(cell=CELL, node=NODE),
    "worker_died_final": fc.WorkerDied(cell=CELL, attempt=1, attempts=3, cause=GONE, final=True),
    "worker_died_of_memory": fc.WorkerDied(
        cell=CELL, attempt=3, attempts=3, cause="signal 9 (SIGKILL), probably out of memory", peak=900 << 20,
        limit=1 << 30, step=40, memory=True,
    ),
}  # fmt: skip
ROOTS = {"FlowcoreError", "GraphError"}  # nothing raises these themselves
SCREEN = 20, 400  # lines, and letters of one
NEVER = re.compile(r"please|sorry|oops|invalid|illegal|failed to|unexpected|!", re.IGNORECASE)


@pytest.mark.parametrize("name", MADE)
def test_its_text(name: str) -> None:
    """One that was read: what, where, found and expected, what flowcore did, and what to do; also after a journey."""
    error = MADE[name]

    compare(f"made_{name}", told(error))
    assert str(error) == str(pickle.loads(pickle.dumps(error)))


class Length:
    """A value with a codec."""


@fc.compute
def length() -> Length:
    """Give one."""
    return Length()


@pytest.mark.contract("E10")
def test_a_value_whose_codec_is_not_known_here(store: Path) -> None:
    """It is not lost: the message says how to have it read, and then it is."""
    fc.register_codec(Length, name="tests.Length", version="1", to=lambda _: 1, back=lambda _: Length())
    flow = fc.Flow("lengths")
    flow.add(length)
    run = flow.run(store=store, executor="inline", progress=False)
    codec = codecs_by_name.pop("tests.Length")
    with pytest.raises(fc.ValueLost) as caught:
        fc.open_run(run.id, store)["length"]
    codecs_by_name["tests.Length"] = codec

    compare("E10_no_codec", told(caught.value))
    assert Length is type(fc.open_run(run.id, store)["length"])


def kinds() -> Iterator[type[fc.FlowcoreError]]:
    """Give all classes of errors there are."""
    for room in ("errors", "doubts", "growing", "resuming", "offering", "replay"):
        importlib.import_module(f"flowcore.{room}")
    left: list[Any] = [fc.FlowcoreError]
    while left:
        kind = left.pop()
        left += [below for below in kind.__subclasses__() if below.__module__.startswith("flowcore.")]
        yield kind


def texts() -> Iterator[tuple[str, str]]:
    """Give each error of the snapshots: the name of its class, and what it says."""
    for path in HERE.glob("*.txt"):
        yield from TOLD.findall(path.read_text())


def test_every_class_has_a_snapshot() -> None:
    """A class without one is an error whose text nobody has looked at."""
    seen = {kind for kind, _ in texts()}

    assert set() == {kind.__name__ for kind in kinds()} - seen - ROOTS


def test_every_text_fits_a_screen_and_says_what_to_do() -> None:
    """Two sentences at least, none of them endless; no letters that steer a terminal, no words that say nothing."""
    found = list(texts())
    short = {kind for kind, text in found if len(text.split(". ")) + text.count("\n") < 2}

    assert len(found) > 60
    assert [] == [text for _, text in found if len(text.splitlines()) > SCREEN[0]]
    assert [] == [line for _, text in found for line in text.splitlines() if len(line) > SCREEN[1]]
    assert [] == [text for _, text in found if NEVER.search(text)]
    assert {"BadOption"} >= short


def test_every_class_is_public() -> None:
    """Whoever catches one finds it in `flowcore`, and the tree in `flowcore.errors` names what is in that room."""
    listed = set(re.findall(r"── (\w+)", importlib.import_module("flowcore.errors").__doc__ or ""))

    assert {"CannotReplay"} == {kind.__name__ for kind in kinds()} - set(fc.__all__)
    assert {kind.__name__ for kind in kinds() if kind.__module__ == "flowcore.errors"} - {"FlowcoreError"} == listed
