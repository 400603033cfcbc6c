"""Any `concurrent.futures.Executor` as a ferry: loky, mpi4py, a stock pool.

The executor is the user's, and then it is neither started nor shut down here; or a run has
opened it by its name, and closes it. Its workers get bytes and give bytes (`far.py`), so
nothing of ours has to be pickled by it but two names. What it cannot do, we cannot give:
when one of its workers dies, most executors lose every future at once and take no more.

Threads: `_done` runs on whatever thread the executor uses for callbacks; all else runs on
the engine's.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import CancelledError, Executor, Future
from functools import partial
from typing import Final

from flowcore.run.executors.far import perform_far
from flowcore.run.executors.ferry import Answer, Astray, Harbour, Load, Traits, Unbegun

_TRAITS: Final = Traits(seconds=0.05, most=1024)


class FuturesFerry:
    """Carries messages on an executor that the user brings.

    Parameters
    ----------
    executor : concurrent.futures.Executor
    workers : int
        Cells that it carries out at once; it does not say.
    own : bool
        Whether it was opened for this ferry, and is shut down with it.
    """

    name = "futures"
    traits = _TRAITS

    def __init__(self, executor: Executor, *, workers: int, own: bool = False) -> None:
        self.sunk = ""
        self._own = own
        self._executor = executor
        self._workers = workers
        self._futures: dict[int, Future[bytes]] = {}
        self._harbour: Harbour | None = None

    def open(self, harbour: Harbour) -> None:
        """Begin."""
        self._harbour = harbour

    def width(self) -> int:
        """Tell how many cells are carried out at once."""
        return self._workers

    def send(self, loads: Sequence[Load]) -> None:
        """Submit each message as one piece of work."""
        assert self._harbour is not None, "opened first"
        for load in loads:
            try:
                future = self._executor.submit(perform_far, load.payload)
            except RuntimeError as refused:  # shut down, or broken by an earlier death
                self.sunk = f"the executor takes no work: {refused}"
                self._harbour.changed()
                return
            self._futures[load.serial] = future
            future.add_done_callback(partial(self._done, load.serial))

    def recall(self, serials: Sequence[int]) -> None:
        """Cancel what the executor has not begun, if it tells what it has.

        Dask's futures are pending until they are done, and cancelled while they run: a loop that
        is about to save its state would be given up. There the sign that a run is stopping
        (`store/halt.py`) reaches all of them.
        """
        if not any(future.running() for future in self._futures.values()):
            return
        for future in [self._futures[serial] for serial in serials if serial in self._futures]:
            future.cancel()

    def close(self) -> None:
        """Forget what is on its way; an executor of the user's stays open."""
        left = list(self._futures.values())
        self._futures.clear()
        if self._own:
            for future in left:
                future.cancel()  # loky's shutdown takes no `cancel_futures`
            self._executor.shutdown(wait=False)

    def _done(self, serial: int, future: Future[bytes]) -> None:
        self._futures.pop(serial, None)
        try:
            answer: Answer = future.result()
        except CancelledError:
            answer = Unbegun()
        except BaseException as error:  # noqa: BLE001 - whatever the foreign executor makes of a lost worker
            answer = Astray(cause=f"lost by its executor: {type(error).__name__}: {error}")
        assert self._harbour is not None, "opened first"
        self._harbour.landed(serial, answer)
