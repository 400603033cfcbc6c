"""What one process of the soak is to run, and what is to happen to it: a file that it reads when it starts."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.drawings import Axes, Step
from tests.model.world import World

Victim = Literal["main", "worker", "launcher", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A signal, and when it is sent.

    Attributes
    ----------
    victim : str
        Who gets it.
    signum : int
        Which it is.
    event : tuple of str and int
        Before the n-th file call ("fs"), frame ("record") or result ("message") of main, or the n-th file call or
        message of a worker ("worker"); at a random instant: ("seconds", hundredths).
    """

    victim: Victim
    signum: int
    event: tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run. A file, so that it can be run again by hand: ``python -m tests.soak.child PLAN``."""

    steps: list[Step]
    axes: Axes
    world: World
    prefix: str
    store: str
    workers: int
    executor: str | None
    durable: bool
    strikes: list[Strike] = field(default_factory=list)
    full: tuple[int, int] = (0, 0)  # the disk is full for so many calls that write, from the n-th on; 0: never
    sabotage: str = ""

    def write(self, path: Path) -> None:
        """Keep it."""
        path.write_bytes(pickle.dumps(self, protocol=5))  # older ones lose the byte order of arrays

    @classmethod
    def read(cls, path: str | Path) -> Plan:
        """Take it up."""
        plan = pickle.loads(Path(path).read_bytes())
        assert isinstance(plan, cls)
        return plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a run came to, as its own process saw it."""

    status: str
    values: list[Any]  # a step: what `tests.oracle.found` gives
    failures: list[tuple[str, tuple[object, ...], str]]  # node, labels, kind of error

    def write(self, path: Path) -> None:
        """Keep it, as a whole or not at all."""
        draft = path.with_suffix(".draft")
        draft.write_bytes(pickle.dumps(self, protocol=5))  # older ones lose the byte order of arrays
        draft.rename(path)

    @classmethod
    def read(cls, path: Path) -> Told | None:
        """Take it up; None: the run did not come so far."""
        if not path.exists():
            return None
        told = pickle.loads(path.read_bytes())
        assert isinstance(told, cls)
        return told
