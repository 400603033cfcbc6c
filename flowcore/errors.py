"""Every error of flowcore, whose fault it is, and what to do about it.

The tree (``w`` marks kinds that are normally issued as warnings)::

    FlowcoreError
    ├── GraphError                  the drawing is wrong; nothing has run
    │   ├── CycleError              (ValueError)
    │   ├── UnknownParameter        (TypeError)
    │   ├── MissingArgument         (TypeError)
    │   ├── AxisMismatch            (ValueError)
    │   ├── WiringMismatch          (TypeError)
    │   ├── DuplicateName           (ValueError)
    │   ├── UnknownNode             (LookupError)
    │   ├── NoValueYet              (TypeError, AttributeError)
    │   └── ForeignReference        (ValueError)
    ├── BadOption                   (ValueError) an option, duration or size cannot be read
    ├── NotKeyable             w    (TypeError) an argument or global has no canonical encoding
    ├── NotStorable            w    (TypeError) a result has no canonical encoding
    ├── NotPicklable                (TypeError) something cannot reach another process
    ├── MissingFile                 (FileNotFoundError) a file given or returned cannot be read
    ├── FileChanged            w    (RuntimeError) a file changed while a cell had it
    ├── DamagedEntry           w    a stored value failed its check
    ├── PickleNotAllowed            (ValueError) a value is kept as a pickle, and pickles are not to be read
    ├── ValueLost                   (LookupError) a value asked for after the run is gone
    ├── ValueReleased               (LookupError) a value nobody wanted was let go
    ├── UnknownRun                  (LookupError) a store has no run of that id
    ├── StoreUnavailable       w    (OSError) the store cannot be used
    ├── BoxUnusable                 (OSError) the box of pilots is not this user's alone, or cannot be made
    ├── NoWorkers              w    a run waits for workers, and none takes its cells
    ├── WorkerDied                  (RuntimeError) a process running a cell ended
    ├── BlockedLoop            w    a coroutine computes or waits without giving the event loop its turn
    ├── CodeChanged                 (RuntimeError) code was edited under the run
    ├── UnfitWorker                 (RuntimeError) an executor's process cannot carry out cells of the run
    ├── RunForked                   (RuntimeError) a forked copy of a process waits for a run of its parent
    ├── TooDeeplyNested             (RecursionError) runs in tasks of runs, too many levels
    ├── CellTimeout                 (TimeoutError) an attempt ran out of time
    └── RunFailed                   (RuntimeError) cells failed; ``failures`` has them all

Facts are fields; the sentences are made from them in one place, :meth:`FlowcoreError.lines`.
All of them survive pickling, since any may have to leave a worker.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from flowcore.dataclass import dataclass

_SHOWN = 10  # entries of a list that an error message shows before it counts the rest


def _rebuild(kind: type[FlowcoreError], facts: dict[str, Any]) -> FlowcoreError:
    return kind(**facts)


def shorten(text: str, limit: int = 200) -> str:
    """Give `text` on one line, without control characters, at most `limit` long."""
    clean = spelled(text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def spelled(text: str) -> str:
    """Give `text` with what steers a terminal, or begins a line, spelled out."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def nearest(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """Give the at most two of `names` that look most like `name`."""
    return tuple(difflib.get_close_matches(name, list(names), n=2))


def _where(at: str) -> str:
    return f" ({at})" if at else ""


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(repr(name) for name in names[:_SHOWN]) + more


def did_you_mean(near: Sequence[str]) -> str:
    """Give the closing question of a message about an unknown name, or nothing."""
    return f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""


@dataclass(kw_only=True, eq=False)
class FlowcoreError(Exception):
    """Root of all that flowcore raises on purpose.

    Its text is one line of cause, then where, found against expected, what flowcore
    did, and the one edit or command that mends it.
    """

    def lines(self) -> Iterator[str]:
        """Yield the sentences of the message, cause first."""
        yield type(self).__name__

    def __str__(self) -> str:
        return "\n".join(map(spelled, "\n  ".join(self.lines()).split("\n")))

    def __reduce__(self) -> tuple[Any, ...]:
        facts = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return _rebuild, (type(self), facts)


class FlowcoreWarning(UserWarning):
    """Root of the kinds that are told and survived."""


@dataclass(kw_only=True, eq=False)
class GraphError(FlowcoreError):
    """The drawing is wrong; the user's edit mends it, and nothing has run."""


