"""The seam between the engine and whatever carries cells out.

An executor takes jobs and posts results to the inbox; each attempt that it was
handed ends in exactly one of them (contract F40). All methods are called on the
engine's thread. `flowcore.testing.check_executor` holds an implementation to this.

How a run comes by an executor that is not flowcore's own: what makes it, a class or a
function as :class:`MakeExecutor` describes, is

- given to the run, ``flow.run(executor=MyExecutor)``: it takes the cells that would go
  to processes; or
- known by a name, through an installed distribution's entry point in the group
  ``flowcore.executors`` or `flowcore.plugins.register`: then it takes the cells of tasks
  with ``runner="name"``, and under ``flow.run(executor="name")`` those that would go to
  processes.

Where another engine carries cells out elsewhere, its part is smaller still: `ferry.py`.

Each run makes its own, when the first cell for it comes, and closes it at its end. What
makes one whose workers are on other machines says so, by :func:`elsewhere`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, ParamSpec, Protocol, TypeVar, runtime_checkable

from flowcore.run.inbox import Inbox
from flowcore.run.job import Job, TaskSpec
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec

ELSEWHERE: Final = "elsewhere"  # the attribute that says so

P = ParamSpec("P")
R = TypeVar("R")


class Executor(Protocol):
    """Takes batches of cells, posts what became of them."""

    name: str

    @property
    def broken(self) -> str:
        """Why no further cell can be carried out here, ever; empty while some can."""
        ...

    def take_back(self) -> list[Job]:
        """Give, once `broken`, the cells that were handed over and not begun; others carry them out."""
        ...

    def room(self, task: TaskSpec, ready: int) -> int:
        """Tell how many cells of `task` to hand over now, of `ready` that could go; 0: none.

        An executor that is full answers 0 and is asked again after its next post.
        """
        ...

    def start(self, job: Job) -> None:
        """Take a batch of at most as many cells as `room` said."""
        ...

    def stop(self) -> None:
        """Begin no further cell; what runs may finish. Unbegun ones are posted as Interrupted."""
        ...

    def cancel(self) -> None:
        """End what runs as soon as possible; everything unfinished is posted as Interrupted."""
        ...

    def close(self) -> None:
        """Let go of threads, processes and files. Called once, also after a failure."""
        ...


@runtime_checkable
class Carrier(Protocol):
    """An executor whose messages may take along cells that need what earlier ones in them make (W5b).

    A rider that is not begun is posted as Interrupted, whatever its message came to.
    """

    def weight(self, task: TaskSpec) -> float:
        """Tell what part of a message a cell of `task` takes; 1.0: it goes singly."""
        ...

    def broad(self, task: TaskSpec) -> int:
        """Tell from how many cells of `task` on, that could run side by side, all workers should have their share."""
        ...


class MakeExecutor(Protocol):
    """Makes an executor for one run."""

    def __call__(self, *, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> Executor:
        """Make it.

        Parameters
        ----------
        workers : int
            Cells that the user wants to run at once.
        inbox : Inbox
            Where results are posted, and timers and descriptors are watched.
        codec : Codec
            Reads and keeps values in this process, as `flowcore.run.perform` needs it.
        surroundings : Surroundings
            What cells find around them in another process: directory, import path,
            environment, and where the store is.
        """
        ...


def elsewhere(make: Callable[P, R]) -> Callable[P, R]:
    """Say of what makes an executor that its workers are on other machines.

    Their devices and their memory are not those of this one: its cells ask for none of these here.

    Examples
    --------
    >>> @elsewhere
    ... def make(*, workers, inbox, codec, surroundings): ...
    """
    setattr(make, ELSEWHERE, True)
    return make
