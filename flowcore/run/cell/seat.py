"""Where the states of one running cell are kept: the worker's side of ``fc.Checkpoint()``.

Owns the decision when to save, from which state to go on, and what is told on the way.
Promises that a state of other code or other arguments is never taken up unless the user
said so (contract F34, E12); that a save which fails costs one warning and no simulation
(C5); that the random streams go on exactly where they were; and that a loop that was told
to stop saves first, and can never be taken for one that ended. One thread: the cell's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final, cast

from flowcore import clock
from flowcore.dataclass import dataclass
from flowcore.declare.seat import NEVER, NO_STEP, Pulse, Saved, StartOver, Stopped, Values
from flowcore.declare.shared import shared
from flowcore.errors import FlowcoreWarning, NotStorable, StoreUnavailable
from flowcore.plan.encode import BadRecord, NoEncoding, ValueGone, encode
from flowcore.plan.extension import array_digest
from flowcore.plan.interval import until_next_save
from flowcore.resuming import SharedState
from flowcore.run.cell.claim import Claim, misfit
from flowcore.run.cell.collected import Collected
from flowcore.run.cell.streamstate import put_streams, streams_of, streams_state
from flowcore.run.job import Metric
from flowcore.store.checkpoint import Checkpoints
from flowcore.store.generations import PLACE, Generations
from flowcore.store.manifest import Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

TELL: Final = 1.0  # seconds between two messages about where a loop is
_MOMENT: Final = 0.1  # seconds to the first of them


@dataclass(kw_only=True, slots=True)
class Around:
    """What a seat needs of the place where its cell runs."""

    checkpoints: Checkpoints | None  # None: nothing can be kept
    pulse: Pulse
    tell: Callable[[Metric], None]
    warn: Callable[[FlowcoreWarning], None]


@dataclass(kw_only=True)
class CellSeat:
    """The states of one cell, while it runs.

    Attributes
    ----------
    stopped : bool
        The loop was ended because its run stops: whatever the task gives now is no result.
    """

    claim: Claim
    around: Around
    attempt: int
    made: Mapping[str, object]  # what its task was supplied with, by parameter: its random streams are among it
    calls: MutableMapping[str, int]
    limit: tuple[int, int] | None = None  # no state behind this loop and step is taken up
    again: tuple[int, int] | None = None  # the task is to be called anew, with this limit
    stopped: bool = False
    wake: float = -NEVER  # the first step sets the clocks
    mark: int = NO_STEP
    _home: Generations | None = None
    _last: tuple[int, Manifest] | None = None  # what was saved or taken up last
    _series: Collected = field(default_factory=Collected)
    _outside: dict[str, int] = field(default_factory=dict)  # frames added outside of loops in this attempt, by series
    _before: dict[str, int] = field(default_factory=dict)  # and those in the state that was taken up
    _due: dict[str, Any] | None = None  # where the streams are to stand once the loop begins
    _after: list[dict[str, Any]] = field(default_factory=list)  # where they stood after each loop that is done
    _names: Mapping[str, object] = field(default_factory=dict)
    _adopted: dict[str, Any] | None = None
    _inside: bool = True  # whether what is saved just now is the state of a loop
    _outside_taken: bool = False  # whether what was taken up is not
    _told_shared: bool = False  # whether it was told that parts of the state are one
    _metrics: dict[str, Any] = field(default_factory=dict)
    _save_at: float = 0.0
    _tell_at: float = 0.0

    def __post_init__(self) -> None:
        if self.around.checkpoints is not None and self.claim.key:
            self._home = self.around.checkpoints.at(self.claim.key)
        self._series.home = self._home
        self.mark = self.claim.next_kept(0)

    @property
    def streams(self) -> dict[str, Any]:
        """The cell's random streams, by parameter."""
        return streams_of(self.made)

    @property
    def pulse(self) -> Pulse:
        """The worker's slot, or what stands for it."""
        return self.around.pulse

    @property
    def lengthens(self) -> bool:
        """Whether states of a longer simulation are kept here as well."""
        return self.claim.lengthens

    # ---- going on --------------------------------------------------------------------

    def first(self, initial: Mapping[str, object]) -> Saved | None:
        """Give the state to go on from; see `flowcore.declare.checkpoint.Seat`."""
        self._refuse_unkept(initial)
        self._names = dict.fromkeys(initial)
        if self._home is None:
            return None
        found = self._own(self._candidates(), initial)
        if found is None and self._last is None and self.limit is None and self.around.checkpoints is not None:
            found = self._others(self.around.checkpoints, initial)
        if found is not None:
            self.mark = self.claim.next_kept(found[1])
        return found

    def earlier(self, loop: int, step: int) -> Saved | None:
        """Give the state at a step of a loop, or nearest before it; None: from the start."""
        before = [(number, m) for number, m in self._candidates() if m.loop == loop and m.step <= step]
        return self._own(sorted(before, key=lambda pair: pair[1].step, reverse=True), self._names)

    def start_over(self, loop: int, step: int) -> None:
        """Have the task called anew, to go on from a state at a step or nearest before it."""
        self.again = (loop, step) if step else (loop, -1)
        raise StartOver(self.again)

    def last(self) -> Saved:
        """Give the state that was saved last."""
        found = self._own(self._candidates(), self._names)
        if found is not None:
            self.enter(found[0], done=False)
            return found
        if self.around.checkpoints is not None:
            claim = self.claim
            for _, manifest in self.around.checkpoints.others(claim.key, task=claim.task, cell=claim.cell):
                raise claim.mismatch(manifest, refused=True)
        raise LookupError("no state of this cell was saved yet")

    def _candidates(self) -> list[tuple[int, Manifest]]:
        """Give the states there are, best first: the furthest where a simulation may be lengthened, else the newest."""
        if self._home is None:
            return []
        limit = self.limit
        found = [(number, m) for number, m in self._home.found() if limit is None or m.place <= limit]
        return sorted(found, key=lambda pair: (pair[1].place, pair[0]), reverse=True) if self.lengthens else found

    def _own(self, candidates: list[tuple[int, Manifest]], names: Mapping[str, object]) -> Saved | None:
        """Take up the first of these states that verifies in full and fits."""
        assert self._home is not None or not candidates, "states are at home"
        for number, manifest in candidates:
            home = cast(Generations, self._home)
            values = home.values(number, manifest)
            if values is None:
                continue
            if set(values) != set(names):
                self.around.warn(self.claim.misfits(manifest, f"it has {_listed(values)}, not {_listed(names)}"))
                return None
            if not self._series.cut(manifest.series):
                home.distrust(number, "a series of it")
                continue
            if why := self._prepare_streams(home, manifest):
                self.around.warn(self.claim.misfits(manifest, why))
                return None
            self._last = (number, manifest)
            return manifest.loop, manifest.step, values
        return None

    def _others(self, checkpoints: Checkpoints, initial: Mapping[str, object]) -> Saved | None:
        """Do about states of other code what the user said: leave them, remove them, or go on from the newest."""
        claim = self.claim
        others = checkpoints.others(claim.key, task=claim.task, cell=claim.cell)
        if not others:
            return None
        if claim.resume == "discard":
            for key, _ in others:
                checkpoints.remove(key)
            return None
        key, manifest = others[0]
        if claim.resume == "adopt":
            return self._adopt(checkpoints.at(key), manifest, initial)
        self.around.warn(claim.mismatch(manifest))
        return None

    def _adopt(self, other: Generations, manifest: Manifest, initial: Mapping[str, object]) -> Saved:
        """Go on from a state of other code, whose files stay as they are."""
        number = next(n for n, m in other.found() if m == manifest)
        values = other.values(number, manifest)
        why = "its files are damaged" if values is None else misfit(values, initial)
        why = why or self._prepare_streams(other, manifest)
        if why or values is None:
            raise self.claim.misfits(manifest, why, refused=True)
        self._series.copy(other, manifest.series)
        self._adopted = self._due
        self._save(manifest.loop, manifest.step, lambda: values, mark="")
        self._adopted = None
        return manifest.loop, manifest.step, values

    def _prepare_streams(self, home: Generations, manifest: Manifest) -> str:
        """Take note of where the random streams stood; give why that does not fit, if it does not.

        A state that was saved in a loop has them moved there when the loop begins, so that
        what is drawn before it is drawn again; any other at once.
        """
        try:
            found = cast("dict[str, Any]", home.decode(manifest.generator) if manifest.generator else {})
            stood, have = set(found.get("streams", {})), set(self.streams)
        except (ValueGone, BadRecord, TypeError) as bad:
            return f"where its random streams stood cannot be read ({bad})"
        if stood != have:
            return f"it has the random streams {sorted(stood)}, and the task has {sorted(have)}"
        self._due, self._after = found, list(found.get("after", ()))
        self._before = dict(found.get("outside", {}))
        self._outside_taken = not found.get("inside", True)
        if self._outside_taken and self.streams:
            self.enter(0, done=False)
        return ""

    def _streams_now(self) -> dict[str, object]:
        """Give where the streams stand, and what else belongs to them; empty if there is nothing to tell."""
        if self._adopted is not None:
            return self._adopted
        state = streams_state(self.streams, self.calls)
        if self._outside:
            state["outside"] = {**self._before, **self._outside}
        if state or not self._inside:
            state |= {"inside": self._inside, "after": list(self._after)}
        return state

    def _refuse_unkept(self, initial: Mapping[str, object]) -> None:
        """Say at once, and not after the first half minute, that a state cannot be saved."""
        for name, value in initial.items():
            try:
                encode(value, put=lambda header, data: bytes(32))
            except NoEncoding as refused:
                raise NotStorable(
                    node=f"{self.claim.cell}, ckpt.state()",
                    path=f"{name}{refused.path}",
                    kind=refused.kind,
                    refused=True,
                ) from None

    # ---- between two steps -----------------------------------------------------------

    def attend(self, loop: int, step: int, total: int | None, values: Values) -> None:
        """Do what is due after a step."""
        now = clock.monotonic()
        if self.wake == -NEVER and not self._save_at:
            self._save_at, self._tell_at = now + self.claim.every, now + _MOMENT
        marked = step >= self.mark
        if self.pulse.stopping:
            self._stop(loop, step, total, values)
        if marked or now >= self._save_at:
            self._save(loop, step, values, mark="kept" if marked else "")
            self.mark = self.claim.next_kept(step)
        if now >= self._tell_at:
            self._tell(step, total)
            self._tell_at = now + TELL
        self.wake = min(self._save_at, self._tell_at)

    def ended(self, loop: int, step: int, values: Values) -> None:
        """Take note that a loop is complete; where it may be lengthened, this is where it goes on."""
        if self.lengthens:
            self._save(loop, step, values, mark="end")
        self._after[loop:] = [streams_state(self.streams, self.calls)]

    def left(self, loop: int) -> None:
        """Take note of where the streams stand behind a loop that was left by ``break``."""
        self._after[loop:] = [streams_state(self.streams, self.calls)]

    def altered(self, values: Values) -> dict[str, object]:
        """Give what was taken up, for each name whose value is another by now; nothing, if saved outside loops."""
        if self._home is None or self._last is None or self._outside_taken:
            return {}
        number, manifest = self._last
        differing = {name for name, value in values().items() if _record_of(value) != manifest.records[name]}
        if not differing:
            return {}
        again = self._home.values(number, manifest)
        if again is None:  # damaged since: it was put aside, and there is the one before
            self.start_over(manifest.loop, manifest.step)
            return {}
        return {name: again[name] for name in differing}

    def enter(self, loop: int, *, done: bool) -> None:
        """A loop begins, or is passed over: what is drawn before and between loops is what it was the first time."""
        state, self._due = (self._after[loop] if loop < len(self._after) else None, self._due) if done else (
            self._due, None
        )  # fmt: skip
        if state is not None:
            put_streams(self.streams, self.calls, state)

    def save(self, loop: int, step: int, values: Values, *, inside: bool) -> None:
        """Save now, and end here if the run stops."""
        self._inside = inside
        if self.pulse.stopping:
            self._stop(loop, step, None, values)
        self._save(loop, step, values, mark="")
        self._inside = True

    def metric(self, numbers: Mapping[str, Any]) -> None:
        """Take note of live numbers; they leave about once a second."""
        self._metrics.update(numbers)

    def append(self, name: str, value: object, *, inside: bool) -> None:
        """Add a frame to a series; what an interrupted attempt had added outside of loops is there already."""
        if not inside:
            count = self._outside[name] = self._outside.get(name, 0) + 1
            if count <= self._before.get(name, 0):
                return
        self._series.append(name, value)

    def series(self, name: str) -> NDArray[Any]:
        """Give a series."""
        return self._series.read(name, mapped=self._mapped)

    def close(self) -> None:
        """Let go of the files."""
        self._series.close()

    @property
    def _mapped(self) -> bool:
        return self.around.checkpoints is not None and self.around.checkpoints.home.mapped

    def _stop(self, loop: int, step: int, total: int | None, values: Values) -> None:
        self.stopped = True
        self._save(loop, step, values, mark="")
        self._tell(step, total)
        raise Stopped

    def _save(self, loop: int, step: int, values: Values, *, mark: str) -> None:
        began = clock.monotonic()
        if self._home is not None:
            try:
                self._write(self._home, loop, step, values(), mark)
            except StoreUnavailable:
                pass  # told of once, by whoever met it; the state before this one is still there
            except OSError as error:  # of a series: its frames wait in memory
                self._home.failed(error)
            except NoEncoding as refused:
                self.around.warn(
                    NotStorable(node=f"{self.claim.cell}, its state", path=refused.path, kind=refused.kind)
                )
        now = clock.monotonic()
        self._save_at = now + until_next_save(now - began, every=self.claim.every, mtbf=self.claim.mtbf)
        self.wake = min(self._save_at, self._tell_at)

    def _write(self, home: Generations, loop: int, step: int, values: dict[str, object], mark: str) -> None:
        claim = self.claim
        if not self._told_shared and (one := shared(values)):
            self._told_shared = True
            self.around.warn(SharedState(cell=claim.cell, names=one))
        state = self._streams_now()
        records = home.encode(values | ({"": state} if state else {}))
        generator = records.pop("", b"")
        manifest = Manifest(
            loop=loop, step=step, records=records, generator=generator, series=self._series.commit(),
            components=claim.components, cell=claim.cell, task=claim.task, run=self._run, wall=clock.wall(), mark=mark,
        )  # fmt: skip
        if self._last is not None and manifest.same_state(self._last[1]):
            return
        self._last = (home.save(manifest), manifest)

    @property
    def _run(self) -> str:
        return self.around.checkpoints.home.run_id if self.around.checkpoints is not None else ""

    def _tell(self, step: int, total: int | None) -> None:
        self.around.tell(
            Metric(attempt=self.attempt, step=step, steps=total or 0, numbers=dict(_numbers(self._metrics)))
        )


def _record_of(value: object) -> bytes:
    """Give the record that a value of a state has; empty if it cannot be kept."""
    try:
        return encode(value, put=array_digest, place=PLACE).record
    except NoEncoding:
        return b""


def _numbers(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in metrics.items():
        try:
            yield name, float(value)
        except (TypeError, ValueError):
            continue


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names)) or "nothing"