@dataclass(kw_only=True, eq=False)
class CycleError(GraphError, ValueError):
    """Nodes wait for each other in a circle."""

    path: tuple[str, ...]  # node names, the first one repeated at the end
    sites: tuple[str, ...]  # file:line of each edge of `path`

    def lines(self) -> Iterator[str]:
        shown = self.path[:_SHOWN]
        more = f" ... ({len(self.path)} in all)" if len(self.path) > _SHOWN else ""
        yield f"These nodes wait for each other: {' -> '.join(shown)}{more}"
        for name, site in list(zip(self.path, self.sites, strict=False))[:_SHOWN]:
            yield f"{name} is drawn at {site}"
        yield "Take one of these edges out; nothing has run."


@dataclass(kw_only=True, eq=False)
class UnknownParameter(GraphError, TypeError):
    """A call names a parameter that the task does not have."""

    node: str
    parameter: str
    near: tuple[str, ...] = ()
    at: str
    defined: str = ""  # file:line of the task
    takes: tuple[str, ...] = ()  # the parameters that it has

    def lines(self) -> Iterator[str]:
        yield f"{self.node}() has no parameter {self.parameter!r} ({self.at}).{did_you_mean(self.near)}"
        if self.takes:
            yield f"It takes {_listed(self.takes)}."
        if self.defined:
            yield f"{self.node} is defined at {self.defined}"


@dataclass(kw_only=True, eq=False)
class MissingArgument(GraphError, TypeError):
    """A call leaves out parameters that have no default."""

    node: str
    parameters: tuple[str, ...]
    at: str
    defined: str = ""

    def lines(self) -> Iterator[str]:
        names = ", ".join(repr(p) for p in self.parameters)
        yield f"{self.node}() needs {names} ({self.at})."
        if self.defined:
            yield f"{self.node} is defined at {self.defined}"
        yield f"Give {'it' if len(self.parameters) == 1 else 'them'} in this call, or a default in the definition."


@dataclass(kw_only=True, eq=False)
class AxisMismatch(GraphError, ValueError):
    """Two things that meet on an axis do not have the same labels, or the axis is not there."""

    node: str
    axis: str
    found: str
    expected: str
    at: str
    remedy: str = "Give both the same values in the same order, or name the axes differently."

    def lines(self) -> Iterator[str]:
        yield f"Axis {self.axis!r} does not fit in {self.node} ({self.at})."
        yield f"found {self.found}; expected {self.expected}"
        yield self.remedy


@dataclass(kw_only=True, eq=False)
class WiringMismatch(GraphError, TypeError):
    """What one node gives cannot be what another one takes."""

    node: str
    parameter: str
    found: str
    expected: str
    at: str
    drawn: str = ""  # file:line of the node that gives what was found
    defined: str = ""  # file:line of the task that takes what was expected
    remedy: str = "Wire another node here, or mend the annotation that is wrong."

    def lines(self) -> Iterator[str]:
        of = f" of {self.node}()" if self.node else ""
        yield f"{self.parameter}{of} takes {self.expected}, but is given {self.found} ({self.at})."
        if self.drawn:
            yield f"what is given is drawn at {self.drawn}"
        if self.defined:
            yield f"{self.node} is defined at {self.defined}"
        yield self.remedy


@dataclass(kw_only=True, eq=False)
class DuplicateName(GraphError, ValueError):
    """One name was given to two nodes."""

    name: str
    at: str
    first: str  # file:line of the node that has the name

    def lines(self) -> Iterator[str]:
        yield f"Two nodes are called {self.name!r}: {self.first} and {self.at}."
        yield "Give one of them another name=."


@dataclass(kw_only=True, eq=False)
class UnknownNode(GraphError, LookupError):
    """A target, or an index, names a node or cell that the flow does not have."""

    name: str
    flow: str
    near: tuple[str, ...] = ()
    known: tuple[str, ...] = ()  # names of nodes, a few; told where nothing is near

    def lines(self) -> Iterator[str]:
        what = "cell" if self.name.endswith("]") else "node"
        known = f" It has {', '.join(map(repr, self.known))}." if self.known and not self.near else ""
        yield f"Flow {self.flow!r} has no {what} {shorten(self.name)!r}.{did_you_mean(self.near)}{known}"


