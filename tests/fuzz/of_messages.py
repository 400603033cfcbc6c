"""What comes from workers: bytes on the wire, results, and drawings of flows (contract W2).

Anything else than a message that flowcore sends is a fault of the channel, or one of the few
exceptions that cost the worker its life and its cell an attempt, never the run.
"""

from __future__ import annotations

import functools
import socket
import struct
import zlib
from collections.abc import Sequence
from random import Random
from types import SimpleNamespace
from typing import Any, Final, cast

import msgpack
import numpy as np

import flowcore as fc
from flowcore.plan.stations import Stations
from flowcore.run.growing.grown import DrawnFlow, DrawnNode, Grown
from flowcore.run.growing.growth import UNREADABLE
from flowcore.run.growing.nursery import Nursery
from flowcore.run.growing.planting import Planting
from flowcore.run.job import (
    Done,
    Failed,
    Failure,
    Interrupted,
    Lost,
    Metric,
    Printed,
    Skipped,
    Warned,
    dumps,
    pack_result,
    unpack_result,
)
from flowcore.run.ready.written import Surround
from flowcore.run.workers.heard import UNREADABLE as UNREADABLE_RESULT
from flowcore.run.workers.heard import sound
from flowcore.run.workers.parcels import attempts_of
from flowcore.run.workers.wire import Channel, pair
from flowcore.store.codecs import Codec
from tests.fuzz.mutation import blindly, by_structure
from tests.fuzz.of_records import HOME, records
from tests.fuzz.reader import Mistake, words
from tests.fuzz.shapes import misshapen
from tests.fuzz.stores import march

_MARK: Final = 0xF10C << 48


# ---- the wire ------------------------------------------------------------------------


def framed(*bodies: bytes) -> bytes:
    """Give messages as they go over a socket."""
    return b"".join(struct.pack("<Q", _MARK | len(body)) + body for body in bodies)


@functools.cache
def streams() -> list[bytes]:
    """Give what sockets bring."""
    bodies = [dumps(message) for message in _messages()]
    return [framed(*bodies[:3]), framed(bodies[0]), framed(*bodies), framed(dumps(["big", b"x" * 5000])), b""]


