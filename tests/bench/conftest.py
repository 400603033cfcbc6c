"""Rows of the table that a comparison prints at its end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Row = Callable[[str, float, float, float], None]
_ROWS: list[tuple[str, float, float, float]] = []


@pytest.fixture
def row() -> Row:
    """Note a comparison: what, our seconds, the other's, and the ratio allowed; fails above it."""

    def note(what: str, ours: float, theirs: float, allowed: float) -> None:
        _ROWS.append((what, ours, theirs, allowed))

        assert ours / theirs <= allowed, f"{what}: {ours:.4g} s against {theirs:.4g} s is above {allowed:g}"

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    if not _ROWS:
        return
    terminalreporter.write_line(f"{'':60} {'ours':>10} {'other':>10} {'ratio':>7} {'allowed':>8}")
    for what, ours, theirs, allowed in _ROWS:
        terminalreporter.write_line(f"{what:60} {ours:>10.4g} {theirs:>10.4g} {ours / theirs:>7.3f} {allowed:>8.3g}")
