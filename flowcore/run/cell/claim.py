"""What a cell's checkpoint is claimed with: its key, and what that was made of.

Owns the form in which the engine hands it to whoever runs the cell, and the comparison
with a state that was saved under another key: which component differs, told as far as it
is known without reading anything (contract E12).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Literal, cast

from flowcore import clock
from flowcore.dataclass import dataclass
from flowcore.declare.seat import NO_STEP
from flowcore.plan.encode import BadRecord, ValueGone, decode, no_fetch
from flowcore.plan.keys import NOTE, difference
from flowcore.plan.sketch import sketch
from flowcore.resuming import ResumeMismatch
from flowcore.run.job import dumps, loads
from flowcore.store.manifest import Manifest

Resume = Literal["own", "adopt", "discard"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A cell's claim to a checkpoint.

    Attributes
    ----------
    key : bytes
        Of the checkpoint; empty: the cell has none, since it cannot be keyed.
    cell, task : str
        Readable id of the cell, and its function.
    components : mapping of str to bytes
        What the key was made of.
    lengthens : bool
        A parameter only lengthens the simulation, and is not in the key (K24).
    keep : int or sequence of int
        Every so many steps, or these steps, are kept; 0: none.
    resume : {"own", "adopt", "discard"}
        What becomes of a state of other code.
    every, mtbf : float
        See `flowcore.plan.interval`.
    at : str
        Where the node is drawn, as ``file:line``.
    """

    key: bytes
    cell: str
    task: str = ""
    components: Mapping[str, bytes] = field(default_factory=dict)
    lengthens: bool = False
    keep: int | Sequence[int] = 0
    resume: Resume = "own"
    every: float = 30.0
    mtbf: float | None = None
    at: str = ""

    def next_kept(self, step: int) -> int:
        """Give the first step after this one that is to be kept."""
        if isinstance(self.keep, int):
            return (step // self.keep + 1) * self.keep if self.keep else NO_STEP
        return min((kept for kept in self.keep if kept > step), default=NO_STEP)

    def mismatch(self, saved: Manifest, *, refused: bool = False) -> ResumeMismatch:
        """Say that the state there is of other code or arguments."""
        return ResumeMismatch(
            cell=self.cell, step=saved.step, age=max(0.0, clock.wall() - saved.wall),
            differs=tuple(told(saved.components, self.components)), refused=refused, at=self.at,
        )  # fmt: skip

    def misfits(self, saved: Manifest, reason: str, *, refused: bool = False) -> ResumeMismatch:
        """Say that the state there does not fit the task."""
        return ResumeMismatch(
            cell=self.cell, step=saved.step, age=max(0.0, clock.wall() - saved.wall), reason=reason, refused=refused,
            differs=tuple(told(saved.components, self.components)), at=self.at,
        )  # fmt: skip


def told(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[str]:
    """Name the components that differ, each with both sides as far as a component tells them."""
    return [_told(name, old.get(name), new.get(name)) for name in difference(old, new)]


def _told(name: str, old: bytes | None, new: bytes | None) -> str:
    name = name.removeprefix(NOTE)
    if old is None or new is None:
        return f"{name} ({'new' if old is None else 'gone'})"
    sides = _shown(old), _shown(new)
    return f"{name} {sides[0]} -> {sides[1]}" if all(sides) else name


def _shown(component: bytes) -> str:
    """Give a number or a truth as it is, since a short component is its own encoding; empty for anything else."""
    if component[:1] != b"\0" or len(component) < 2:
        return ""
    try:
        value = decode(component[1:], fetch=no_fetch)
    except (BadRecord, ValueGone, ValueError):
        return ""
    return repr(value) if isinstance(value, bool | int | float) else sketch(component[1:])


def misfit(saved: Mapping[str, object], initial: Mapping[str, object]) -> str:
    """Tell why a saved state is not like the one that the task begins with; empty if it is."""
    if set(saved) != set(initial):
        return f"its state has {', '.join(sorted(saved)) or 'nothing'}, and the task's {', '.join(sorted(initial))}"
    for name, value in saved.items():
        mine, theirs = (_form(one) for one in (initial[name], value))
        if mine != theirs:
            return f"its {name} is {theirs}, and the task's is {mine}"
    return ""


def _form(value: object) -> str:
    dtype, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    return f"{dtype}{list(shape)}" if dtype is not None and shape is not None else type(value).__name__


def pack_claim(key: bytes, cell: str, own: Mapping[str, bytes]) -> bytes:
    """Give what is a cell's own of its claim, as the engine sends it."""
    return dumps([key, cell, dict(own)])


def read_claim(packed: bytes, options: Mapping[str, object]) -> Claim:
    """Put together what is a cell's own and what its task has in common."""
    key, cell, own = loads(packed)
    common = cast("dict[str, bytes]", options["common"])
    return Claim(
        key=cast(bytes, key), cell=cast(str, cell), task=cast(str, options["task"]),
        components=common | cast("dict[str, bytes]", own), lengthens=bool(options["lengthens"]),
        keep=cast("int | list[int]", options["keep"]), resume=cast(Resume, options["resume"]),
        every=cast(float, options["every"]), mtbf=cast("float | None", options["mtbf"]),
        at=cast(str, options["at"]),
    )  # fmt: skip
