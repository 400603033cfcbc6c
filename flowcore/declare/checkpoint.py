"""``fc.Checkpoint()``: a long loop that can be interrupted, and goes on where it was.

Owns the loop: which step is next, what the state consists of, and when something is due.
Where a state is kept, and whether it is time to keep it, is a seat's affair (`seat.py`): in
a plain call it is an ordinary loop with no file.
Promises that a step costs well under a microsecond while nothing is due, and that
whatever a seat does happens between two steps, with the state as the last one left it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import index
from typing import Any, ClassVar, Final

from flowcore.amounts import seconds
from flowcore.clock import monotonic
from flowcore.declare.alone import Alone
from flowcore.declare.leaving import at_exception
from flowcore.declare.putback import overwrite
from flowcore.declare.seat import NEVER, Saved, Seat, State, values_of
from flowcore.declare.shared import shared
from flowcore.errors import BadOption
from flowcore.resuming import SharedState

CHECKPOINT: Final = "checkpoint"  # the kind of request, see injected.py


class Checkpoint:
    """Keeps the state of a long loop, so that it goes on where it was after any interruption.

    As the default of a parameter it asks for a checkpoint: each running cell is supplied
    with its own, whose states are kept in the store under the cell's key. Called plainly,
    outside a run, it is an ordinary loop with no file.

    Parameters
    ----------
    every : float or str
        Seconds between two saves, at least; they are further apart where a save takes more
        than one hundredth of that.
    mtbf : float or str, optional
        Mean time between failures of the machine, if it is known: then states are saved at
        Daly's optimum interval [1]_ instead.

    References
    ----------
    .. [1] J. T. Daly, "A higher order estimate of the optimum checkpoint interval for
       restart dumps", Future Generation Computer Systems 22(3), 2006.

    Examples
    --------
    >>> def decay(years, ckpt=Checkpoint()):
    ...     s = ckpt.state(mass=8.0)              # what was saved, if this cell was interrupted
    ...     for year in ckpt.steps(years):        # goes on at the saved step
    ...         s.mass = s.mass / 2
    ...         ckpt.append(mass=s.mass)          # a series on disk
    ...         ckpt.metric(mass=s.mass)          # a live number
    ...     return s.mass, ckpt.series("mass")
    >>> decay(3)
    (1.0, array([4., 2., 1.]))
    """

    __injects__: ClassVar[str] = CHECKPOINT
    _seat: Seat
    _entered: bool  # whether the seat was asked for a saved state
    _inside: bool
    _loop: int  # which loop it is, or is next
    _initial: Mapping[str, object]  # the state from the start, until the loop begins
    _taken: Mapping[str, object] | None  # the values that were taken up, until the loop begins
    _jump: int | None  # the step that ckpt.restore() went back to

    def __init__(self, *, every: float | str = "30s", mtbf: float | str | None = None) -> None:
        self.every = seconds(every, option="every")
        self.mtbf = None if mtbf is None else seconds(mtbf, option="mtbf")
        self._begin(Alone())

    def __options__(self) -> dict[str, object]:
        """Give what a supplier has to know."""
        return {"every": self.every, "mtbf": self.mtbf}

    def __alone__(self) -> Checkpoint:
        """Give what a plain call gets."""
        return Checkpoint(every=self.every, mtbf=self.mtbf)

    def __repr__(self) -> str:
        return f"fc.Checkpoint(every={self.every:g})"

    @classmethod
    def of(cls, seat: Seat) -> Checkpoint:
        """Give the checkpoint of a running cell."""
        checkpoint = cls()
        checkpoint._begin(seat)
        return checkpoint

    def state(self, **initial: object) -> Any:
        """Give the state: what was saved, if this cell was interrupted, else what is given here.

        What comes before the loop is executed again when a cell is resumed, with random
        streams as they stood at the start: they are moved to where they were saved when the
        loop begins. What it computes from the state, it computes from the saved one then.

        Parameters
        ----------
        **initial
            Arrays, numbers, text, and containers of them: all that a step needs from the
            one before. Attributes of the state can be assigned to; no others can be added.

        Returns
        -------
        State
            With an attribute for each name.

        Raises
        ------
        NotStorable
            If a value cannot be kept.
        SharedState
            If two of the values share memory, or are one list, dict or set.
        RuntimeError
            If the loop has begun.
        """
        if isinstance(self._seat, Alone):
            self._begin(Alone())  # a default that is used as it is serves one call after the other
        elif self._entered:
            raise RuntimeError("ckpt.state() comes before the loop, and once")
        if one := shared(initial):
            raise SharedState(cell="", names=one, refused=True)
        kind = type("State", (State,), {"__slots__": tuple(initial)})
        self._state = kind()
        self._initial = initial
        self._put(initial)
        self._enter(initial)
        return self._state

    def steps(self, n: int, unsaved: Iterable[str] = ()) -> Iterator[int]:  # noqa: ARG002 - read while drawing
        """Iterate over the steps that are left of `n`, saving the state between them when that is due.

        Parameters
        ----------
        n : int
            Steps in all.
        unsaved : names
            Variables that may change in the loop although they are not in the state,
            because no step needs what an earlier one left in them.

        Yields
        ------
        int
            The number of the step, from 0 on; from the saved one on, if there is a saved state.
        """
        total = index(n)
        step = self._into_loop()
        if step is None:
            return
        if step > max(total, 0):
            self._seat.start_over(self._loop, total)
        self._initial = {}
        self._seat.enter(self._loop, done=False)
        seat, pulse = self._seat, self._seat.pulse
        try:
            while step < total:
                yield step
                step += 1
                pulse.step = step
                if step >= seat.mark or pulse.stopping or monotonic() >= seat.wake:
                    step = self._attend(step, total)
        except GeneratorExit:
            self._leave()
            raise
        finally:
            self._inside = False
        self._out_of_loop(total)

    def while_(self, going: Callable[[], object], unsaved: Iterable[str] = ()) -> Iterator[int]:  # noqa: ARG002
        """Iterate as long as a condition holds: for loops whose number of steps is not known.

        Parameters
        ----------
        going : callable
            Looks at the state, and tells whether another step is needed:
            ``for step in ckpt.while_(lambda: s.t < t_end)``.
        unsaved : names
            As for :meth:`steps`.

        Yields
        ------
        int
            The number of the step, from 0 on.
        """
        step = self._into_loop()
        if step is None:
            return
        seat, pulse = self._seat, self._seat.pulse
        try:
            resumed = step
            while seat.lengthens and self._resumed and step > 0 and not going():
                step = self._back_to(step - 1)  # a longer simulation has been here: from nearest before, and on
            if step < resumed:
                seat.start_over(self._loop, step)
            self._initial = {}
            seat.enter(self._loop, done=False)
            while going():
                yield step
                step += 1
                pulse.step = step
                if step >= seat.mark or pulse.stopping or monotonic() >= seat.wake:
                    step = self._attend(step, None)
        except GeneratorExit:
            self._leave()
            raise
        finally:
            self._inside = False
        self._out_of_loop(step)

    def metric(self, **numbers: Any) -> None:
        """Show live numbers: in the bar, in the journal, in the report."""
        self._seat.metric(numbers)

    def append(self, **frames: object) -> None:
        """Add a frame, a number or an array, to each of these series on disk."""
        self._enter({})
        for name, frame in frames.items():
            self._seat.append(name, frame, inside=self._inside)

    def series(self, name: str) -> Any:
        """Give a series as an array, its first axis along the frames; in a run it is mapped, never held whole.

        Raises
        ------
        LookupError
            If nothing was appended to it.
        """
        self._enter({})
        return self._seat.series(name)

    def save(self) -> None:
        """Save the state: within a step when it is complete, outside of loops now."""
        self._enter({})
        if self._inside:
            self._asked, self._seat.wake = True, -NEVER
        else:
            self._seat.save(self._loop, 0, self._values, inside=False)

    def restore(self) -> Any:
        """Go back to the state that was saved last, and give it; the loop goes on from its step.

        Raises
        ------
        ResumeMismatch
            If there is one, and it is of other code.
        LookupError
            If there is none.
        """
        self._enter({})
        loop, step, values = self._seat.last()
        if self._inside and loop == self._loop:
            self._jump, self._seat.wake = step, -NEVER
        elif loop == self._loop:
            self._saved, self._taken = (loop, step), None  # where an exception ended the loop, it is entered again
        self._put(values)
        return self._state

    # ---- inside ----------------------------------------------------------------------

    def _begin(self, seat: Seat) -> None:
        self._seat = seat
        self._state = State()
        self._initial = {}
        self._entered = False  # whether the seat was asked for a saved state
        self._resumed = False  # whether it had one
        self._taken = None
        self._saved = (0, 0)  # loops, and steps of the next one, that are done
        self._loop = 0  # which loop it is, or is next
        self._inside = False
        self._asked = False  # whether ckpt.save() waits for the end of the step
        self._jump = None

    def _values(self) -> dict[str, object]:
        return values_of(self._state)

    def _put(self, values: Mapping[str, object]) -> None:
        for name, value in values.items():
            setattr(self._state, name, value)

    def _enter(self, initial: Mapping[str, object]) -> None:
        """Ask the seat for a saved state, once."""
        if self._entered:
            return
        self._entered = True
        self._take_up(self._seat.first(initial))

    def _take_up(self, saved: Saved | None) -> int:
        """Put a saved state in place, or the one from the start; give its step."""
        loop, step, values = saved or (0, 0, self._initial)
        self._saved, self._resumed = (loop, step), saved is not None
        if not self._resumed:
            self._initial = {}  # nobody goes further back
        self._put(values)
        self._taken = values if self._resumed else None
        return step

    def _into_loop(self) -> int | None:
        """Give the step at which the next loop begins; None: it was complete when the state was saved."""
        if self._inside:
            raise RuntimeError("a loop over ckpt.steps inside another one: only the outer one can be gone on with")
        self._enter({})
        if self._loop and self._seat.lengthens:
            # A longer simulation goes on where the last loop ended; the loops before it would keep their old lengths.
            raise BadOption(
                option="extend", found="a second loop over the checkpoint's steps",
                expected="available for one loop only: put the loops into tasks of their own",
            )  # fmt: skip
        loop, self._inside = self._loop, True
        done, step = self._saved
        if loop < done:
            self._seat.enter(loop, done=True)
            self._loop, self._inside = loop + 1, False
            return None
        if loop != done:
            return 0
        if self._taken is not None:
            self._put_back(self._taken)
        return step

    def _put_back(self, taken: Mapping[str, object]) -> None:
        """Have the state as it was saved: what comes before the loop was executed again, and may have changed it."""
        self._taken = None
        for name, value in self._seat.altered(self._values).items():
            if getattr(self._state, name) is not taken.get(name) or not overwrite(taken[name], value):
                setattr(self._state, name, value)

    def _leave(self) -> None:
        """Count a loop that its body leaves by ``break`` or ``return``; after an exception it may be entered again."""
        if not at_exception():
            self._seat.left(self._loop)
            self._loop += 1
            self._resumed = False

    def _back_to(self, step: int) -> int:
        return self._take_up(self._seat.earlier(self._loop, step))

    def _out_of_loop(self, step: int) -> None:
        self._seat.ended(self._loop, step, self._values)
        self._loop += 1
        self._resumed = False

    def _attend(self, step: int, total: int | None) -> int:
        """Let the seat do what is due; give the step that is next."""
        if self._jump is not None:
            step, self._jump = self._jump, None
            self._seat.pulse.step = step
        if self._asked:
            self._asked = False
            self._seat.save(self._loop, step, self._values, inside=True)
        self._seat.attend(self._loop, step, total, self._values)
        return step
