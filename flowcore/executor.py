"""`fc.Executor`: flowcore's processes for whoever can use a `concurrent.futures.Executor`.

Owns the protocol, and the executors' end: dropped ones finish what they were given, at the
interpreter's exit all do, and after a Ctrl-C nobody waits for them. What carries calls out is in
`run/offered/`.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import itertools
import sys
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent import futures
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from flowcore import clock
from flowcore.errors import BadOption
from flowcore.machine import default_workers
from flowcore.run.cell.nesting import nesting
from flowcore.run.offered.calls import Reply
from flowcore.run.offered.callshop import call_each
from flowcore.run.offered.office import Callee, Office

P = ParamSpec("P")
T = TypeVar("T")


class Executor(futures.Executor):
    """Carry out calls in processes that may die, one by one, without taking others along.

    A `concurrent.futures.Executor` for scripts, asyncio, Dask and everything else that takes one.
    Against `ProcessPoolExecutor`: a call whose process dies fails alone, with
    `flowcore.WorkerDied`, which says how; scripts need no main guard; functions may be lambdas or
    local ones; large arrays go through shared memory; many small calls share a message.

    Parameters
    ----------
    max_workers : int, optional
        Processes, each of which carries out one call at a time; by default the cores that
        this process may use, or those of the cell that it is made in.
    initializer : callable, optional
        Called in each process before its first call. What it changes about the process
        stays, while what calls change (directory, environment, signals) is put back.
    initargs : tuple, optional
        Its arguments.

    Raises
    ------
    BadOption
        If `max_workers` is no whole number from 1 on.
    TypeError
        If `initializer` cannot be called, or for options that this executor does not have, like
        `mp_context` and `max_tasks_per_child`.
    TooDeeplyNested
        Four levels deep in runs and executors.

    Notes
    -----
    Arguments are those at the moment of the call: they may be changed right after. Processes
    start with the first call, with the directory, import path and environment of that
    moment. What calls print appears here. A process that dies may have ended other calls in
    the 5 milliseconds before, whose results were still in it: these are made again.

    Examples
    --------
    >>> with Executor(2) as executor:
    ...     squares = list(executor.map(lambda x: x * x, range(4)))
    ...     power = executor.submit(pow, 2, 10)
    >>> squares, power.result()
    ([0, 1, 4, 9], 1024)
    """

    def __init__(
        self,
        max_workers: int | None = None,
        *,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        _check(max_workers=max_workers)
        if initializer is not None and not callable(initializer):
            raise TypeError(f"initializer must be callable, and a {type(initializer).__name__} is not")
        depth, cores = nesting("fc.Executor")
        self._max_workers = max_workers or cores or default_workers()  # what Dask and others look at
        self._office = Office(workers=self._max_workers, depth=depth)
        weakref.finalize(self, self._office.close).atexit = False
        _offices.add(self._office)
        if initializer is not None:
            self._office.open_with(initializer, initargs)

    def __repr__(self) -> str:
        return f"<fc.Executor of {self._max_workers} workers>"

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> futures.Future[T]:
        """Have ``fn(*args, **kwargs)`` called, and give its future.

        Parameters
        ----------
        fn : callable
            A function, method or object; a flowcore task counts as its function.
        *args, **kwargs
            Whatever can be pickled, by cloudpickle if need be.

        Returns
        -------
        concurrent.futures.Future
            Its exception is what the call raised, with where that was as a note;
            `flowcore.WorkerDied` if the process ended; `flowcore.NotPicklable` if function,
            arguments or result cannot travel; `flowcore.CallFailed` if an exception cannot.

        Raises
        ------
        RuntimeError
            After :meth:`shutdown`; `flowcore.ExecutorBroken` if no process can be had any more.
        """
        office = self._office
        office.check()
        try:
            callee = office.callee(fn)
        except Exception as error:  # noqa: BLE001 - pickling runs any code
            office.check()
            return _failed(error)
        try:
            return _reply(office, callee, args, kwargs)
        finally:
            office.let_go(callee.held)

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """Call `fn` with the items of the iterables, side by side, and give what it gives, in their order.

        Parameters
        ----------
        fn : callable
            Takes as many arguments as there are iterables.
        *iterables
            Read at once, or as `buffersize` allows; the shortest tells how many calls there are.
        timeout : float, optional
            Seconds from now after which waiting for a result raises `TimeoutError`.
        chunksize : int, optional
            Items that count as one call. Small calls share messages anyhow; a chunk saves a
            future for each, and if its process dies all of it is lost.
        buffersize : int, optional
            Calls that are made ahead of the results that were taken; by default all.

        Returns
        -------
        iterator
            Raises what a call raised when it comes to it. Closing it cancels what was not begun.

        Examples
        --------
        >>> with Executor(1) as executor:
        ...     list(executor.map(pow, [2, 3], [5, 2]))
        [32, 9]
        """
        _check(chunksize=chunksize, buffersize=buffersize)
        until = None if timeout is None else clock.monotonic() + timeout
        rows = zip(*iterables, strict=False)
        if chunksize == 1:
            return _Ahead(self._office, fn, rows, buffersize).results(until)
        chunks = ((fn, chunk) for chunk in _chunks(rows, chunksize))
        results = _Ahead(self._office, call_each, chunks, buffersize).results(until)
        return _one_by_one(results)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and end the processes when those there are have ended.

        Parameters
        ----------
        wait : bool, optional
            Return when that is so, and not at once.
        cancel_futures : bool, optional
            Cancel the calls that nobody has begun.
        """
        self._office.close(drop=cancel_futures)
        if wait:
            self._office.wait()

    def kill_workers(self) -> None:
        """End the processes and all calls, now; their futures raise `flowcore.ExecutorBroken`."""
        self._office.abandon("its workers were ended by kill_workers().")
        self._office.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for all calls; after a Ctrl-C for none."""
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._office.abandon(_INTERRUPTED)
        try:
            self.shutdown()
        except KeyboardInterrupt:
            self._office.abandon(_INTERRUPTED)
            self._office.wait()
            raise


_INTERRUPTED = "it was interrupted from the keyboard."


def _check(**numbers: object) -> None:
    """Refuse what is neither None nor a whole number from 1 on."""
    for name, number in numbers.items():
        if number is not None and not (isinstance(number, int) and number > 0):
            raise BadOption(option=name, found=repr(number), expected="a whole number from 1 on")


def _failed(error: BaseException | None) -> Reply:
    """Give the future of a call that could not be made."""
    reply = Reply()
    try:
        reply.set_exception(error)
        return reply
    finally:
        del reply, error


def _reply(office: Office, callee: Callee, positional: tuple[Any, ...], keywords: dict[str, Any]) -> Reply:
    """Make a call; what cannot travel is told by its future."""
    try:
        call = office.call(callee, positional, keywords)
    except Exception as error:  # noqa: BLE001 - pickling runs any code
        office.check()  # it may have been shut down meanwhile
        return _failed(error)
    office.take(call)
    return call.reply


class _Ahead:
    """The calls of one `map`, in their order, as far as they are made and their results not taken."""

    def __init__(
        self, office: Office, function: Callable[..., Any], rows: Iterator[tuple[Any, ...]], most: int | None
    ) -> None:
        office.check()
        self._office = office
        self._rows = rows
        self._all = most is None
        self._made: collections.deque[Reply] = collections.deque()
        self._callee: Callee | None = None
        self._refused: Exception | None = None
        try:
            self._callee = office.callee(function)
        except Exception as error:  # noqa: BLE001 - pickling runs any code
            office.check()
            self._refused = error
        try:
            for row in itertools.islice(rows, most):
                self._make(row)
        except BaseException:
            self._cancel()
            raise
        if self._all:
            self._forget_function()

    def results(self, until: float | None) -> Generator[Any, None, None]:
        """Give results; nothing of them is kept here."""
        try:
            while self._made:
                if not self._all:
                    for row in itertools.islice(self._rows, 1):
                        self._make(row)
                yield _taken(self._made, until)
        finally:
            self._cancel()

    def _make(self, row: tuple[Any, ...]) -> None:
        if self._callee is None:
            self._made.append(_failed(self._refused))
        else:
            self._made.append(_reply(self._office, self._callee, row, {}))

    def _cancel(self) -> None:
        self._forget_function()
        for reply in self._made:
            reply.cancel()

    def _forget_function(self) -> None:
        callee, self._callee = self._callee, None
        if callee is not None:
            self._office.let_go(callee.held)


def _taken(made: collections.deque[Reply], until: float | None) -> Any:
    """Give the next result, and keep nothing of it."""
    reply = made.popleft()
    try:
        return reply.result(None if until is None else max(0.0, until - clock.monotonic()))
    finally:
        reply.cancel()
        del reply


def _chunks(rows: Iterator[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    while chunk := list(itertools.islice(rows, size)):
        yield chunk


def _one_by_one(chunks: Generator[list[T], None, None]) -> Iterator[T]:
    with contextlib.closing(chunks):
        for chunk in chunks:
            chunk.reverse()
            while chunk:
                yield chunk.pop()


_offices: weakref.WeakSet[Office] = weakref.WeakSet()


def _end() -> None:
    """At the interpreter's exit, have executors finish what they were given; after a Ctrl-C that nobody caught, not."""
    offices = list(_offices)
    stopped = getattr(sys, "last_type", None)
    for office in offices:
        office.close()
        if isinstance(stopped, type) and issubclass(stopped, KeyboardInterrupt):
            office.abandon(_INTERRUPTED)
    for office in offices:
        try:
            office.wait()
        except KeyboardInterrupt:
            office.abandon(_INTERRUPTED)
            office.wait()


atexit.register(_end)
