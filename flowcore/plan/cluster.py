"""A run beyond this machine, under a clock that is only counted: messages, a driver that is one thread, shared files.

Owns :class:`Cluster`, what a message and a byte cost there, and :func:`forecast_cluster`.
The schedule, its limits and what runs beside the workers are those of `plan/forecast.py`;
here cells for workers go there in messages::

    driver      the way     workers             shared files        the way     driver
    send   ->   latency ->  first come, first   read, then write ->  latency ->  hear
    (queues)                served (queue)      (queue)                         (queues)

A message holds as much work as suits the engine, shared evenly while cells are few, and
takes along cells that need only what it makes; the first of a task go alone, since
nobody knows yet how long they take. Each stage serves one after the other, so the
forecast shows which of them is full. Workers that are lost, other users of the
filesystem and caches of files on nodes are not in it. Reads no clock and no disk.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, field, replace
from functools import partial

from flowcore.dataclass import dataclass
from flowcore.declare.site import user_site
from flowcore.errors import BadOption
from flowcore.plan.cells import Link
from flowcore.plan.extension import INLINE_LIMIT
from flowcore.plan.forecast import Forecast, Load, Simulation, Wanted
from flowcore.plan.riding import Cell

_STEPS = 1 << 18  # messages of a node that are followed one by one; of more, several count as one
_WORTH = 0.00025  # seconds of work that are worth a message of their own
_GROWTH = 8  # a message holds at most so many times the cells of its task that have ended
_LANE = "process"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What it costs to have cells carried out beyond this machine, for `plan.speedup`.

    The defaults are of Dask's workers on one machine, in round numbers; `docs/scaling.md`
    says how to measure yours.

    Parameters
    ----------
    latency : float
        Seconds that a message is on its way there and back, when nothing is in its way.
    driver_cell, driver_message : float
        Seconds of the driver's one thread for a cell, and for a message.
    worker_cell, worker_message : float
        Seconds of a worker's for a cell besides the user's function, and for a message.
    seconds : float
        Work that a message should hold.
    most : int
        Cells in one message; 1: each goes singly.
    ahead : int
        Messages on their way for each worker.
    bandwidth : float
        Bytes a second that the shared filesystem reads and writes, of all workers together.
    worker_bandwidth : float
        Bytes a second of that which one worker comes to, hashing included.

    Raises
    ------
    BadOption
        If a number is negative, or `most`, `ahead` or a bandwidth less than is any use.

    Examples
    --------
    >>> Cluster(latency=0.02, bandwidth=5e9).latency
    0.02
    """

    latency: float = 0.005
    driver_cell: float = 0.0001
    driver_message: float = 0.001
    worker_cell: float = 0.0001
    worker_message: float = 0.001
    seconds: float = 0.05
    most: int = 4096
    ahead: int = 2
    bandwidth: float = math.inf
    worker_bandwidth: float = math.inf

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            whole = name in ("most", "ahead")
            least = 1 if whole else math.ulp(0.0) if "bandwidth" in name else 0.0
            if not (type(value) is int or (type(value) is float and not whole)) or not value >= least:
                unit = "a whole number from 1 on" if whole else "bytes a second" if least else "seconds"
                raise BadOption(option=name, found=repr(value), expected=unit, at=user_site())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """Cells on their way to a worker, and what they will take there."""

    load: Load
    numbers: list[int]
    riders: list[Cell] = field(default_factory=list)
    count: int = 1  # messages that it stands for
    cores: int = 1
    work: float = 0.0  # seconds in user functions
    reads: int = 0  # bytes
    writes: int = 0

    @property
    def cells(self) -> int:
        """How many there are."""
        return len(self.numbers) + len(self.riders)


