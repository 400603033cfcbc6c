"""Who may run beside whom: counts in, answers out.

Owns what is taken of a machine's cores, memory and devices, and who waits for them. Knows
no process and no clock. A *seat* is what runs at once: a cell, or a message of cells that
one worker takes in turn.

Promises
--------
* Never more is taken than there is, but by somebody who runs alone.
* Who needs more than there is runs alone: once everything else has ended, and nothing
  begins beside it.
* Nobody starves. Who is refused waits in a line. Others that fit may pass, so that nothing
  lies idle; but each waiter is passed by :data:`PATIENCE` seats at most, and by those before
  it in the line. From then on what it waits for is left to it.

Who waits has to ask again whenever something has ended, or withdraw. Somebody in the line who
never comes back would hold up all others.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from flowcore.dataclass import dataclass

PATIENCE: Final = 16  # seats that may pass who waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one seat takes.

    Attributes
    ----------
    cores : int
        Of those that cells of this process share; 0: none are counted.
    memory : int
        Bytes.
    gpus : int
        Devices.
    """

    cores: int = 0
    memory: int = 0
    gpus: int = 0

    def within(self, other: Need) -> bool:
        """Tell whether `other` has room for it."""
        return self.cores <= other.cores and self.memory <= other.memory and self.gpus <= other.gpus

    def meets(self, other: Need) -> bool:
        """Tell whether both take of the same."""
        pairs = (self.cores, other.cores), (self.memory, other.memory), (self.gpus, other.gpus)
        return any(mine and theirs for mine, theirs in pairs)


NOTHING: Final = Need()


@dataclass(slots=True)
class _Waiter:
    """Somebody in the line."""

    need: Need
    alone: bool
    passed: int = 0  # seats that have passed it


class Admission:
    """What is taken, and the line of those who wait. One thread.

    Parameters
    ----------
    capacity : Need
        All there is.

    Examples
    --------
    >>> admission = Admission(Need(memory=10))
    >>> admission.ask("large", Need(memory=8))
    ''
    >>> admission.admit("large", Need(memory=8))
    >>> admission.ask("small", Need(memory=4))
    'memory'
    >>> admission.leave(Need(memory=8))
    >>> admission.ask("small", Need(memory=4))
    ''
    """

    def __init__(self, capacity: Need) -> None:
        self.capacity = capacity
        self._taken = {"cores": 0, "memory": 0, "gpus": 0}
        self._line: dict[Hashable, _Waiter] = {}  # in the order of their coming
        self._alone: Hashable = None  # who runs alone

    @property
    def taken(self) -> Need:
        """What is taken now."""
        return Need(**self._taken)

    @property
    def shut(self) -> bool:
        """Whether somebody runs alone, or waits for all others to end: nobody else may begin."""
        return self._alone is not None or any(waiter.alone for waiter in self._line.values())

    def ask(self, who: Hashable, need: Need, *, alone: bool = False, busy: bool = False) -> str:
        """Tell whether a seat of `who` may begin now: empty, or what it waits for.

        Parameters
        ----------
        who : hashable
            Stands for itself in the line.
        need : Need
            Of one seat.
        alone : bool
            Whether nothing else may run beside it.
        busy : bool
            Whether anything at all runs now, also what takes nothing.
        """
        alone = alone or not need.within(self.capacity)
        refusal = self._refusal(who, need, alone=alone, busy=busy)
        if not refusal:
            self._line.pop(who, None)
        elif (waiter := self._line.get(who)) is not None:
            waiter.need, waiter.alone = need, alone
        elif alone or need != NOTHING:
            self._line[who] = _Waiter(need, alone)
        return refusal

    def withdraw(self, who: Hashable) -> None:
        """Leave the line: it waits for something else now, or no longer."""
        self._line.pop(who, None)

    def _refusal(self, who: Hashable, need: Need, *, alone: bool, busy: bool) -> str:
        if self._alone is not None:
            return "a cell that runs alone"
        for other, waiter in self._line.items():
            if other == who:
                break
            if waiter.alone or (waiter.passed >= PATIENCE and (alone or need.meets(waiter.need))):
                return "its turn"
        if alone:
            return "all others to end" if busy else ""
        for name in ("cores", "memory", "gpus"):
            wanted = getattr(need, name)
            if wanted and wanted > getattr(self.capacity, name) - self._taken[name]:
                return name
        return ""

    def room(self, need: Need) -> int:
        """Tell how many seats of a need could begin, were nobody waiting; at most a thousand."""
        fits: list[int] = []
        for name, taken in self._taken.items():
            wanted: int = getattr(need, name)
            if wanted:
                fits.append((getattr(self.capacity, name) - taken) // wanted)
        return max(0, min([1000, *fits]))

    def admit(self, who: Hashable, need: Need, *, alone: bool = False) -> None:
        """A seat of `who` begins; it was told that it may."""
        if alone or not need.within(self.capacity):
            self._alone = who
        self._line.pop(who, None)
        for waiter in self._line.values():
            waiter.passed += need.meets(waiter.need)
        self._count(need, 1)

    def leave(self, need: Need, *, alone: bool = False) -> None:
        """A seat has ended."""
        if alone or not need.within(self.capacity):
            self._alone = None
        self._count(need, -1)

    def _count(self, need: Need, sign: int) -> None:
        self._taken["cores"] += sign * need.cores
        self._taken["memory"] += sign * need.memory
        self._taken["gpus"] += sign * need.gpus
