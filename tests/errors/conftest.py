"""A place whose name is so short that every message shows all of it, whoever shares the tests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def store() -> Iterator[Path]:
    """Give the path of a store that is not there yet."""
    with tempfile.TemporaryDirectory(prefix="e-") as folder:
        yield Path(folder) / "store"
