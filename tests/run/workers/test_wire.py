"""Claims about run/workers/wire.py: whole messages, in order, without ever blocking the engine's end."""

from __future__ import annotations

import itertools
import os
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.run.workers.wire import Channel, pair


def ends() -> tuple[Channel, Channel]:
    """Give an engine's end, and one that blocks."""
    ours, theirs = pair()
    return Channel(ours, blocking=False), Channel(theirs, blocking=True)


messages = st.lists(st.binary(max_size=100) | st.integers(-(2**63), 2**63) | st.text(max_size=20), min_size=1)


@given(st.lists(messages, max_size=8), st.lists(st.integers(1, 40), min_size=1))
def test_messages_arrive_whole_however_they_are_cut(sent: list[list[object]], cuts: list[int]) -> None:
    """Where the stream is cut into reads does not show."""
    recorder, wire = socket.socketpair()
    sender = Channel(recorder, blocking=True)
    for message in sent:
        sender.send(message)
    sender.close()
    stream = b"".join(iter(lambda: wire.recv(65536), b""))
    wire.close()
    feeder, end = socket.socketpair()
    receiver, received = Channel(end, blocking=False), []
    for cut in itertools.cycle(cuts):
        feeder.sendall(stream[:cut])
        stream = stream[cut:]
        received += receiver.receive()
        if not stream:
            break
    feeder.close()
    receiver.close()

    assert sent == received


@pytest.mark.contract("F10")
def test_engine_end_never_blocks_on_a_full_socket() -> None:
    """What a deaf far end does not take waits in the channel, and arrives once it listens."""
    engine, worker = ends()
    big = bytes(10_000_000)
    for number in range(3):
        engine.send([number, big])
    waited = engine.pending
    heard = threading.Thread(target=lambda: [worker.wait() for _ in range(3)])
    heard.start()
    while not engine.flush():
        continue
    heard.join(60)

    assert waited
    assert not heard.is_alive()
    engine.close()
    worker.close()


def test_large_messages_arrive_whole() -> None:
    """A message larger than any read is put together, and the small one behind it too."""
    engine, worker = ends()
    sender = threading.Thread(target=lambda: [worker.send([bytes(range(256)) * 40_000]), worker.send(["next"])])
    sender.start()
    received: list[list[object]] = []
    while len(received) < 2:
        received += engine.receive()
    sender.join()

    assert [[bytes(range(256)) * 40_000], ["next"]] == received
    engine.close()
    worker.close()


@pytest.mark.parametrize(
    "garbage", [b"x" * 64, b"\xff" * 8, (0xF10C << 48 | 3).to_bytes(8, "little") + b"\xc1\xc1\xc1",
                (0xF10C << 48 | 1).to_bytes(8, "little") + b"\x05"]
)  # fmt: skip
@pytest.mark.contract("F11")
def test_garbage_is_a_fault_and_what_came_before_it_is_heard(garbage: bytes) -> None:
    """A bad mark, a bad length, bad msgpack and a message that is no list are all found out."""
    engine, worker = ends()
    worker.send(["good"])
    os.write(worker.fileno(), garbage)
    received = engine.receive()

    assert [["good"]] == received
    assert engine.fault
    assert not engine.receive()
    engine.close()
    worker.close()


def test_what_was_sent_before_a_death_is_heard() -> None:
    """The end of the far side is known only after all it had said."""
    engine, worker = ends()
    for number in range(1000):
        worker.send([number])
    worker.close()
    received = engine.drain()

    assert [[number] for number in range(1000)] == received
    assert engine.ended
    engine.close()


def test_sending_to_a_dead_end_is_harmless() -> None:
    """Nothing is raised: reading tells that the far side has gone."""
    engine, worker = ends()
    worker.close()
    engine.send(["anybody?"])
    engine.send(["anybody?"])
    engine.receive()

    assert engine.ended
    assert not engine.pending
    engine.close()


def test_descriptors_arrive_with_their_messages_and_close_on_exec() -> None:
    """Groups of descriptors keep the order of their messages."""
    engine, worker = ends()
    pipes = [os.pipe() for _ in range(3)]
    for number, (_, write) in enumerate(pipes):
        engine.send([number], fds=(write,))
        engine.send(["plain"])
        os.close(write)
    for number, (read, _) in enumerate(pipes):
        message, plain = worker.wait(), worker.wait()
        (received,) = worker.take_fds()
        os.write(received, bytes([number]))

        assert ([number], ["plain"]) == (message, plain)
        assert not os.get_inheritable(received)
        assert bytes([number]) == os.read(read, 1)
        os.close(received)
        os.close(read)
    assert worker.take_fds() == ()
    engine.close()
    worker.close()