def forecast_cluster(loads: Sequence[Load], targets: Wanted, *, workers: int, cluster: Cluster) -> Forecast:
    """Say when a run would end whose cells go to workers beyond this machine.

    Parameters
    ----------
    loads, targets
        As in :func:`~flowcore.plan.forecast.forecast`; the driver's memory does not bound cells elsewhere.
    workers : int
        Each of one core.
    cluster : Cluster

    Examples
    --------
    >>> from flowcore.plan.cells import Span
    >>> halves = Load(node=0, spans=(Span("x", 4),), seconds=3.0)
    >>> free = Cluster(
    ...     latency=0.5, driver_cell=0.0, driver_message=0.0, worker_cell=0.0, worker_message=0.0
    ... )
    >>> forecast_cluster([halves], {0: None}, workers=2, cluster=free).seconds
    6.5
    """
    return _ClusterSimulation(loads, targets, workers, cluster).run()


class _ClusterSimulation(Simulation):
    """A run whose cells travel, in which time is only counted."""

    def __init__(self, loads: Sequence[Load], targets: Wanted, workers: int, cluster: Cluster) -> None:
        super().__init__(loads, targets, workers, memory=0)
        self._cluster = cluster
        self._slots[_LANE] = self._free[_LANE] = workers * cluster.ahead  # of messages on their way
        self._idle = workers
        self._arrived: deque[_Message] = deque()  # that no worker has begun
        self._driver = self._files = 0.0  # when they will have done all that they were given
        self._driver_work = self._files_work = 0.0
        self._messages = 0
        self._tasks = {load.node: load.task or f"node {load.node}" for load in loads}
        self._heard: dict[str, int] = {}  # cells of each task that have ended: from the first on their time is known
        self._read = {load.node: self._bytes_read(load) for load in loads}

    def run(self) -> Forecast:
        """Let time pass until nothing is left."""
        found = super().run()
        return replace(found, messages=self._messages, driver=self._driver_work, filesystem=self._files_work)

    def _bytes_read(self, load: Load) -> int:
        """Give the bytes of arrays that one cell of a node is called with."""
        consumer, found = self._schedule.space(load.spans), 0
        for edge in load.edges:
            source = self._loads[edge.source]
            link = Link(self._schedule.space(source.spans), consumer, edge.over)
            each = link.fan_in if link.static else 1 if link.single else source.length
            found += each * _filed(source) if edge.mode == "need" else 0
        return found

    # Sending

    def _start(self, load: Load, ready: int) -> bool:
        if load.lane != _LANE:
            return super()._start(load, ready)
        cores = min(load.cores, self._workers)
        if self._free[_LANE] < cores:
            return False
        allowed = self._allowed(load)
        if allowed <= 0:
            self._paused.add(load.node)
            self._schedule.pause(load.node)
            return True  # another node may go
        each = self._fit(load, ready, allowed)
        known = self._tasks[load.node] in self._heard
        counted = load.limit is not None or load.need
        count = 1 if counted or not known else max(1, min(ready // each, self._counts[load.node] // (each * _STEPS)))
        numbers = self._schedule.take(load.node, each * count)
        self._looked[load.node] = ready - len(numbers)
        self._schedule.started(load.node, numbers)
        self._free[_LANE] -= cores
        self._count(load, len(numbers))
        self._hold(load.peak)
        riders = self._riders(load, numbers) if count == 1 else []
        self._send(self._message(load, numbers, riders, count, cores))
        return True

    def _cost(self, load: Load) -> float:
        return load.seconds + self._cluster.worker_cell

    def _fit(self, load: Load, ready: int, allowed: int) -> int:
        """Say how many cells one message takes."""
        cost, cluster = self._cost(load), self._cluster
        heard = self._heard.get(self._tasks[load.node], 0)
        if not heard or cost > cluster.seconds:
            return 1
        paying = max(1, min(self._workers, int(ready * cost / _WORTH)))
        fits = min(int(cluster.seconds / cost) if cost else ready, cluster.most, _GROWTH * heard)
        return max(1, min(fits, -(-ready // paying), allowed))

    def _riders(self, load: Load, numbers: list[int]) -> list[Cell]:
        """Have cells come along that need only what these make."""
        cluster = self._cluster
        room = min(1.0 - len(numbers) * self._weight(load.node), 1.0 - len(numbers) / cluster.most)
        if room <= 0.0:
            return []
        broad = int(min(cluster.most, self._workers * _WORTH / max(self._cost(load), 1e-9)))
        cells = [(load.node, number) for number in numbers]
        riders = self._schedule.followers(cells, room=room, weight=self._weight, broad=broad)
        self._schedule.ride(riders)
        return riders

    def _weight(self, node: int) -> float:
        """Say what part of a message a cell takes; more than all of it: it does not ride."""
        load, cluster = self._loads[node], self._cluster
        stays = load.lane != _LANE or load.settled is None or load.settled or load.limit or load.need or load.cores > 1
        if stays or self._tasks[node] not in self._heard:
            return math.inf
        return max(self._cost(load) / cluster.seconds, 1.0 / cluster.most) if cluster.seconds else math.inf

    def _message(self, load: Load, numbers: list[int], riders: list[Cell], count: int, cores: int) -> _Message:
        cells = [*((load.node, number) for number in numbers), *riders]
        work = sum(self._loads[node].own.get(number, self._loads[node].seconds) for node, number in cells)
        self._work += work
        self._process_work += work * cores
        self._cells += len(cells)
        self._messages += count
        return _Message(
            load=load, numbers=numbers, riders=riders, count=count, cores=cores, work=work,
            reads=len(numbers) * self._read[load.node], writes=sum(_filed(self._loads[node]) for node, _ in cells),
        )  # fmt: skip

    def _send(self, message: _Message) -> None:
        sent = self._drive(message.cells, message.count)
        self._at(sent + self._cluster.latency / 2, partial(self._arrive, message))

    def _drive(self, cells: int, messages: int) -> float:
        """Have the driver do half of what cells and messages cost it, after all that it has to do; give when it has."""
        took = (cells * self._cluster.driver_cell + messages * self._cluster.driver_message) / 2
        self._driver_work += took
        self._driver = max(self._driver, self._now) + took
        return self._driver

    # There

    def _arrive(self, message: _Message) -> None:
        self._arrived.append(message)
        self._begin()

    def _begin(self) -> None:
        while self._arrived and self._arrived[0].cores <= self._idle:
            message, cluster = self._arrived.popleft(), self._cluster
            self._idle -= message.cores
            overhead = message.cells * cluster.worker_cell + message.count * cluster.worker_message
            self._at(self._moved(message.reads) + message.work + overhead, partial(self._computed, message))

    def _moved(self, nbytes: int) -> float:
        """Give when so many bytes have been read or written, all that others asked for before included."""
        if not nbytes:
            return self._now
        took = nbytes / self._cluster.bandwidth
        self._files_work += took
        self._files = max(self._files, self._now) + took
        return max(self._files, self._now + nbytes / self._cluster.worker_bandwidth)

    def _computed(self, message: _Message) -> None:
        self._at(self._moved(message.writes), partial(self._leave, message))

    def _leave(self, message: _Message) -> None:
        self._idle += message.cores
        self._begin()
        self._at(self._now + self._cluster.latency / 2, partial(self._land, message))

    # Hearing

    def _land(self, message: _Message) -> None:
        self._at(self._drive(message.cells, message.count), partial(self._hear, message))

    def _hear(self, message: _Message) -> None:
        load = message.load
        self._free[_LANE] += message.cores
        self._count(load, -len(message.numbers))
        self._memory -= load.peak
        self._settle(load, message.numbers)
        self._heed(load.node, len(message.numbers))
        for node, number in message.riders:
            self._settle(self._loads[node], [number])
            self._heed(node, 1)
        self._wake()

    def _heed(self, node: int, cells: int) -> None:
        task = self._tasks[node]
        self._heard[task] = self._heard.get(task, 0) + cells


def _filed(load: Load) -> int:
    """Give the bytes of a cell's value that lie in a file."""
    return load.nbytes if load.nbytes > INLINE_LIMIT else 0