@dataclass(kw_only=True, eq=False)
class UnknownRun(FlowcoreError, LookupError):
    """No run of a store has this id, or several begin so."""

    run: str
    store: str
    near: tuple[str, ...] = ()
    packed: bool = False  # gc has left its results, and when and how it ended

    def lines(self) -> Iterator[str]:
        if self.packed:
            yield f"Of run {self.run} {self.store} has only the results and how it ended: gc has let its cells go."
            yield "`flowcore runs` lists it; `flowcore cache gc --keep-runs N` keeps more of them whole."
        else:
            several = self.run and any(one.startswith(self.run) for one in self.near)
            if several:
                yield f"Several runs in {self.store} begin with {shorten(self.run)!r}: {', '.join(self.near)}."
            else:
                yield f"{self.store} has no run {shorten(self.run)!r}."
            yield "`flowcore runs` lists them; on the command line `last` and `last~1` name the newest ones."


@dataclass(kw_only=True, eq=False)
class NoValueYet(GraphError, TypeError, AttributeError):
    """A reference was used as if it were the value it stands for."""

    node: str
    expression: str
    at: str
    drawn: str = ""
    remedy: str = ""

    def lines(self) -> Iterator[str]:
        yield f"{self.node} has no value yet, so `{self.expression}` cannot be told ({self.at})."
        if self.drawn:
            yield f"{self.node} is drawn at {self.drawn}"
        yield self.remedy or "Make this step a task, or read the value from the run: run[node]."


@dataclass(kw_only=True, eq=False)
class ForeignReference(GraphError, ValueError):
    """A reference belongs to another flow, or to one that is closed."""

    node: str
    flow: str  # the flow it belongs to
    at: str

    def lines(self) -> Iterator[str]:
        yield f"{self.node} belongs to flow {self.flow!r}, which is not being drawn here ({self.at})."
        yield "Draw the flow inside this one by calling its function, or pass the value of a finished run."


@dataclass(kw_only=True, eq=False)
class BadOption(FlowcoreError, ValueError):
    """An option has an unknown name or an unreadable value."""

    option: str
    found: str
    expected: str
    near: tuple[str, ...] = ()
    at: str = ""

    def lines(self) -> Iterator[str]:
        if self.found == "unknown":
            yield f"There is no option {self.option!r}{_where(self.at)}.{did_you_mean(self.near)}"
            yield f"expected {self.expected}"
            return
        where, near = _where(self.at), did_you_mean(self.near)
        yield f"Option {self.option!r} is {shorten(self.found)}, not {self.expected}{where}.{near}"


@dataclass(kw_only=True, eq=False)
class NotKeyable(FlowcoreError, FlowcoreWarning, TypeError):
    """An argument, or a global of a task, has no canonical encoding."""

    node: str
    path: str  # e.g. args.model.net
    kind: str  # type of the leaf
    at: str = ""  # file:line where the node is drawn
    refused: bool = False  # raised: none of its cells runs
    remedy: str = ""

    def lines(self) -> Iterator[str]:
        yield f"{self.node} cannot be keyed: {self.path} is a {self.kind}{_where(self.at)}."
        yield "None of its cells ran." if self.refused else "It runs, but its results are not kept."
        head, _, inside = self.path.partition(".")
        left_out = f" leave it out (ignore=({inside.split('.')[0].split('[')[0]!r},))," if head == "args" else ""
        remedy = f"{self.remedy[:1].upper()}{self.remedy[1:]}{'' if self.remedy.endswith('.') else '.'}"
        yield remedy if self.remedy else f"Register a codec (fc.register_codec),{left_out} or say cache=False."


@dataclass(kw_only=True, eq=False)
class NotStorable(FlowcoreError, FlowcoreWarning, TypeError):
    """A result has no canonical encoding, so it cannot be kept."""

    node: str
    path: str
    kind: str
    at: str = ""  # file:line where the node is drawn
    refused: bool = False  # raised: the cell failed, since its result had to be kept

    def lines(self) -> Iterator[str]:
        yield f"The result of {self.node} cannot be kept: {self.path} is a {self.kind}{_where(self.at)}."
        if self.refused:
            yield 'The cell failed, since its task says cache="required".'
        else:
            yield "It is passed on to its consumers, but not kept; the next run computes it again."
        yield "Return arrays, text, containers, dataclasses; use fc.register_codec; or allow_pickle for the store."


