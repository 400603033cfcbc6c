"""What tests of saboteurs share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from flowcore.run.pool import shutdown
from tests.faults import saboteurs


@pytest.fixture
def sabotage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Give a function that breaks this process and its next workers; all is mended in the end."""
    shutdown()
    yield lambda name: saboteurs.apply(name, monkeypatch.setattr)
    monkeypatch.undo()
    shutdown()