def mutate_stream(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change a stream: its bytes, or one message, whose length is then right; now and then a length."""
    bodies, _ = _expected(data)
    if not bodies or rng.random() < 0.3:
        return blindly(rng, data, others)
    place = rng.randrange(len(bodies))
    bodies[place] = by_structure(rng, bodies[place], bodies)
    if rng.random() < 0.2:
        length = rng.choice((0, 1 << 20, (1 << 40) - 1, 1 << 40, (1 << 40) + 1, (1 << 48) - 1, 1 << 18, (1 << 30) + 5))
        return framed(*bodies[:place]) + struct.pack("<Q", _MARK | length) + bodies[place]
    return framed(*bodies)[: 1 << 16]


def _expected(data: bytes) -> tuple[list[bytes], bool]:
    """Cut a stream into bodies, as the format is described; tell whether what comes next is no frame."""
    bodies, at = [], 0
    while len(data) - at >= 8:
        (number,) = struct.unpack_from("<Q", data, at)
        size = number & (1 << 48) - 1
        if number >> 48 != 0xF10C or size > 1 << 40:
            return bodies, True
        if len(data) - at - 8 < size:
            break
        bodies.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    return bodies, False


def read_stream(data: bytes) -> str:
    """Bring bytes over a socket, in two pieces."""
    ours, theirs = pair()
    channel = Channel(ours, blocking=False)
    cut = zlib.crc32(data) % (len(data) + 1)
    got: list[list[object]] = []
    try:
        for piece in (data[:cut], data[cut:]):
            theirs.sendall(piece)
            got += channel.receive()
        theirs.shutdown(socket.SHUT_WR)
        got += channel.drain()
    finally:
        theirs.close()
        channel.close()
    bodies, broken = _expected(data)
    expected: list[object] = []
    for body in bodies:
        message = _message(body)
        if not isinstance(message, list) or not message:
            broken = True
            break
        expected.append(message)
    if repr(got) != repr(expected):  # nan is not equal to itself
        raise Mistake("other messages than were sent")
    if bool(channel.fault) != broken:
        raise Mistake(f"fault {channel.fault!r}, and broken is {broken}")
    return f"{min(len(got), 5)} messages, {channel.fault}"


def _message(body: bytes) -> object:
    try:
        return msgpack.unpackb(body, raw=False, strict_map_key=False)
    except (ValueError, TypeError, RecursionError):
        return None


# ---- results -------------------------------------------------------------------------


@functools.cache
def _messages() -> list[list[object]]:
    failure = Failure(
        type="builtins.ValueError",
        text="no",
        traceback="tb",
        at="a.py:1",
        bases=("Exception",),
        notes=("n",),
        causes=(Failure(type="x", text="", traceback=""),),
        pickled=b"p",
    )
    found = [
        Done(
            attempts=[1, 2],
            records=[b"\x01", b"\x02"],
            components=[b"\0\x01", b"\0\x02"],
            seconds=[0.1, 0.2],
            peaks=[5, 6],
            classes=[[("m:C", b"c")], []],
            refusals=[(1, ".x", "Lock")],
            same=[(2, 0.1, 0.2)],
            times=[1.0, 0.1, 0.1] * 2,
        ),
        Done(
            attempts=[3],
            records=[records()[9]],
            components=[b"\1" * 33],
            seconds=[0.5],
            elements=[[(False, b"\x01", b"\0\x01"), (True, b"\x02", b"\0\x02")]],
        ),
        Failed(attempt=1, failure=failure, seconds=0.5, input=(0, 1), began=5.0),
        Skipped(attempt=1, reason="no", seconds=1.0),
        Lost(attempt=1, digest=b"d" * 32),
        Interrupted(attempts=[1, 2]),
        Printed(attempt=1, stream="stdout", text="x"),
        Warned(kind="DamagedEntry", facts={"entry": "e", "check": "c"}),
        Metric(attempt=1, step=5, steps=9, numbers={"t": 1.5}),
        Grown(attempt=1, flow=[1], seconds=0.5),
    ]
    return [
        ["hello", 1, 5],
        ["unfit", 1, "no module"],
        ["stale", 3, 1, "m"],
        *(["results", 0.5, 1, [pack_result(one)]] for one in found),
    ]


@functools.cache
def results() -> list[bytes]:
    """Give results, packed as in a message."""
    return [dumps(fields) for message in _messages()[3:] for fields in message[3]]  # type: ignore[attr-defined]


def read_result(data: bytes) -> str:
    """Take a result: as its class says, its columns of equal length, or none."""
    try:
        fields = msgpack.unpackb(data, raw=False, strict_map_key=False)
    except (ValueError, TypeError, RecursionError):
        return "no message"
    if not isinstance(fields, list) or not fields:
        return "no message"
    try:
        result = sound(unpack_result(fields, 1))
        attempts_of(result)
    except UNREADABLE_RESULT as refusal:
        return f"{type(refusal).__name__} {words(str(refusal))[:40]}"
    if wrong := misshapen(result):
        raise Mistake(f"{wrong} has another type")
    if isinstance(result, Done):
        _check_columns(result)
    return type(result).__name__


def _check_columns(done: Done) -> None:
    count = len(done.attempts)
    for name in ("records", "components", "seconds", "peaks", "classes", "elements"):
        column = getattr(done, name)
        optional = name in ("peaks", "classes", "elements")
        if len(column) != count and not (optional and not column):
            raise Mistake(f"Done.{name} has another length")
    if done.times and len(done.times) != 3 * count:
        raise Mistake("Done.times has another length")


# ---- drawings ------------------------------------------------------------------------


@fc.compute(cache=False)
def leaf(x: float) -> float:
    """Give what it is given."""
    return x


@fc.compute
def stream(n: int, rng: np.random.Generator = fc.rng()) -> float:
    """Draw numbers."""
    return float(rng.random(n).sum())


@fc.compute
def joined(parts: object, y: float = 1.0) -> float:
    """Count."""
    return len(list(parts)) * y  # type: ignore[call-overload]


def _drawn() -> fc.Flow:
    with fc.Flow("drawn") as flow:
        flow.a = leaf(1.5)
        flow.b = joined([flow.a, 2.0], y=3.0)
        flow.c = leaf(fc.each(x=[1.0, 2.0, 3.0]))
        flow.d = joined(fc.gather(flow.c))
        flow.result = joined([flow.b, flow.d])
    return flow


class _Passed:
    """Where arrays of arguments go on their way."""

    place = 1

    def put(self, header: bytes, data: memoryview) -> bytes:
        """Keep an array."""
        return HOME.put(header, data)

    def map(self, digest: bytes, header: bytes, nbytes: int) -> tuple[bytearray, int]:
        """Give an array."""
        return HOME.fetch(digest, header, nbytes, self.place)


@functools.cache
def _codec() -> Codec:
    return Codec(kept=None, passed=_Passed())


@functools.cache
def drawings() -> list[bytes]:
    """Give flows that cells returned, packed as in a message; their recipes are bytes that hold a message."""
    found = []
    for flow in (_drawn(), _looped()):
        grown = Nursery(_codec(), here=False).grown(flow, attempt=7, seconds=0.5, began=1.0, changed="")
        found.append(dumps(grown.flow))
    return found


def _looped() -> fc.Flow:
    with fc.Flow("looped") as flow:
        flow.s = stream(4)
        flow.m = march(fc.each(n=[3, 4]))
        flow.g = joined(fc.gather(flow.m, missing="drop", labels=True))
        flow.result = {"s": flow.s, "m": flow.g, (1, 2): [1.0]}
    return flow


def read_drawing(data: bytes) -> str:
    """Plant a drawing as the engine does; it comes to nodes, or costs its cell an attempt."""
    try:
        packed: Any = msgpack.unpackb(data, raw=False, strict_map_key=False)
    except (ValueError, TypeError, RecursionError):
        return "no message"
    try:
        return _planted(packed)
    except UNREADABLE as refusal:
        return type(refusal).__name__


def _planted(packed: Any) -> str:
    flow = DrawnFlow.unpack(packed)
    drawn = [DrawnNode.unpack(one) for one in flow.nodes]
    stations = Stations()
    surround = Surround(
        codec=_codec(),
        spaces=lambda number: stations[number].space,
        label=cast(Any, _nothing),
        run_id="r",
        lane=str,
        leaves_process=lambda runner: True,
        named=lambda node, number: b"\0n",
        tell=lambda *_: None,
    )
    planting = Planting(surround)
    growing: Any = SimpleNamespace(
        first=5, prefix="p", group=("g",), work=SimpleNamespace(planned=SimpleNamespace(node=None))
    )
    planned = planting.nodes(flow, drawn, growing)
    for one in planned:
        stations.add(one.number, one.spans, one.links, priority=0, lane="")
    for one in planned:
        planting.work(flow, drawn[one.number - 5], one, None)
    return f"{min(len(planned), 9)} nodes"


def _nothing(*_: object) -> bytes:
    return b"\xc0"