@dataclass(kw_only=True, eq=False)
class NotPicklable(FlowcoreError, TypeError):
    """A function, argument or result cannot reach another process."""

    node: str
    path: str
    kind: str
    reason: str = ""
    at: str = ""  # file:line where the node is drawn

    def lines(self) -> Iterator[str]:
        yield f"{self.node} cannot reach another process: {self.path} is a {self.kind}{_where(self.at)}."
        if self.reason:
            yield shorten(self.reason.splitlines()[0])
        verb = "Return" if self.path.startswith("result") else "Pass"
        yield f'{verb} something that can travel (a path, plain data), or run the task with runner="thread".'


@dataclass(kw_only=True, eq=False)
class MissingFile(FlowcoreError, FileNotFoundError):
    """A file that a cell is to be given, or has returned, cannot be read."""

    path: str
    reason: str
    node: str = ""
    parameter: str = ""  # args.mask, or result
    at: str = ""  # file:line where the node is drawn

    def lines(self) -> Iterator[str]:
        of = f"{self.node}: " if self.node else ""
        yield f"{of}the file {shorten(self.path)} cannot be read: {self.reason}{_where(self.at)}."
        if self.parameter == "result":
            yield "It was returned as the result, so the cell failed."
            yield "Write the file before it is returned, or return its right path."
            return
        if self.parameter:
            yield f"It was given as {self.parameter}; no cell of {self.node} ran."
        yield "Mend the path, or have the file written by a task that returns fc.File."


@dataclass(kw_only=True, eq=False)
class FileChanged(FlowcoreError, FlowcoreWarning, RuntimeError):
    """A file changed while a cell had it, so nobody can tell what its result was made from."""

    node: str
    path: str
    at: str = ""  # file:line where the node is drawn
    refused: bool = False  # raised: the cell failed, since its result had to be kept

    def lines(self) -> Iterator[str]:
        yield f"The file {shorten(self.path)} changed while {self.node} had it{_where(self.at)}."
        if self.refused:
            yield 'The cell failed, since its task says cache="required".'
        else:
            yield "The result is passed on to its consumers, but not kept; the next run computes it again."
        yield "Let nothing write to the file during a run, and run again."


@dataclass(kw_only=True, eq=False)
class DamagedEntry(FlowcoreError, FlowcoreWarning):
    """A stored value failed its check; it counts as absent and was put aside."""

    entry: str
    check: str  # which check failed, found against expected
    moved: str = ""

    def lines(self) -> Iterator[str]:
        yield f"Stored entry {self.entry} is damaged: {self.check}."
        moved = f"It was moved to {self.moved}, and" if self.moved else "It"
        yield f"{moved} is computed again when it is needed. `flowcore cache verify` looks at all the others."


@dataclass(kw_only=True, eq=False)
class PickleNotAllowed(FlowcoreError, ValueError):
    """A value is kept as a pickle, and the store was opened without leave to read such."""

    cell: str
    entry: str  # beginning of the digest of the pickle
    store: str

    def lines(self) -> Iterator[str]:
        yield f"The value of {self.cell} is kept as a pickle (entry {self.entry} of {self.store})."
        yield "It was not looked into: reading a pickle runs whatever code stands in it."
        yield "If you trust whoever can write to this store: fc.open_store(path, allow_pickle=True)."


@dataclass(kw_only=True, eq=False)
class ValueLost(FlowcoreError, LookupError):
    """A value was asked for after its run, and the store no longer has it."""

    cell: str
    reason: str

    def lines(self) -> Iterator[str]:
        if "(no codec " in self.reason:
            yield f"The value of {self.cell} cannot be read here: {self.reason}."
            yield 'It is there. Name its codec, as codecs = ["units"] in flowcore.toml, or import what registers it.'
            return
        yield f"The value of {self.cell} is gone: {self.reason}."
        yield "Run the flow again: only what is missing is computed. `flowcore cache verify` finds what else is."


@dataclass(kw_only=True, eq=False)
class ValueReleased(FlowcoreError, LookupError):
    """A value that was not kept was let go after its last consumer."""

    cell: str
    node: str

    def lines(self) -> Iterator[str]:
        yield f"The value of {self.cell} was not kept, and was released after its last consumer."
        yield f"Ask for it when running: flow.run({self.node})."


