"""The fixture ``flow_store`` for tests of pipelines: ``pytest_plugins = ["flowcore.pytest_plugin"]`` in a conftest.py.

Promises to load nothing of flowcore before a test asks for the fixture. Is no entry point of
flowcore's: of a distribution that has one pytest rewrites the asserts of every module, here of
hundreds, for everybody who has flowcore installed (decision 0100).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_ENGINE = "flowcore.run.session"
_VARIABLES = {"FLOWCORE_PROGRESS": "no"}  # of each test with a store of its own


@pytest.fixture
def flow_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the path of a fresh store, which all runs of the test use unless they name another.

    No progress is shown meanwhile. A run that still goes on when the test has ended fails it.
    """
    store = tmp_path / "flow_store"
    for name, value in (_VARIABLES | {"FLOWCORE_STORE": str(store)}).items():
        monkeypatch.setenv(name, value)
    yield store
    left = going_on(store)
    if left:
        told = f"{left[0]} still goes on in {store}: end it in the test, by run.wait() or run.cancel()"
        pytest.fail(told, pytrace=False)


def going_on(store: Path) -> list[str]:
    """Name the runs of a store that have not ended."""
    if _ENGINE not in sys.modules:
        return []  # nothing has run in this process: spares its tests what it takes to look
    from flowcore.history import runs  # a third of a second, the first time

    return [f"run {run.id} of {run.flow!r}" for run in runs(store) if run.status == "running"]
