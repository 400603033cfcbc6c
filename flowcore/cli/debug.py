"""``flowcore debug RUN CELL [FILE.py[:flow]]``: that cell once more, in this process, under Python's debugger."""

from __future__ import annotations

import bdb
import inspect
import os
import pdb  # noqa: T100 - what the verb is for
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import cast

from flowcore.catching import caught
from flowcore.cli.loading import load, read_with_file, source_in, users_frames
from flowcore.cli.parser import Parser, Usage, add_store
from flowcore.cli.printing import name, plain, tell
from flowcore.cli.run import run_parser
from flowcore.cli.show import opened, shown
from flowcore.errors import shorten
from flowcore.history import RecordedRun
from flowcore.replay import Ready
from flowcore.settings import Settings
from flowcore.store.directory import open_store
from flowcore.targets import Drawn

_OK, _FAILED = 0, 1


def main(arguments: Sequence[str]) -> int:
    """Call a cell of a run again: a debugger opens where it raises, or at its first line if it gave a value then."""
    given = _parser(add_help=True).parse_known_args(list(arguments))[0]
    if given.source is None:
        given = _parser(add_help=True).read(arguments)
        store = open_store(Settings.of(store=given.store).store)  # type: ignore[arg-type]
        run = opened(given.run, store)
        flow = drawn_again(run, store.root)
    else:
        asked = read_with_file(_parser(add_help=False), arguments)
        given = asked.given
        run = opened(given.run, Settings.of(store=given.store).store)
        flow = asked.drawer.draw(given)
    ready = run.ready_again(given.cell, flow)
    failed = run.cell(given.cell).state == "failed"
    _introduce(run, ready)
    return _call(ready, stop=given.stop or not failed)


def drawn_again(run: RecordedRun, root: Path) -> Drawn:
    """Draw the flow of a run as it was drawn then, from the script or command that the journal names.

    A store from elsewhere may name anything (contract S10): what it names is executed only if
    it is in the working directory, and not in the store, whose root is `root`.
    """
    origin = run.origin
    file, argv = str(origin.get("file", "")), [str(word) for word in cast("list[object]", origin.get("argv", []))]
    if not file:
        raise Usage(f"the journal of {run.id} names no file: it was run at a prompt. Name one: FILE.py[:flow]")
    command = origin.get("by") == "flowcore run"
    for source in {file, source_in(run_parser(), argv)} if command else {file}:
        if not _here(source, root):
            where = f"that run was drawn by {shorten(source)}"
            raise Usage(f"{where}, which is not in this directory: go there, or name it.")
    tell(plain(f"its flow is drawn by {shlex.join([os.path.relpath(file), *_shown(argv, file)])}"))
    if command:
        asked = read_with_file(run_parser(), argv)
        return asked.drawer.draw(asked.given)
    flow = caught(run.flow, partial(load, file, argv))
    if flow is None:
        raise Usage(f"{shorten(file)} came to its end without running a flow called {run.flow!r}. Name its file.")
    return flow


class _Debugger(pdb.Pdb):
    """Knows whether it was left before the task came to its end: what `runcall` gives then is no value."""

    left = False

    def set_quit(self) -> None:
        """Leave."""
        self.left = True
        super().set_quit()


def _here(file: str, root: Path) -> bool:
    """Tell whether a file, perhaps with ``:flow`` behind it, is below the working directory, and not in the store."""
    found, here = Path(os.path.realpath(file)), Path(os.path.realpath(os.curdir))
    return here in found.parents and Path(os.path.realpath(root)) not in found.parents


def _shown(argv: Sequence[str], file: str) -> list[str]:
    return [word for word in argv if word != file]


def _introduce(run: RecordedRun, ready: Ready) -> None:
    code = getattr(inspect.unwrap(ready.function), "__code__", None)
    at = f" ({shorten(code.co_filename)}:{code.co_firstlineno})" if code is not None else ""
    called = ", ".join(f"{parameter}={name(given)}" for parameter, given in ready.arguments.items())
    lines = [f"{name(ready.cell)} of run {run.id}, in this process{at}", f"  called with {called}" if called else ""]
    lines += [f"  other than then: {what}" for what in ready.differs]
    lines += [f"  was not kept, and was computed again: {name(cell)}" for cell in ready.again]
    tell(plain("\n".join(line for line in lines if line)))


def _call(ready: Ready, *, stop: bool) -> int:
    """Call the cell, stopped at its first line if that is wanted; open the debugger where it raises."""
    debugger = _Debugger()
    follow = stop and inspect.isfunction(ready.function) and not inspect.iscoroutinefunction(ready.function)
    how: Callable[..., object] | None = debugger.runcall if follow else None
    try:
        value = ready.call(how)
    except bdb.BdbQuit:  # of a breakpoint in the user's code
        return _OK
    except Exception as error:  # noqa: BLE001 - the user's own: that is what the debugger is opened for
        tell(plain(users_frames(error)))
        pdb.post_mortem(_within(error, ready.function))
        return _FAILED
    if debugger.left:
        return _OK
    print(plain(f"{ready.cell} gave a {type(value).__name__}:\n{shown(value)}"))
    sys.stdout.flush()
    return _OK


def _within(error: BaseException, function: Callable[..., object]) -> TracebackType | None:
    """Give the traceback from the user's function on: what called it is ours."""
    code, at = getattr(inspect.unwrap(function), "__code__", None), error.__traceback__
    found = at
    while found is not None and found.tb_frame.f_code is not code:
        found = found.tb_next
    return found or at


def _parser(*, add_help: bool) -> Parser:
    parser = Parser(
        "debug", "Call a cell of a run again, in this process, under pdb: same inputs, seed and saved state.",
        add_help=add_help, epilog="its flow is drawn by the script or command of that run, or by FILE.py[:flow]\n"
        "and the flow's parameters; nothing is written to the store\n"
        "for example: flowcore debug last 'erode[rate=0.1]'; exit codes: 0 it gave a value, 1 it raised",
    )  # fmt: skip
    parser.add_argument("run", metavar="RUN", help='its id, the beginning of it, "last", or "last~1"')
    parser.add_argument("cell", metavar="CELL", help="a cell, as erode[rate=0.1]")
    parser.add_argument("source", metavar="FILE.py[:flow]", nargs="?", help="the file that draws the flow")
    parser.add_argument("--break", dest="stop", action="store_true", help="stop at the first line of the task")
    add_store(parser)
    return parser