@dataclass(kw_only=True, eq=False)
class StoreUnavailable(FlowcoreError, FlowcoreWarning, OSError):
    """The store is full, read-only, foreign, newer, or gone."""

    store: str
    reason: str  # what is the case, with numbers: owner, format, bytes needed and free
    did: str = "The run goes on; its results are not kept."
    remedy: str = ""

    def lines(self) -> Iterator[str]:
        yield f"The store {spelled(self.store)} cannot be used: {spelled(self.reason)}."
        yield self.did
        if self.remedy:
            yield self.remedy


@dataclass(kw_only=True, eq=False)
class BoxUnusable(FlowcoreError, OSError):
    """The folder through which messages reach `flowcore worker` cannot be trusted, or cannot be had."""

    box: str
    reason: str
    remedy: str = "Name a folder of your own: flowcore worker --spool DIR"

    def lines(self) -> Iterator[str]:
        yield f"The box {shorten(self.box)} cannot be used: {self.reason}."
        yield "Nothing was taken out of it, and nothing laid into it: what lies there is run as code."
        yield self.remedy


@dataclass(kw_only=True, eq=False)
class NoWorkers(FlowcoreError, FlowcoreWarning):
    """Cells wait in a box, and there is no worker that takes them out."""

    run: str
    box: str
    waited: float  # seconds
    gpus: int = 0  # that one needs; 0: any would do
    found: int = 0  # GPUs of the worker that has most

    def lines(self) -> Iterator[str]:
        if self.gpus:
            yield f"Cells of the run {self.run} need {self.gpus} GPUs each, and no worker has more than {self.found}."
            yield f"They have waited {self.waited:.0f} s, and go on as soon as one comes that has as many."
            yield f"Start one on a machine with GPUs: flowcore worker --spool {shorten(self.box)}"
            yield "It has those that CUDA_VISIBLE_DEVICES names where it is started, else all that nvidia-smi lists."
            return
        yield f"The run {self.run} has waited {self.waited:.0f} s for workers, and there is none."
        yield "It goes on as soon as one comes."
        yield f"Start one, here or on any machine that sees the folder: flowcore worker --spool {shorten(self.box)}"


@dataclass(kw_only=True, eq=False)
class WorkerDied(FlowcoreError, RuntimeError):
    """The process that ran a cell ended before the cell did."""

    cell: str
    attempt: int
    attempts: int
    cause: str  # "signal 9 (SIGKILL), probably out of memory" or "exit code 3"
    peak: int = 0  # bytes of memory at its highest
    stderr: str = ""
    stack: str = ""
    step: int = 0  # the last that its loop over steps finished
    memory: bool = False  # whether it died for want of memory, as far as can be told
    limit: int = 0  # bytes of memory that processes there may have
    final: bool = False  # whether nobody is left to try it again

    def lines(self) -> Iterator[str]:
        if self.final:
            first, *more = self.cause.splitlines() or [""]
            yield f"Nobody can carry out {self.cell} any more: {first}"
            yield from more
            yield "What was finished is in the store. Once that is mended, run again: only the rest is computed."
            return
        yield f"The worker running {self.cell} died: {self.cause} (attempt {self.attempt} of {self.attempts})."
        if self.step:
            yield f"Its loop had finished {self.step} steps."
        if self.peak:
            allowed = f" of the {self.limit / 2**20:.0f} MiB there are" if self.limit else ""
            yield f"Its peak memory was {self.peak / 2**20:.0f} MiB{allowed}."
        if self.stack:
            yield "Python stack at its death:"
            yield from ("  " + line for line in self.stack.splitlines()[:12])
        if self.stderr:
            yield "Last lines of its stderr:"
            yield from ("  " + shorten(line) for line in self.stderr.splitlines()[-6:])
        if self.memory:
            yield "Other cells went on; its last attempt had nothing beside it. Make this one smaller."
        else:
            yield "Other cells went on. Make this one smaller, or mend what ended its process."


