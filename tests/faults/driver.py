"""H1: runs a script in a session of its own, meets it at events, sends signals there, and looks at what is left.

A signal is sent while the process that met us waits for our answer, so it lands at an
event and not at a time. "All" are the processes that carry the script's token in their
environment: main, its launcher and its workers lead sessions of their own. The only
clock in here is the deadline, which turns a hang into a failure with a stack of every
process that is left.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from blake3 import blake3

from flowcore import clock
from flowcore.store.history import NodeFacts, read_run, run_paths
from flowcore.store.leftovers import SPOOL_DIRECTORY
from flowcore.store.trace import Trace
from tests.faults import inside

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "scripts"
SHARED_MEMORY = Path("/dev/shm")
DEADLINE = 60.0  # seconds; only turns a hang into a failure
_SINGLE = ("load", "total", "vandal")  # the nodes of our scripts that have no axis
_LOOK = 0.02  # seconds between two looks at something that nothing can be waited on for

Target = Literal["all", "main", "launcher", "main and launcher"]


class Deadline(AssertionError):
    """Something that was waited for did not come."""


@dataclass
class Meeting:
    """A process of the script that stopped at a mark, and waits."""

    name: str
    pid: int
    facts: dict[str, Any]
    _line: socket.socket = field(repr=False)

    def answer(self, text: str = "go on") -> None:
        """Let it go on; harmless if it is dead."""
        with suppress(OSError):
            self._line.sendall(text.encode())
        self._line.close()


class Script:
    """One run of a script. Made by :func:`running`."""

    def __init__(self, name: str, arguments: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
        self.token = uuid.uuid4().hex
        self.folder = folder
        self._short = Path(tempfile.mkdtemp(prefix="faults-"))  # a socket's path may have 107 characters
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._listener.bind(str(self._short / "s"))
        self._listener.listen(64)
        self._waiting: list[Meeting] = []  # those whom nobody has asked for yet
        self._met: list[Meeting] = []
        self._output = (folder / f"{self.token}.out").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPTS / f"{name}.py"), *arguments], cwd=folder, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT,
            env={
                **os.environ, "PYTHONPATH": str(ROOT), inside.TOKEN: self.token,
                inside.SOCKET: str(self._short / "s"), inside.DUMPS: str(self._short),
                inside.TALLY: str(folder / "tally"), **environ,
            },
        )  # fmt: skip
        self._pidfd = os.pidfd_open(self.process.pid)

    # ---- meeting ---------------------------------------------------------------------

    def meet(self, *names: str) -> Meeting:
        """Wait until a process stops at a mark of one of these names.

        Raises
        ------
        Deadline
            If none does, or the script ends first.
        """
        meeting = self._meet(lambda meeting: meeting.name in names)
        if meeting is None:
            raise Deadline(f"the script ended ({self.process.wait()}) before it came to {names}\n{self.output()}")
        return meeting

    def _meet(self, wanted: Callable[[Meeting], bool]) -> Meeting | None:
        """Give the first meeting that is wanted; None if the script ends before."""
        due = clock.monotonic() + DEADLINE
        while True:
            for meeting in self._waiting:
                if wanted(meeting):
                    self._waiting.remove(meeting)
                    _seen.update(_spools_of(self.process.pid))
                    return meeting
            left = due - clock.monotonic()
            if left <= 0:
                raise Deadline(f"nobody came\n{self.stacks()}\n{self.output()}")
            ready = select.select([self._listener.fileno(), self._pidfd], [], [], left)[0]
            if self._listener.fileno() in ready:
                self._accept()
            elif ready:
                return None

    def _accept(self) -> None:
        line, _ = self._listener.accept()
        line.setblocking(True)
        text = b""
        while not text.endswith(b"\n"):
            piece = line.recv(65536)
            if not piece:  # it died while it spoke
                line.close()
                return
            text += piece
        facts = json.loads(text)
        meeting = Meeting(facts.pop("name"), facts.pop("pid"), facts, line)
        self._met.append(meeting)
        self._waiting.append(meeting)

    # ---- signals ---------------------------------------------------------------------

    def processes(self) -> dict[int, str]:
        """Give the living processes that carry our token, with their command lines."""
        return inside.carriers(self.token)

    @property
    def launcher(self) -> int:
        """The launcher's process id: the one child of main that carries the token and leads a session."""
        return inside.launcher_of(self.process.pid, self.processes())

    def kill(self, target: Target, signum: int = signal.SIGKILL) -> None:
        """Send a signal to main, to the launcher, to both, or to everything at once."""
        match target:
            case "main":
                pids = [self.process.pid]
            case "launcher":
                pids = [self.launcher]
            case "main and launcher":
                pids = [self.launcher, self.process.pid]
            case "all":
                pids = sorted(self.processes(), key=lambda pid: pid != self.process.pid)
        for pid in filter(None, pids):
            with suppress(ProcessLookupError):
                os.kill(pid, signum)

    # ---- ends ------------------------------------------------------------------------

    def end(self) -> int:
        """Wait for main to end, answering whoever still meets us; give its exit status, negative for a signal."""
        while (meeting := self._meet(lambda _: True)) is not None:
            meeting.answer()
        return self.process.wait()

    def died(self) -> int:
        """Wait for main to end without answering anybody."""
        if not select.select([self._pidfd], [], [], DEADLINE)[0]:
            raise Deadline(f"the script does not end\n{self.stacks()}\n{self.output()}")
        return self.process.wait()

    def leaves_nobody(self, within: float = DEADLINE) -> None:
        """Wait until no process carries the token.

        Raises
        ------
        Deadline
            If one does not end by itself.
        """
        try:
            until(lambda: not self.processes(), "no process is left", within=within)
        except Deadline as late:
            raise Deadline(f"{late}: {self.processes()}\n{self.stacks()}") from None

    def stacks(self) -> str:
        """Have every process that can write down its stack, and give what they wrote."""
        for pid in self.processes():
            if (self._short / f"{pid}.txt").exists():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGUSR2)
        with suppress(Deadline):
            until(lambda: all(f.stat().st_size for f in self._short.glob("*.txt")), "stacks", within=2.0)
        told = [f"--- {file.stem}\n{file.read_text()}" for file in self._short.glob("*.txt")]
        return "\n".join([f"processes: {self.processes()}", *told])

    def output(self) -> str:
        """Give what the script wrote to its standard streams."""
        self._output.flush()
        return Path(self._output.name).read_text(errors="replace")

    def close(self) -> None:
        """Leave nothing of the script, whatever the test came to."""
        due = clock.monotonic() + DEADLINE
        while self.processes() and clock.monotonic() < due:
            self.kill("all")
            select.select([self._pidfd], [], [], _LOOK)
        self.process.wait()
        for meeting in self._met:
            meeting.answer()
        self._listener.close()
        self._output.close()
        os.close(self._pidfd)
        shutil.rmtree(self._short, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def start(name: str, *arguments: str | Path, folder: Path, **environ: str) -> Script:
    """Start a script of `tests/faults/scripts`; use it in a with statement.

    Parameters
    ----------
    name : str
        The script, without its suffix.
    *arguments : str or Path
        For its command line.
    folder : Path
        Its working directory, where its output and its tally are kept as well.
    **environ : str
        `event="fs 17"`, `sabotage="name"`.
    """
    extra = {f"FLOWCORE_FAULTS_{key.upper()}": value for key, value in environ.items()}
    return Script(name, [str(argument) for argument in arguments], folder, extra)


def until(condition: Callable[[], bool], what: str, *, within: float = DEADLINE) -> None:
    """Look again and again until a condition holds."""
    due = clock.monotonic() + within
    while not condition():
        if clock.monotonic() > due:
            raise Deadline(f"{what}: not within {within:g} s")
        select.select([], [], [], _LOOK)


# ---- what is left ----------------------------------------------------------------------


def tally(folder: Path) -> list[str]:
    """Give a line for each execution so far, in order."""
    path = folder / "tally"
    return path.read_text().splitlines() if path.exists() else []


def recorded(store: Path) -> set[str]:
    """Give the cells with a key and a value in some journal, as a tally of numbered cells names them."""
    found = set()
    for path in run_paths(store).values():
        names: dict[int, str] = {}
        for told in read_run(path):
            if isinstance(told, NodeFacts):
                names.setdefault(told.number, str(told.facts.get("name", "")))
            if isinstance(told, Trace):
                rows = zip(told.each_node(), told.numbers, told.keys, told.records, strict=True)
                found |= {_line(names[node], number) for node, number, key, record in rows if key and record}
    return found


def _line(name: str, number: int) -> str:
    return f"{name} {'' if name in _SINGLE else number}"


def spools() -> set[str]:
    """Name the spools in shared memory."""
    try:
        return {name for name in os.listdir(SHARED_MEMORY) if SPOOL_DIRECTORY.fullmatch(name)}
    except OSError:
        return set()


_seen: set[str] = set()  # the spools of scripts that met us: others on this machine have spools as well


def _spools_of(pid: int) -> set[str]:
    """Name the spools whose locks a process holds open."""
    found = set()
    with suppress(OSError):
        for entry in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                found.add(Path(os.readlink(f"/proc/{pid}/fd/{entry}")).parent.name)
    return {name for name in found if SPOOL_DIRECTORY.fullmatch(name)}


@contextmanager
def shared_memory_as_before() -> Iterator[None]:
    """Fail if a spool of a script is left in shared memory whose owner is dead."""
    before = spools()
    yield

    def clean() -> bool:
        return not any(_abandoned(SHARED_MEMORY / name) for name in (spools() - before) & _seen)

    until(clean, f"nothing new in {SHARED_MEMORY}")


def _abandoned(spool: Path) -> bool:
    """Tell whether it is there, and nobody holds its lock; a look makes nothing, unlike an attempt to take the lock."""
    try:
        lock = os.open(spool / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return spool.exists()
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return spool.exists()


def leftovers(store: Path) -> list[str]:
    """Name what lies in the store's `tmp/`."""
    tmp = store / "v1" / "tmp"
    return sorted(str(path.relative_to(tmp)) for path in tmp.rglob("*")) if tmp.exists() else []


def unverified(store: Path) -> list[str]:
    """Name the stored arrays whose content does not have the digest in their name, and what lies beside them."""
    arrays = store / "v1" / "arrays"
    files = [path for path in arrays.rglob("*") if path.is_file()]
    return [f.name for f in files if f"{blake3(f.read_bytes()).hexdigest()}.npy" != f.name]
