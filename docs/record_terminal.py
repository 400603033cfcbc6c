"""Records docs/terminal_session.md: a session in a terminal, as a person sees it.

A pseudo-terminal of 84 columns runs each command; what it shows is read back from an
emulated screen at the moments that are named. ``python docs/record_terminal.py`` writes
the page; `tests/test_terminal.py` uses the same `Terminal` and checks the screens.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from pathlib import Path

import pexpect
import pyte

HERE = Path(__file__).parent
COLUMNS, LINES = 84, 40
PATIENCE = 60.0  # seconds that a screen is waited for
PAINTED = re.compile(rb"(?<=\x1b\[J)")  # flowcore ends with this whatever it paints


class Terminal:
    """A command in a terminal, and what is on its screen.

    Parameters
    ----------
    command : sequence of str
    cwd : Path
    environment : mapping, optional
        Variables besides those that there are.
    """

    def __init__(self, command: Sequence[str], *, cwd: Path, environment: dict[str, str] | None = None) -> None:
        self._screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self._screen)
        unwanted = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
        inherited = {name: value for name, value in os.environ.items() if name not in unwanted}
        inherited["PYTHONPATH"] = str(HERE.parent)
        self._child = pexpect.spawn(
            command[0], list(command[1:]), cwd=str(cwd), dimensions=(LINES, COLUMNS),
            env=inherited | {"TERM": "xterm-256color", "FLOWCORE_STORE": ".flowcore"} | (environment or {}),
        )  # fmt: skip
        self.raw = b""
        self._read: deque[bytes] = deque()  # and not yet on the screen

    @property
    def screen(self) -> str:
        """What is to be seen."""
        return "\n".join(line.rstrip() for line in self._screen.display).strip("\n")

    def until(self, pattern: str) -> str:
        """Wait until the screen shows something; give the screen."""
        return self._watch(lambda: re.search(pattern, self.screen, re.MULTILINE) is not None, pattern)

    def end(self) -> str:
        """Wait for the command to end; give the screen."""
        screen = self._watch(lambda: False, "the end", to_the_end=True)
        self._child.close()
        return screen

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal."""
        return self._child.exitstatus if self._child.signalstatus is None else -self._child.signalstatus

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._child.sendintr()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold the run's workers still, whatever they are at: what follows happens while cells run."""
        launchers = _children({self._child.pid})
        workers = _children(launchers)
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)

    def kill(self) -> None:
        """End the command, however far it is."""
        self._child.kill(signal.SIGKILL)
        self._child.close()

    def _watch(self, seen: Callable[[], bool], what: str, *, to_the_end: bool = False) -> str:
        limit = time.monotonic() + PATIENCE
        while not seen():
            if self._read:  # one picture at a time: who reads late sees the same as who reads at once
                self._stream.feed(self._read.popleft())
                continue
            try:
                piece = self._child.read_nonblocking(65536, timeout=0.05)
            except pexpect.TIMEOUT:
                piece = b""
            except pexpect.EOF:
                if to_the_end or seen():
                    return self.screen
                raise AssertionError(f"ended without {what!r}:\n{self.screen}") from None
            self.raw += piece
            self._read.extend(PAINTED.split(piece))
            if time.monotonic() > limit:
                raise AssertionError(f"no {what!r} in {PATIENCE} s:\n{self.screen}")
        return self.screen


def _children(parents: AbstractSet[int]) -> set[int]:
    """Give the processes that these have started, and that live."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            after = status.read_text().rpartition(")")[2].split()
            if int(after[1]) in parents:
                found.add(int(status.parent.name))
    return found


def record(where: Path) -> str:
    """Play the session in an empty directory; give the page."""
    shutil.copy(HERE / "recorded" / "terminal.py", where / "stations.py")
    command = [sys.executable, "stations.py"]
    parts = ["# A session in a terminal", "", *INTRODUCTION]

    def take(title: str, screen: str) -> None:
        parts.extend(["", title, "", RECORDED, "```text", f"$ python stations.py\n{tidy(screen, where)}", "```"])

    first = Terminal(command, cwd=where)
    take("While it runs: a row a task, I/O apart.", first.until(r"simulate .* 16 {3,5}[4-9] .*/s"))
    with first.frozen():
        first.interrupt()
        take("Ctrl-C: nothing new is begun, and what runs may finish.", first.until("stopping"))
    take("Then the run is over, and says how to go on.", first.end())
    second = Terminal(command, cwd=where)
    take("The same command goes on. What was finished comes from the store.", second.end())
    script = where / "stations.py"
    script.write_text(script.read_text().replace("sum(samples) * rate", "sum(samples) / (rate - 0.5)"))
    third = Terminal(command, cwd=where)
    take("An edit of `simulate` that fails for one rate.", third.end())
    return "\n".join(parts) + "\n"


RECORDED = "<!-- not run: a recorded screen; tests/test_terminal.py plays the session again -->"
INTRODUCTION = (
    "What one sees when a flow runs, is interrupted, goes on, and fails. The page is made by",
    "`docs/record_terminal.py`, which runs `docs/recorded/terminal.py` in a pseudo-terminal and reads the screen.",
)


def tidy(screen: str, where: Path) -> str:
    """Leave out where and when the session was recorded."""
    screen = screen.replace(f"{where}/", "").replace(str(HERE.parent) + "/", "")
    return re.sub(r"\d{8}T\d{6}-[0-9a-f]{16}", "20260101T120000-0123456789abcdef", screen)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        (HERE / "terminal_session.md").write_text(record(Path(directory)))
