"""What can be wrong with a simulation that is to be interrupted and gone on with.

All kinds belong to the tree of `errors.py`: :class:`UnsavedState` is found while a flow
is drawn, :class:`ResumeMismatch` and :class:`SharedState` while a cell runs. Facts are fields; the sentences are
made from them here.
"""

from __future__ import annotations

from collections.abc import Iterator

from flowcore.dataclass import dataclass
from flowcore.errors import FlowcoreError, FlowcoreWarning, GraphError

_SHOWN = 8  # differences that a message shows before it counts the rest


@dataclass(kw_only=True, eq=False)
class UnsavedState(GraphError, ValueError):
    """A loop over steps changes a variable that no checkpoint saves (E13)."""

    task: str
    names: tuple[str, ...]
    lines_at: tuple[str, ...]  # file:line at which each is changed, and how
    at: str = ""  # file:line of the loop
    collects: bool = False  # it is an expression over steps, whose own collection is what is not saved

    def lines(self) -> Iterator[str]:
        """Yield the sentences of the message."""
        if self.collects:
            yield f"{self.names[0]} of {self.task}() collects over steps, and what it has is not saved ({self.at})."
            yield "A resumed run would collect only the steps that are left, and silently be wrong; nothing has run."
            yield "Write it as a loop: for step in ckpt.steps(n), with what it collects in ckpt.state(...)."
            return
        several = len(self.names) > 1
        verb = (
            "change in the loop, are needed later, and are"
            if several
            else "changes in the loop, is needed later, and is"
        )
        where = f" ({self.at})" if self.at else ""
        yield f"{', '.join(self.names)} of {self.task}() {verb} not in the saved state{where}."
        yield from self.lines_at[:_SHOWN]
        if len(self.lines_at) > _SHOWN:
            yield f"and {len(self.lines_at) - _SHOWN} more"
        yield "A resumed run would go on with the values from before the loop, and silently be wrong; nothing has run."
        saved = ", ".join(f"{name}={name}" for name in self.names)
        permitted = ", ".join(repr(name) for name in self.names) + ("," if not several else "")
        yield (
            f"Put {'them' if several else 'it'} into ckpt.state({saved}); or, if no step needs what an earlier one "
            f"left in {'them' if several else 'it'}: unsaved=({permitted})."
        )


@dataclass(kw_only=True, eq=False)
class SharedState(FlowcoreError, FlowcoreWarning, ValueError):
    """Two parts of a saved state are one object, or share memory, and would be two after resuming (E13)."""

    cell: str
    names: tuple[str, str]
    refused: bool = False  # raised, by ckpt.state(); else a warning, when it is saved

    def lines(self) -> Iterator[str]:
        """Yield the sentences of the message."""
        one, other = self.names
        where = f" of {self.cell}" if self.cell else ""
        yield f"{one} and {other} in the state{where} share memory: what changes one in place changes the other."
        yield "Each is saved by itself, so after resuming they are apart, and such a change gives other values."
        if self.refused:
            yield f"The cell failed before its first step. Give one a copy: ckpt.state({other}={other}.copy())."
        else:
            yield f"It is saved, and the simulation goes on. Give one a copy: s.{other} = s.{one}.copy()."


@dataclass(kw_only=True, eq=False)
class ResumeMismatch(FlowcoreError, FlowcoreWarning):
    """There is a saved state of this cell, and it is of other code or arguments (E12)."""

    cell: str
    step: int = 0  # of the state that is there
    age: float = 0.0  # seconds since it was saved
    differs: tuple[str, ...] = ()  # components, with what is known of both sides
    reason: str = ""  # why it cannot be gone on from, where that was asked for
    at: str = ""  # file:line where the node is drawn
    refused: bool = False  # raised: the cell was told to go on from it and cannot

    def lines(self) -> Iterator[str]:
        """Yield the sentences of the message."""
        where = f" ({self.at})" if self.at else ""
        if self.reason:
            yield f"{self.cell}{where} cannot go on from the state that is there: {self.reason}."
        else:
            ago = _ago(self.age)
            yield f"{self.cell}{where} was interrupted at step {self.step}, {ago} ago, as another computation."
        for name in self.differs[:_SHOWN]:
            yield f"differs: {name}"
        if len(self.differs) > _SHOWN:
            yield f"and {len(self.differs) - _SHOWN} more"
        did = "The cell failed" if self.refused else "The cell starts at step 0"
        yield f"{did}; the saved state is untouched."
        if self.refused:
            yield "Restore the code and the arguments as they were, or run without `--adopt`."
        else:
            yield "Restore the code and the arguments as they were; or vouch for it: `flowcore run --adopt`,"
            yield 'flow.run(resume="adopt"); or be rid of it: `flowcore run --discard`, flow.run(resume="discard").'


def _ago(seconds: float) -> str:
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size or (unit != "days" and seconds >= size):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
