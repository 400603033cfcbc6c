"""Claims about run/ready/written.py: what is read of a call, and when."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc


def _scaled(x: float, by: float = 2.0) -> float:
    return x * by


def _signatures_read(monkeypatch: pytest.MonkeyPatch, store: Path, nodes: int) -> int:
    flow, task = fc.Flow(), fc.compute(_scaled)
    for i in range(nodes):
        flow.add(task, float(i), name=f"node {i}")
    read: list[Any] = []
    with monkeypatch.context() as patch:
        true = inspect.signature
        patch.setattr(inspect, "signature", lambda *args, **kwargs: read.append(args) or true(*args, **kwargs))
        flow.run(store=store, executor="inline", progress=False)
    return len(read)


def test_a_signature_is_read_once_a_run(monkeypatch: pytest.MonkeyPatch, store: Path) -> None:
    """However many nodes call the function."""
    _signatures_read(monkeypatch, store, 1)  # what is loaded on first use makes classes, which reads some too

    assert _signatures_read(monkeypatch, store, 2) == _signatures_read(monkeypatch, store, 20)


@pytest.mark.contract("K11")
def test_a_default_that_is_set_anew_is_seen_by_the_next_run(monkeypatch: pytest.MonkeyPatch, store: Path) -> None:
    """Of the same flow, drawn once: no run takes a default for what an earlier one has read."""
    flow = fc.Flow()
    node = flow.add(fc.compute(_scaled), 3.0)
    first = flow.run(store=store, executor="inline", progress=False)[node]
    monkeypatch.setattr(_scaled, "__defaults__", (5.0,))
    second = flow.run(store=store, executor="inline", progress=False)
    monkeypatch.setattr(_scaled, "__defaults__", (2.0,))
    third = flow.run(store=store, executor="inline", progress=False)

    assert (6.0, 15.0, 6.0) == (first, second[node], third[node])
    assert (0, 1) == (second.counts(node).hit, third.counts(node).hit)
