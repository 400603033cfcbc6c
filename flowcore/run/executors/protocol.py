"""The seam between the engine and whatever carries cells out.

An executor takes jobs and posts results to the inbox; each attempt that it was
handed ends in exactly one of them (contract F40). All methods are called on the
engine's thread. `flowcore.testing.check_executor` holds an implementation to this.
"""

from __future__ import annotations

from typing import Protocol

from flowcore.run.job import Job, TaskSpec


class Executor(Protocol):
    """Takes batches of cells, posts what became of them."""

    name: str

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
