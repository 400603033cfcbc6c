"""The claim of run/pilots: it is an executor as any other."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from flowcore.run.executors.near import NearExecutor
from flowcore.run.inbox import Inbox
from flowcore.run.pilots import ferry, pilot
from flowcore.run.pilots.executor import pilots
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec
from flowcore.testing import check_executor
from tests.run.pilots.hands import aboard, box_at


def test_conformance(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one pilot of two workers, which outlives the runs of a store; nobody looks less often than he can."""
    monkeypatch.setattr(pilot, "_LONGEST", 0.05)
    monkeypatch.setattr(ferry, "_LONGEST", 0.05)
    with ExitStack() as crew:
        manned: set[str] = set()

        def make(*, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> NearExecutor:
            if surroundings.store not in manned:
                manned.add(surroundings.store)
                crew.enter_context(aboard(box_at(surroundings.store), workers=2))
            return pilots(workers=workers, inbox=inbox, codec=codec, surroundings=surroundings)

        check_executor(make, loss="cell", stops_loops=True, prints=True)
