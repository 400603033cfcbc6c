"""Claims about run/inbox.py: nothing posted is lost, and deadlines are rung in order."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from flowcore.run.inbox import Inbox
from flowcore.run.job import Interrupted
from flowcore.testing import FakeClock


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """Give an inbox, and close it."""
    made = Inbox()
    yield made
    made.close()


def test_results_come_in_order_of_posting(inbox: Inbox) -> None:
    """All that is there at once."""
    posted = [Interrupted(attempts=[n]) for n in range(3)]
    inbox.post(posted[:2])
    inbox.post(posted[2:])

    assert posted == inbox.wait()


@pytest.mark.contract("P5")
def test_a_post_from_another_thread_wakes(inbox: Inbox) -> None:
    """However it falls: a thousand posts are a thousand results."""

    def post() -> None:
        for n in range(1000):
            inbox.post([Interrupted(attempts=[n])])

    thread = threading.Thread(target=post)
    thread.start()
    found: list[int] = []
    while len(found) < 1000:
        found += [result.attempts[0] for result in inbox.wait(60.0) if isinstance(result, Interrupted)]
    thread.join()

    assert list(range(1000)) == found


def test_calls_are_made_by_who_waits(inbox: Inbox) -> None:
    """On the engine's thread."""
    seen: list[int] = []
    thread = threading.Thread(target=lambda: inbox.call(lambda: seen.append(threading.get_ident())))
    thread.start()
    thread.join()
    inbox.wait(60.0)

    assert [threading.get_ident()] == seen


def test_deadlines_ring_in_order_when_they_are_due(inbox: Inbox) -> None:
    """Not before; one that was called off does not."""
    rung: list[str] = []
    with FakeClock() as clock:
        now = clock.monotonic()
        inbox.at(now + 20.0, lambda: rung.append("late"))
        inbox.at(now + 10.0, lambda: rung.append("early"))
        inbox.at(now + 5.0, lambda: rung.append("never")).cancel()
        inbox.wait(0.0)
        before = list(rung)
        clock.advance(15.0)
        inbox.wait(0.0)
        between = list(rung)
        clock.advance(15.0)
        inbox.wait(0.0)

    assert ([], ["early"], ["early", "late"]) == (before, between, rung)


def test_a_watched_file_is_seen_to(inbox: Inbox) -> None:
    """As long as it is watched."""
    read, write = os.pipe()
    seen: list[bytes] = []
    inbox.watch(read, lambda: seen.append(os.read(read, 1)))
    os.write(write, b"ab")
    inbox.wait(60.0)
    inbox.unwatch(read)
    inbox.wait(0.0)
    os.close(read)
    os.close(write)

    assert [b"a"] == seen


def test_a_post_after_closing_harms_nobody() -> None:
    """A thread that was given up may come late."""
    inbox = Inbox()
    inbox.close()
    inbox.post([Interrupted(attempts=[1])])
