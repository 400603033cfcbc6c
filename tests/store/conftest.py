"""A store in use, and the parts of it that tests look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowcore.errors import FlowcoreWarning
from flowcore.store.directory import Store, StoreRun, open_store
from flowcore.store.fs import DISK, Disk

Begin = Callable[..., StoreRun]


@pytest.fixture
def told() -> list[FlowcoreWarning]:
    """Give the list that all warnings of a run go to."""
    return []


@pytest.fixture
def begin(store: Path, told: list[FlowcoreWarning]) -> Iterator[Begin]:
    """Give a function that begins a run in the test's store; all are closed in the end."""
    runs: list[StoreRun] = []

    def begin_run(disk: Disk = DISK, *, durable: bool = False, run_id: str | None = None) -> StoreRun:
        opened: Store = open_store(store, disk=disk, durable=durable)
        runs.append(opened.begin(run_id, tell=told.append))
        return runs[-1]

    yield begin_run
    for run in runs:
        run.release()
