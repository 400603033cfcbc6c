"""Claims about run/cell/printing.py: where no run is at home, what cells print is told, whoever took the streams."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from flowcore.run.cell.printing import StandIn, stand_for_good, stand_in, step_back


def test_what_stands_for_good_is_put_back_where_it_was_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool of somebody else's may give each call streams of its own; and logging follows."""
    first, second = io.StringIO(), io.StringIO()
    handler = logging.StreamHandler(second)
    monkeypatch.setattr(logging.root, "handlers", [handler])
    found = []
    for stream in (first, second):
        monkeypatch.setattr(sys, "stdout", stream)
        stand_for_good()
        standing = sys.stdout
        stand_for_good()
        stand_in()
        step_back()
        found.append((isinstance(standing, StandIn), sys.stdout is standing))
        sys.stdout.write("x")

    assert [(True, True)] * 2 == found
    assert ("x", "x") == (first.getvalue(), second.getvalue())
    assert handler.stream is sys.stdout
