"""A plugin of pytest: leaves out what is not marked with a row of ours. Loaded by name, so that each process has it."""

from __future__ import annotations

import pytest

from tests.reliability.rows import ROWS


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not marked."""
    ours = [item for item in items if any({*mark.args} & {*ROWS} for mark in item.iter_markers("contract"))]
    left_out = {*items} - {*ours}
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = ours
