"""An executor that several tests may use: no test shuts it down, and none lets it die."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import flowcore as fc
from tests.executor.called import Door


@pytest.fixture(scope="module")
def executor() -> Iterator[fc.Executor]:
    """Give an executor of two workers."""
    made = fc.Executor(2)
    made.submit(abs, -1).result()
    yield made
    made.kill_workers()  # a test that failed may have left a call at a door


@pytest.fixture
def door(tmp_path: Path) -> Door:
    """Give a door."""
    return Door(tmp_path)
