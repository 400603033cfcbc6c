"""What every test gets: a store of its own, hypothesis that repeats itself, and a look at what is left behind."""

from __future__ import annotations

import gc
import os
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from flowcore.run import pool
from tests.vocabulary import COUNTER

settings.register_profile(
    "ci",
    derandomize=True,
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("long", parent=settings.get_profile("ci"), derandomize=False, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# A shell starts what it puts into the background deaf to Ctrl-C, and so would be all that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

PATIENCE = 60.0  # seconds that a thread of a finished run may take to end; only turns a leak into a failure
SPARE_FILES = 32  # descriptors of a launcher and its workers, which wait for the next run


def pytest_configure(config: pytest.Config) -> None:
    """Have all processes that share the tests order sets alike: each must collect the same tests in the same order."""
    if hasattr(config, "workerinput"):
        del os.environ["PYTHONHASHSEED"]  # what a test starts has an order of its own
    elif config.getoption("numprocesses", None):
        os.environ.setdefault("PYTHONHASHSEED", str(random.randrange(2**32)))


def pytest_collection_finish() -> None:
    """Leave what is there by now out of every search for cycles: it is a million objects, and stays."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test whose name has an address in it: those who share the tests could not agree on it."""
    wrong = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if wrong:
        raise pytest.UsageError(f"name the parameters of {wrong[0]}: this name is another one in each process")


def own_threads() -> set[threading.Thread]:
    """Give the living threads that flowcore started."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("flowcore")}


def open_files() -> int:
    """Count this process's descriptors; 0 where they cannot be counted."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except FileNotFoundError:
        return 0


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves threads of flowcore running, or many files open."""
    before, files = own_threads(), open_files()
    yield
    for thread in own_threads() - before:
        thread.join(PATIENCE)
    left = sorted(thread.name for thread in own_threads() - before)

    assert [] == left, "threads that outlive their run"
    assert open_files() <= files + SPARE_FILES, "descriptors that outlive their run"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Give the path of a store that is not there yet."""
    return tmp_path / "store"


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the file of executions of `vocabulary`'s tasks; workers know its path from their start."""
    path = tmp_path_factory.mktemp("counter") / "lines"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(COUNTER, str(path))
        pool.shutdown()  # workers that are there already know nothing of it
        yield path
    pool.shutdown()
