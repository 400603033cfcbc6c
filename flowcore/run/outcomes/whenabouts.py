"""When attempts ran, as the journal tells it: seconds since the run began.

Owns the way from the clock readings in results to what is recorded. Promises that no
attempt began before it was handed over, or ends after it was heard of, whatever clock
those who carried it out had: an executor of the user's may do so on another machine.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowcore import clock
from flowcore.run.books import Books
from flowcore.run.flight import Flight
from flowcore.run.growing.grown import Grown
from flowcore.run.job import Died, Done, Failed, Lost, Skipped, TimedOut
from flowcore.store.times import Times

_AGREED = 1e-3  # seconds that two readings of one clock may seem to be out of order


def times_of(done: Done, places: Sequence[int], handed: float, zero: float) -> Times | None:
    """Give when the cells at these places of a Done ran, which were `handed` over then; None if nobody told."""
    if not done.times:
        return None
    whole = len(places) == len(done.attempts)
    begins, fetching, keeping = (
        done.times[k::3] if whole else [done.times[3 * i + k] for i in places] for k in range(3)
    )
    workers = [done.workers[i] for i in places] if done.workers else [0] * len(places)
    now = clock.monotonic()
    if min(begins) < handed - _AGREED or max(begins) > now + _AGREED:  # another clock: the end is when we hear of it
        begins = [max(handed, now - done.seconds[i]) for i in places]
    return Times(begins=[begin - zero for begin in begins], fetching=fetching, keeping=keeping, workers=workers)


def times_of_one(skipped: Skipped | Grown, flight: Flight, zero: float) -> Times:
    """Give when a cell ran that was skipped, or drew a flow."""
    began = _began(flight, skipped.began, clock.monotonic())
    return Times(begins=[began - zero], fetching=(), keeping=(), workers=[skipped.worker])


def tell_lapse(books: Books, flight: Flight, result: Failed | Lost | Died | TimedOut) -> None:
    """Write down an attempt that came to nothing: when it ran, where, and what ended it."""
    now = clock.monotonic()
    if isinstance(result, Lost):
        return  # nothing ran
    if isinstance(result, TimedOut):
        began, seconds, why = now - result.seconds, result.seconds, "timed out"
    elif isinstance(result, Died):
        began = _began(flight, result.began, now)
        seconds, why = now - began, "died"
    else:
        began, seconds, why = _began(flight, result.began, now), result.seconds, "raised"
    books.cache.lapsed(*flight.cell(result.attempt), (began - books.began, seconds), result.worker, why)


def _began(flight: Flight, told: float, now: float) -> float:
    """Give when an attempt began: not before it was handed over, nor after now, if another clock says so."""
    return max(flight.began, told) if told <= now + _AGREED else flight.began
