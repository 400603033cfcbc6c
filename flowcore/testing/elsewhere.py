"""Runs of a flow in processes of their own, which may be killed on the way: what checks of flows and tasks are made of.

Owns the process: it has nothing of ours but `sys.path` and a pickled drawing, so it also
has another hash seed. What it found out comes back as plain text, never as an object.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Final

from flowcore.dataclass import dataclass
from flowcore.declare.node import HIDDEN, Node
from flowcore.errors import FlowcoreWarning, RunFailed
from flowcore.flow import Flow
from flowcore.grid import Grid
from flowcore.plan.encode import NoEncoding, encode
from flowcore.plan.extension import array_digest
from flowcore.store.directory import open_store
from flowcore.testing.disks import FaultyDisk

_CHILD: Final = "import sys; sys.path[:] = {path!r}; from flowcore.testing.elsewhere import tell; tell()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a run in another process came to."""

    calls: int  # of the filesystem, in the engine's process
    done: int  # cells that were executed
    values: dict[str, str]  # identities, by cell
    warned: list[str]
    wrong: str  # what kept the run from its end


def pickled(draw: Callable[[], Flow]) -> bytes:
    """Give a drawing as bytes; AssertionError if it cannot travel."""
    import cloudpickle

    try:
        drawing: bytes = cloudpickle.dumps(draw)
    except Exception as error:
        raise AssertionError(f"the drawing cannot travel to another process: {error}") from error
    return drawing


def run_elsewhere(drawing: bytes, folder: str, *, at: int = 0, workers: int = 2, deadline: float = 60.0) -> Told | None:
    """Run a drawing in another process, with a folder as its store.

    Parameters
    ----------
    drawing : bytes
        Of :func:`pickled`.
    folder : str
        Its store; empty or not there, or of an earlier run.
    at : int
        The call to the filesystem before which the process kills itself; 0: it does not.
    workers : int
    deadline : float
        Seconds.

    Returns
    -------
    Told or None
        None: it was killed.

    Raises
    ------
    AssertionError
        If it does not end in time, or ends in another way.
    """
    try:
        ended = subprocess.run(
            [sys.executable, "-c", _CHILD.format(path=sys.path), folder, str(at), str(workers)],
            input=drawing, stdout=subprocess.PIPE, timeout=deadline, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise AssertionError(f"the flow does not end within {deadline:g} s") from None
    if ended.returncode == -signal.SIGKILL and at:
        return None
    assert ended.returncode == 0, f"the flow cannot be run: exit status {ended.returncode}"
    return Told(**json.loads(ended.stdout.splitlines()[-1]))  # before it comes what the flow itself printed


def finish_elsewhere(drawing: bytes, folder: str, *, workers: int = 2, deadline: float = 60.0) -> Told:
    """Run a drawing to its end; AssertionError if that is not a good one."""
    told = run_elsewhere(drawing, folder, workers=workers, deadline=deadline)
    assert told is not None, "nothing killed it"
    assert not told.wrong, f"the flow fails: {told.wrong}"
    return told


# ---- in the other process ----------------------------------------------------------


class DeadlyDisk(FaultyDisk):
    """The real disk; the process kills itself before its n-th call."""

    def strike(self, name: str, real: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Die."""
        os.kill(os.getpid(), signal.SIGKILL)


def tell() -> None:
    """Run the drawing that is on standard input; say what came of it in the last line of standard output."""
    import cloudpickle

    folder, at, workers = sys.argv[1:]
    disk, values, wrong = DeadlyDisk(int(at)), dict[str, str](), ""
    calls = done = 0
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            flow: Flow = cloudpickle.loads(sys.stdin.buffer.read())()
            store = open_store(folder, disk=disk)
            run = flow.run(*flow.nodes, store=store, workers=int(workers), progress=False)
            calls, disk.at = disk.count, 0
            for node in flow.nodes:
                if node.kind not in HIDDEN:
                    done += run.counts(node).done
                    values.update(_identities(node, run[node]))
        except RunFailed as failed:
            first = failed.failures[0]
            wrong = f"{first.cell}: {first.exception or first.error}"
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever asked is told
            wrong = f"{type(error).__name__}: {error}"
    told = [str(warning.message) for warning in warned if issubclass(warning.category, FlowcoreWarning)]
    found = {"calls": calls, "done": done, "values": values, "warned": told, "wrong": wrong}
    sys.stdout.write(f"\n{json.dumps(found)}\n")


def _identities(node: Node, value: object) -> Iterator[tuple[str, str]]:
    """Yield the cells of a node whose values have an identity."""
    cells = [(f"{node.name}[{label!r}]", one) for label, one in value.items()] if isinstance(value, Grid) else []
    for cell, one in cells or [(node.name, value)]:
        try:
            yield cell, encode(one, put=array_digest).component.hex()
        except NoEncoding:
            continue
