"""No test of the pool hands its workers to the next one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flowcore.run import pool


@pytest.fixture(autouse=True)
def no_kept_workers() -> Iterator[None]:
    """End the workers that a test has left for the next run."""
    yield
    pool.shutdown()