@dataclass(kw_only=True, eq=False)
class BlockedLoop(FlowcoreError, FlowcoreWarning):
    """A coroutine blocks the event loop: it computes, or calls what waits, without an await."""

    cell: str
    at: str = ""  # file:line where it was seen

    def lines(self) -> Iterator[str]:
        yield f"{self.cell} blocks the event loop{_where(self.at)}: all other coroutines of the run stand still."
        yield "It goes on; cells in processes and on threads do as well."
        yield "Await it: `await asyncio.to_thread(...)`, an async library; or make the task a plain `def` (@fc.io)."


@dataclass(kw_only=True, eq=False)
class CodeChanged(FlowcoreError, RuntimeError):
    """A module that a task reads is not the same where a cell runs as where the flow was drawn."""

    node: str
    module: str

    def lines(self) -> Iterator[str]:
        yield f"The code of {self.node} in {self.module} changed while the run had another version loaded."
        yield "Nothing was kept under code that did not make it. Reload the module, or start the script again."
        yield "Values set on a module at run time do not travel to where cells run: pass them as arguments."


@dataclass(kw_only=True, eq=False)
class UnfitWorker(FlowcoreError, RuntimeError):
    """A process that an executor brought sees another store, or has other versions, than the run."""

    node: str
    worker: str  # "process 17 on node3"
    why: str

    def lines(self) -> Iterator[str]:
        yield f"{self.node} came to {self.worker}, which cannot carry it out: {self.why}."
        yield "Nothing was run there. Workers need the run's store at the same path, and the same Python minor version,"
        yield "numpy and flowcore. Put store= where all of them have it, and start them from one environment."


@dataclass(kw_only=True, eq=False)
class CellTimeout(FlowcoreError, TimeoutError):
    """An attempt at a cell took longer than its timeout."""

    cell: str
    seconds: float
    did: str  # "killed", "cancelled", "abandoned in its thread"

    def lines(self) -> Iterator[str]:
        yield f"{self.cell} took longer than its timeout of {self.seconds:g} s and was {self.did}."
        yield "Raise timeout=, or make the cell smaller."


@dataclass(kw_only=True, eq=False)
class RunForked(FlowcoreError, RuntimeError):
    """A forked copy of a process waits for a run of its parent."""

    run: str

    def lines(self) -> Iterator[str]:
        yield f"The run {self.run} goes on in the process that started it; this one is a forked copy of that."
        yield "Nothing was stopped, and the values that it had before the fork can be read here."
        yield f"Follow it with `fc.open_run({self.run!r})`."


@dataclass(kw_only=True, eq=False)
class TooDeeplyNested(FlowcoreError, RecursionError):
    """A run was started in a task of a run in a task of a run, too many times over."""

    flow: str
    depth: int
    allowed: int

    def lines(self) -> Iterator[str]:
        """Yield the sentences of the message."""
        yield f"The run of {self.flow!r} is nested in {self.depth} others; at most {self.allowed} are allowed."
        yield "It was not started: each level takes processes of its own."
        yield "Draw the inner flow into the outer one, or call its tasks plainly."


@dataclass(kw_only=True, eq=False)
class RunFailed(FlowcoreError, RuntimeError):
    """Cells failed. ``failures`` has every one, root causes first.

    It is one error and no group, so that its traceback is one screen; ``group()`` is for
    ``except*``.
    """

    run: str
    summary: str  # the one-screen text, made by inspect/failures.py
    failures: tuple[Any, ...] = ()

    def lines(self) -> Iterator[str]:
        yield self.summary

    @property
    def exceptions(self) -> tuple[BaseException, ...]:
        """What the cells raised, in order of failing; a RuntimeError with its text for what could not travel."""
        return tuple(failed.exception or RuntimeError(str(failed)) for failed in self.failures)

    def group(self) -> BaseExceptionGroup:
        """Give what the cells raised as a group: ``except fc.RunFailed as e: raise e.group() from None``."""
        return BaseExceptionGroup(f"{len(self.failures)} cells failed in run {self.run}", self.exceptions)


class Skip(Exception):  # noqa: N818 - the public name is a verb: `raise fc.Skip("no data")`
    """Raised by a task to say that this cell has no result, and that this is no failure.

    What needs the cell plainly is skipped too.

    Examples
    --------
    >>> raise Skip("no data for 1987")
    Traceback (most recent call last):
    ...
    flowcore.errors.Skip: no data for 1987
    """

    kind: ClassVar[str] = "skip"

    @property
    def reason(self) -> str:
        """The text given, or nothing."""
        return str(self.args[0]) if self.args else ""
