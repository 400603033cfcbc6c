"""The slot: where a worker says what it is on, readable after its death (contract W5).

A slot is an anonymous file that the engine and one worker map. It is written by plain
stores, so telling costs no system call, and the last store before a SIGKILL is there::

    byte  0  attempt   the attempt that runs; 0: none. Set before its first input is opened
          8  started   clock.monotonic of its beginning; the clock is the machine's, so the
                       engine may subtract
         16  phase     one of PHASES, as its index
         24  step      the last step a loop over `ckpt.steps` finished
         32  stop      1: begin nothing more, save and stop
         40  batch     serial number of the last batch taken up; 0: none yet in this run,
                       -1: has not entered the run. Tells who died idle from who died between cells
       4096  text      what faulthandler wrote, up to the first zero byte

The worker alone writes attempt, started, phase, step and batch, which the engine resets
before a run; `stop` is set by the engine and by the worker's signal handler, and taken
back by the engine alone.

`begin` stores `started` before `attempt`: who reads between the two sees the old attempt
with a younger start, hence at worst looks at its deadline once more.
"""

from __future__ import annotations

import mmap
from typing import Literal

from flowcore import clock
from flowcore.run import proc

Phase = Literal["", "inputs", "call", "result"]
PHASES: tuple[Phase, ...] = ("", "inputs", "call", "result")
TEXT = 4096  # where faulthandler's text begins
SIZE = TEXT + 64 * 1024


class LocalSlot:
    """A slot within one process: for threads, the event loop and tests.

    Attributes
    ----------
    attempt : int
        The attempt that runs; 0: none.
    started : float
        clock.monotonic when it began.
    phase : {"", "inputs", "call", "result"}
        What it is at.
    step : int
        The last step it finished.
    """

    __slots__ = ("_stopping", "attempt", "phase", "started", "step")

    def __init__(self) -> None:
        self.attempt = 0
        self.started = 0.0
        self.phase: Phase = ""
        self.step = 0
        self._stopping = False

    def begin(self, attempt: int) -> None:
        """Say that `attempt` begins now."""
        self.started = clock.monotonic()
        self.attempt = attempt

    def clear(self) -> None:
        """Say that nothing runs."""
        self.attempt = 0
        self.phase = ""
        self.step = 0

    @property
    def stopping(self) -> bool:
        """Whether no further cell may begin, and a running one should save and stop."""
        return self._stopping

    def ask_to_stop(self) -> None:
        """Set the stop flag. Any thread, also a signal handler."""
        self._stopping = True

    def go_on(self) -> None:
        """Take the stop flag back."""
        self._stopping = False


class Slot:
    """A slot in mapped memory; the same interface as :class:`LocalSlot`."""

    __slots__ = ("_floats", "_ints", "_map")

    def __init__(self, file: int) -> None:
        self._map = mmap.mmap(file, SIZE)
        self._ints = memoryview(self._map)[:48].cast("q")
        self._floats = memoryview(self._map)[:48].cast("d")

    def begin(self, attempt: int) -> None:
        """Say that `attempt` begins now."""
        self._floats[1] = clock.monotonic()
        self._ints[0] = attempt

    def clear(self) -> None:
        """Say that nothing runs."""
        ints = self._ints
        ints[0] = 0
        ints[2] = 0
        ints[3] = 0

    @property
    def attempt(self) -> int:
        """The attempt that runs; 0: none."""
        return self._ints[0]

    @property
    def started(self) -> float:
        """`clock.monotonic` when it began."""
        return self._floats[1]

    @property
    def phase(self) -> Phase:
        """What it is at."""
        index = self._ints[2]
        return PHASES[index] if 0 <= index < len(PHASES) else ""

    @phase.setter
    def phase(self, phase: Phase) -> None:
        self._ints[2] = PHASES.index(phase)

    @property
    def step(self) -> int:
        """The last step it finished."""
        return self._ints[3]

    @step.setter
    def step(self, step: int) -> None:
        self._ints[3] = step

    @property
    def stopping(self) -> bool:
        """Whether no further cell may begin, and a running one should save and stop."""
        return self._ints[4] != 0

    def ask_to_stop(self) -> None:
        """Set the stop flag. Any thread or process, also a signal handler."""
        self._ints[4] = 1

    def go_on(self) -> None:
        """Take the stop flag back."""
        self._ints[4] = 0

    @property
    def batch(self) -> int:
        """The last batch taken up; 0: none in this run, -1: not in the run yet."""
        return self._ints[5]

    @batch.setter
    def batch(self, serial: int) -> None:
        self._ints[5] = serial

    @property
    def text(self) -> str:
        """What faulthandler wrote before the end of the process."""
        raw = self._map[TEXT:]
        return raw[: raw.find(b"\0")].decode("utf-8", "replace") if raw[0] else ""

    def close(self) -> None:
        """Let go of the memory."""
        self._ints.release()
        self._floats.release()
        self._map.close()


def slot_file() -> int:
    """Make the file of a slot; the caller closes it."""
    return proc.anonymous_file("flowcore-slot", size=SIZE)
