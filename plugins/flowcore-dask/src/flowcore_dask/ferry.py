"""Messages as Dask's futures: one each, which no two workers begin (`carrying.py`).

Owns a client, so that nothing of a run shows in the user's, and a thread with a loop, where all
is done. What became of a message is heard as an event, which brings a little answer along; a
big one is fetched. Now and then the futures are looked at, for what no worker can tell.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from distributed import Client, Future, KilledWorker

from flowcore.run.executors.ferry import Answer, Astray, Harbour, Load, Traits, Unbegun
from flowcore.run.job import TaskSpec
from flowcore.store.claims import claim, unclaim
from flowcore.store.fs import DISK
from flowcore_dask.carrying import carry
from flowcore_dask.mooring import Mooring

_EVERY, _FAREWELL = 0.5, 3.0  # seconds between two looks, and for a farewell
_MOMENT = 0.005  # seconds that messages wait for others to go along
_INTERVAL = 0.001  # seconds between two writes to the scheduler; ten by default, and a chain waits for each
_CLOSED = ("closing", "closed")  # states of a client
_RESOURCES = {"gpu": "gpus", "gpus": "gpus", "core": "cores", "cores": "cores", "cpu": "cores", "cpus": "cores"}


class DaskFerry:
    """A cluster of Dask's; messages are claimed in `spool`, the run's directory of arrays in transit."""

    name, sunk = "dask", ""

    def __init__(self, mooring: Mooring, *, spool: str, traits: Traits, priority: int, patience: float) -> None:
        self.traits, self._mooring, self._priority, self._patience = traits, mooring, priority, patience
        self._spool, self._token = spool, secrets.token_hex(8)  # of 16 digits: what names begin with
        self._width, self._threads, self._alone = 0, dict[str, int](), 0  # in all; of each worker; looks without any
        self._supplies: dict[str, float] = {}  # resources that workers declare: the most that one has
        self._waiting, self._aboard = list[Load](), dict[int, Future[Any]]()
        self._went, self._fetching = dict[int, str](), set[int]()  # who carried a message out; whose answer is big
        self._spent = list[str]()  # claims that are forgotten a moment later, when Dask has forgotten the message

    def open(self, harbour: Harbour) -> None:
        """Connect, which takes a while: until then there is no width."""
        self._harbour = harbour
        self._beginning = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="flowcore-dask", daemon=True)
        self._thread.start()
        self._beginning.wait()

    def width(self) -> int:
        """Give the threads of all workers; 1 if there are none, since some clusters start with the first message."""
        return self._width

    def send(self, loads: Sequence[Load]) -> None:
        """Take messages."""
        self._soon(self._collect, loads)

    def recall(self, serials: Sequence[int]) -> None:
        """Call back what nobody has begun."""
        self._soon(self._recall, serials)

    def close(self) -> None:
        """Let go of all futures, of the client, and of the run's own cluster."""
        self._soon(self._task.cancel)
        self._thread.join(_FAREWELL)
        self._mooring.close()

    def _soon(self, call: Callable[..., object], *arguments: object) -> None:
        with suppress(RuntimeError):  # it sank just now, and its loop is closed
            self._loop.call_soon_threadsafe(call, *arguments)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task: Any = asyncio.current_task()
        self._beginning.set()
        try:
            address, security = await asyncio.to_thread(self._mooring.address)
            client = Client(address, security=security, set_as_default=False, name="flowcore", asynchronous=True)
            async with client as self._client, asyncio.TaskGroup() as self._errands:
                try:
                    while not (lost := client.status in _CLOSED) and self._alone < self._patience / _EVERY:
                        await self._look()
                        await asyncio.sleep(_EVERY)
                finally:
                    with suppress(Exception):  # the scheduler is gone, or nothing of it was ever heard
                        client.unsubscribe_topic(client.id)
            raise OSError("the connection to its scheduler was lost" if lost else f"no worker for {self._patience:g} s")
        except asyncio.CancelledError:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the run is told
            self.sunk = f"Dask carries nothing out: {error}"
        self._harbour.changed()

    def _collect(self, loads: Sequence[Load]) -> None:
        """Have messages wait for others, unless none is on its way: a call to the scheduler costs more than they do."""
        if not self._waiting:
            self._loop.call_later(_MOMENT if self._aboard else 0.0, self._send)
        self._waiting += loads

    def _send(self) -> None:
        loads, self._waiting = self._waiting, []
        groups: dict[tuple[str, frozenset[tuple[str, float]]], list[Load]] = {}
        for load in loads:
            groups.setdefault((self._berth(load), self._needs(load.job.task)), []).append(load)
        for (berth, needs), group in groups.items():
            self._submit(group, berth, dict(needs))

    def _submit(self, loads: list[Load], berth: str, needs: dict[str, float]) -> None:
        serials, payloads = [load.serial for load in loads], [load.payload for load in loads]
        names = [self._name(serial) for serial in serials]
        keys = [f"{load.job.task.name}-{name}" for load, name in zip(loads, names, strict=True)]
        try:
            if self._threads and any(amount > self._supplies.get(name, 0.0) for name, amount in needs.items()):
                raise ValueError(f"it takes {needs}, and the most that a worker has is {self._supplies or 'nothing'}")
            futures = self._client.map(
                carry, names, payloads, key=keys, pure=False, retries=0,
                spool=self._spool, topic=self._client.id,
                priority=self._priority, resources=needs or None,
                workers=[berth] if berth else None, allow_other_workers=bool(berth),
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001 - whatever it is, the run is told
            for serial in serials:
                self._land(serial, Astray(cause=f"Dask does not take it: {error}"))
            return
        self._aboard.update(zip(serials, futures, strict=True))

    def _berth(self, load: Load) -> str:
        """Name the worker that made the largest input; empty: any. Who is idle may steal it."""
        return next((self._went[maker] for maker in load.after if self._went.get(maker) in self._threads), "")

    def _needs(self, task: TaskSpec) -> frozenset[tuple[str, float]]:
        asked = {name: _RESOURCES[name.lower()] for name in self._supplies if name.lower() in _RESOURCES}
        if "gpus" not in asked.values():  # a worker that has them may be about to come
            asked["GPU"] = "gpus"
        return frozenset((name, float(amount)) for name, what in asked.items() if (amount := getattr(task, what)))

    def _recall(self, serials: Sequence[int]) -> None:
        for serial in serials:
            if serial in self._aboard and self._claim(serial):
                self._land(serial, Unbegun())

    def _name(self, serial: int) -> str:
        return f"{self._token}{serial:016x}"

    def _claim(self, serial: int) -> bool:
        return claim(DISK, self._spool, self._name(serial), "driver") == "driver"

    def _heard(self, event: tuple[float, object]) -> None:
        """Take news; under its client's name Dask tells other things as well."""
        if not isinstance(event[1], bytes):
            return
        name, whose, what, answer = event[1].split(b" ", 3)
        serial, worker = int(name[16:], 16), whose.decode().partition("#")[0]
        if serial not in self._aboard:
            return
        if what == b"lost":
            ended = self._aboard[serial].status in ("finished", "lost")  # there, and the news of it was not
            self._errands.create_task(self._lost(serial, worker, ended=ended))
            return
        self._went[serial] = worker
        if what == b"told":
            self._land(serial, answer)
        else:
            self._fetching.add(serial)
            self._errands.create_task(self._fetch(serial))

    def _land(self, serial: int, answer: Answer) -> None:
        self._aboard.pop(serial, None)
        self._spent.append(self._name(serial))
        self._harbour.landed(serial, answer)

    async def _fetch(self, serial: int) -> None:
        with suppress(Exception):  # of a worker that died with it, say: the next look finds what there is to tell
            answer = await self._client.gather(self._aboard[serial])
            self._land(serial, answer or Astray(cause="its answer was lost on the way", suspect=False))
        self._fetching.discard(serial)

    async def _lost(self, serial: int, worker: str, *, ended: bool) -> None:
        """Tell of a message whose worker was lost: a suspect, if that was not to leave, and did not end it before."""
        events: Any = ()
        with suppress(OSError):
            events = await self._client.scheduler.events(topic=worker)
        expected = any(isinstance(told, dict) and told.get("expected") for _, told in events)
        self._land(serial, Astray(cause=f"worker {worker} was lost", suspect=not (expected or ended)))

    async def _look(self) -> None:
        threads: dict[str, int] = {}
        if self._client.status == "running":
            with suppress(OSError):
                self._client.scheduler_comm.interval = _INTERVAL
                self._client.subscribe_topic(self._client.id, self._heard)  # again: the connection may be a new one
                threads = await self._client.scheduler.ncores_running()
                if threads.keys() != self._threads.keys():
                    workers = (await self._client.scheduler.identity())["workers"].values()
                    self._supplies = dict(
                        sorted((p for w in workers for p in w["resources"].items()), key=lambda p: p[1])
                    )
        self._threads, self._alone = threads, 0 if threads else self._alone + 1
        self._width = max(1, sum(threads.values())) if self._client.status == "running" else 0
        self._harbour.changed()
        while self._spent:
            unclaim(DISK, self._spool, self._spent.pop())
        for serial, future in list(self._aboard.items()):
            if future.status == "error":
                error = await future.exception()
                suspect = not (
                    isinstance(error, KilledWorker) and self._claim(serial)
                )  # who was not begun has killed nobody
                self._land(serial, Astray(cause=f"Dask gave it up: {type(error).__name__}: {error}", suspect=suspect))
            elif future.status == "cancelled":
                self._land(serial, Astray(cause="Dask cancelled it", suspect=False))
            elif future.status == "finished" and serial not in self._fetching:
                await self._fetch(serial)
