"""What failed, on one screen: root causes first, each kind once, and how to run it again.

Owns :class:`FailedCell`, and the words in which failures are told. Promises at most
twenty lines for one kind of failure, whatever the number of its cells, and some forty
for any number of kinds. Never shows a value: arguments are shapes, dtypes and digests
(contract S11), and what an exception says of itself is its own affair.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field

from flowcore.dataclass import dataclass
from flowcore.declare.node import HIDDEN, Node
from flowcore.errors import CellTimeout, FlowcoreError, NotKeyable, NotPicklable, WorkerDied, shorten
from flowcore.plan.graph import Graph
from flowcore.plan.schedule import Schedule
from flowcore.plan.states import State
from flowcore.run.cell.failure import frames, is_library, restore
from flowcore.run.job import Failure
from flowcore.settings import Settings

_WIDTH = 110  # characters of a line that is ours to break
_KINDS = 3  # kinds of failure that are shown
_NAMES = 3  # cells, or nodes, that are named before the rest is counted
_NAMED = 60  # characters of one of these
_IDS = 120  # characters of a cell's id that is written out in a command
_ACTING = frozenset('"$`\\!')  # within double quotes of a shell

Output = Callable[[str], str]  # cell id -> what it printed


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCell:
    """A cell that failed for good.

    Attributes
    ----------
    cell : str
        Its readable id.
    node : str
        The node's name.
    labels : dict
        Axis to label.
    attempts : int
        How often it was tried.
    error : FlowcoreError or Failure
        What flowcore found, or a description of what user code raised: type, text,
        traceback (the user's frames), notes, causes.
    seconds : float
        Wall time of the last attempt.
    arguments : dict
        Parameter to what it was given: label, or kind, shape, dtype and short digest.
    again : str
        The call that runs this cell alone.
    """

    cell: str
    node: str
    labels: dict[str, object]
    attempts: int
    error: FlowcoreError | Failure
    seconds: float = 0.0
    arguments: dict[str, str] = field(default_factory=dict)
    again: str = ""

    @property
    def exception(self) -> BaseException | None:
        """The exception itself, made again here; None if it could not travel."""
        return self.error if isinstance(self.error, FlowcoreError) else restore(self.error)

    @property
    def told(self) -> str:
        """What went wrong, on one line: kind and message."""
        return _heading(self.error)

    def __str__(self) -> str:
        return f"{shorten(self.cell)}: {self.told}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What did not run although it was wanted."""

    blocked: int = 0  # cells that need one that failed
    nodes: tuple[str, ...] = ()  # where these are, first ones first
    left: int = 0  # other cells that were not begun, or not finished


def undone(graph: Graph, schedule: Schedule) -> Undone:
    """Count what a run that failed has not done."""
    found: dict[str, int] = {}
    left = 0
    for number, planned in graph.nodes.items():
        if planned.node.kind in HIDDEN:
            continue
        states = schedule.states(number)
        blocked = states.count(State.BLOCKED)
        if blocked:
            found[planned.name] = blocked
        left += sum(states.count(state) for state in (State.WAITING, State.READY, State.PARKED, State.INTERRUPTED))
    nodes = tuple(f"{name} ({n} cells)" if n > 1 else name for name, n in found.items())
    return Undone(blocked=sum(found.values()), nodes=nodes, left=left)


def debugging(run: str, cell: str, error: FlowcoreError | Failure, store: object) -> str:
    """Give the command that calls a cell again under a debugger; empty where that is of no use, or too long."""
    if not isinstance(error, Failure) or len(cell) > _IDS or not isinstance(store, str):
        return ""
    place = "" if store == ".flowcore" else f" --store {shlex.quote(store)}"
    return f"flowcore debug {run} {quoted(cell)}{place}"


def quoted(cell: str) -> str:
    """Quote a cell id for a shell: in double quotes if it has single ones and nothing that acts within those.

    Examples
    --------
    >>> print(quoted("load[path='a.npz']"), quoted("load[n=1]"), quoted("load"))
    "load[path='a.npz']" 'load[n=1]' load
    """
    return f'"{cell}"' if "'" in cell and not _ACTING.intersection(cell) else shlex.quote(cell)


def replay(node: Node, cell: str, error: FlowcoreError | Failure, settings: Settings) -> str:
    """Give the call that runs a cell alone; empty for what is no use of a task.

    In this process, so that a debugger gets at it; but not if it ended its own.
    """
    if node.task is None or isinstance(error, NotKeyable | NotPicklable):  # not run at all
        return ""
    known = all(axis.labels is not None for axis in node.axes)  # else its labels are known only in the run
    target = repr(cell) if known and len(cell) <= _IDS else repr(node.name)
    store = settings.store
    options = ["workers=1" if isinstance(error, WorkerDied | CellTimeout) else 'executor="inline"']
    if store != ".flowcore":
        options.append(f"store={_quoted(repr(store))}" if isinstance(store, str) else "store=...")
    if settings.seed:
        options.append(f"seed={settings.seed}")
    if settings.given:
        options.append("given=...")
    return f"flow.run({', '.join([_quoted(target), *options])})"


def failures_told(failures: Sequence[FailedCell], *, run: str, rest: Undone, output: Output | None = None) -> str:
    """Tell what failed, what did not run because of it, and how to go on.

    Parameters
    ----------
    failures : sequence of FailedCell
        In order of failing, so that a cause stands before what it led to.
    run : str
        The run's id.
    rest : Undone
        What did not run.
    output : callable, optional
        Gives what a cell printed.
    """
    kinds: dict[tuple[str, str, str], list[FailedCell]] = {}
    for failure in failures:
        kinds.setdefault(_kind(failure), []).append(failure)
    alone = len(kinds) == 1
    lines = [f"{_cells(len(failures))} failed in run {run}{_not_run(rest)}."]
    for group in list(kinds.values())[:_KINDS]:
        lines.extend(_one_kind(group, whole=alone, output=output))
    if len(kinds) > _KINDS:
        lines.append(f"... and {len(kinds) - _KINDS} more kinds of failure: see run.failures.")
    lines.append("Every result there is stays: mend the cause and run again; only what is missing runs.")
    return "\n  ".join(lines)


def _one_kind(group: Sequence[FailedCell], *, whole: bool, output: Output | None) -> list[str]:
    """Tell of the first cell of a kind, in at most 18 lines if it is the only kind, else 11."""
    first = group[0]
    tried = f", tried {first.attempts} times" if first.attempts > 1 else ""
    lines = [f"{shorten(first.cell)}{_like_it(group[1:])}{tried}"]
    if isinstance(first.error, Failure):
        lines += _raised(first.error, whole=whole)
    else:
        lines += _limited(str(first.error).splitlines(), 9 if whole else 5)
    lines += _arguments(first.arguments, 3 if whole else 1)
    printed = output(first.cell).splitlines() if output is not None else []
    lines += [f"printed: {shorten(line, _WIDTH)}" for line in [p for p in printed if p.strip()][-2 if whole else -1 :]]
    if first.again:
        lines.append(f"again, alone: {first.again}")
    return [lines[0], *(f"  {line}" for line in lines[1:])]


def _raised(error: Failure, *, whole: bool) -> list[str]:
    """Tell of an exception: itself, the user's own frames, and what it came from."""
    if error.type.startswith("flowcore.errors."):  # its text says it all
        return _limited(error.text.splitlines(), 6)
    text = [line for line in error.text.splitlines() if line.strip()]
    lines = [f"{error.type}: {shorten(text[0])}" if text else error.type]
    lines += [f"  {line}" for line in _limited(text[1:], 2 if whole else 0)]
    lines += _frames(error, 3 if whole else 2)
    word = "holds" if any(base.endswith("ExceptionGroup") for base in (error.type, *error.bases)) else "because of"
    lines += [f"{word} {_heading(c)}{f' ({c.at})' if c.at else ''}" for c in error.causes[: 2 if whole else 1]]
    return lines + [f"note: {shorten(note, _WIDTH)}" for note in error.notes[: 1 if whole else 0]]


def _frames(error: Failure, count: int) -> list[str]:
    """Give the innermost frames of the user's own code, two lines each; a library's only where there are no others."""
    known = frames(error.traceback)
    own = [(file, lines) for file, lines in known if not is_library(file)] or known
    shown = [line for _, lines in own[-count:] for line in lines if line.strip(" ^~")]
    plain = [line for line in shown if line.startswith(("  File", "    "))]
    return [shorten(line) for line in plain[-2 * count :]]


def _arguments(arguments: dict[str, str], most: int) -> list[str]:
    """Give as many arguments as fit into so many lines, each whole."""
    lines: list[str] = []
    for name, text in arguments.items():
        told = f"{name}={shorten(text, _NAMED)}"
        if not lines:
            lines.append(f"called with {told}")
        elif len(lines[-1]) + len(told) + 2 <= _WIDTH:
            lines[-1] += f", {told}"
        elif len(lines) < most:
            lines[-1] += ","
            lines.append(f"  {told}")
        else:
            lines[-1] += ", ..."
            break
    return lines


def _like_it(others: Sequence[FailedCell]) -> str:
    if not others:
        return ""
    names = [shorten(other.cell, _NAMED) for other in others]
    return f" and {len(others)} more in the same way ({_listed(names)})"


def _not_run(rest: Undone) -> str:
    told = ""
    if rest.blocked:
        need = "needs" if rest.blocked == 1 else "need"
        names = _listed([shorten(name, _NAMED) for name in rest.nodes])
        told = f"; {_cells(rest.blocked)} that {need} what failed did not run: {names}"
    return f"{told}; {_cells(rest.left)} not begun, or not finished" if rest.left else told


def _listed(names: Sequence[str]) -> str:
    more = f", and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def _limited(lines: Iterable[str], most: int) -> list[str]:
    told = [shorten(line) for line in lines]
    return told if len(told) <= most else [*told[: max(0, most - 1)], *(["..."] if most else [])]


def _heading(error: FlowcoreError | Failure) -> str:
    if isinstance(error, Failure):
        first = error.text.splitlines()[:1]
        return f"{error.type}: {shorten(first[0])}" if first and first[0] else error.type
    return f"{type(error).__name__}: {shorten(str(error).splitlines()[0])}"


def _kind(failure: FailedCell) -> tuple[str, str, str]:
    """Give what failures of one kind share: type and place in the user's code, or type and node."""
    error = failure.error
    if isinstance(error, Failure) and error.at:
        return error.type, error.at, ""
    return error.type if isinstance(error, Failure) else type(error).__name__, "", failure.node


def _cells(count: int) -> str:
    return f"{count} cell{'' if count == 1 else 's'}"


def _quoted(text: str) -> str:
    """Prefer double quotes, as the rest of the call has."""
    return f'"{text[1:-1]}"' if text.startswith("'") and '"' not in text else text
