"""Claims about run/cell/meter.py and machine.py: what a cell had is told apart from what others had before it."""

from __future__ import annotations

from pathlib import Path

import pytest

import flowcore as fc
from flowcore import machine
from flowcore.plan.states import State
from flowcore.run.cell.meter import Meter
from flowcore.store.history import read_run, run_paths
from flowcore.store.trace import Trace

MIB = 1 << 20


def filled(mib: int) -> int:
    """Hold so much memory for a moment, and write to all of it."""
    held = bytearray(mib * MIB)
    for place in range(0, len(held), 4096):
        held[place] = 1
    return mib


def test_a_small_cell_after_a_large_one_is_small() -> None:
    """The highest of a process's life is taken back before each cell."""
    meter, peaks = Meter(), []
    for size in (200, 1):
        meter.begin()
        filled(size)
        peaks.append(meter.peak())
    meter.close()

    assert peaks[0] - peaks[1] > 150 * MIB


def test_where_the_highest_cannot_be_taken_back_only_a_new_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier cell had is never taken for what this one had."""
    monkeypatch.setattr("flowcore.run.proc.open_peak", lambda: -1)
    meter, peaks = Meter(), []
    for size in (400, 1):
        meter.begin()
        filled(size)
        peaks.append(meter.peak())
    meter.close()

    assert peaks[0] > 400 * MIB
    assert 0 == peaks[1]


def test_peaks_are_written_down(store: Path) -> None:
    """A cell a worker, in the journal, for reports and for the next run."""
    flow = fc.Flow()
    flow.add(filled, fc.each(mib=[300, 1]), name="filled")
    run = flow.run(store=store, workers=1, progress=False)
    traces = [told for told in read_run(run_paths(store)[run.id]) if isinstance(told, Trace)]
    peaks = {label: peak for trace in traces for label, peak in zip(trace.numbers, trace.peaks, strict=True)}

    assert State.DONE == run._session.state(0, 0)  # noqa: SLF001
    assert peaks[0] > 300 * MIB > peaks[1] > 0


@pytest.mark.parametrize(
    ("files", "memory", "cores", "kills"),
    [
        ({}, None, None, 0),
        ({"/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/memory.max": f"{64 * MIB}\n",
          "/sys/fs/cgroup/a/b/memory.max": "max\n", "/sys/fs/cgroup/a/b/cpu.max": "50000 100000\n",
          "/sys/fs/cgroup/a/b/memory.events": "low 0\noom 3\noom_kill 2\n"}, 64 * MIB, 1, 2),
        ({"/proc/self/cgroup": "4:memory:/x\n0::/\n", "/sys/fs/cgroup/memory/x/memory.limit_in_bytes": f"{MIB}",
          "/sys/fs/cgroup/memory/x/memory.oom_control": "under_oom 0\noom_kill 7\n"}, MIB, None, 7),
        ({"/proc/self/cgroup": "garbage\n", "/sys/fs/cgroup/memory.max": "many\n"}, None, None, 0),
    ],
    ids=["none", "two levels", "version 1", "garbage"],
)  # fmt: skip
def test_control_groups_of_both_versions_are_read(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, str], memory: int | None, cores: int | None, kills: int
) -> None:
    """The lowest limit on the way up counts; what is not told is without limit."""
    whole, all_cores = machine.memory_limit(), machine.default_workers()
    monkeypatch.setattr(machine, "_read", lambda path: files.get(path, ""))

    assert kills == machine.out_of_memory_kills()
    assert (memory or machine.memory_limit()) == machine.memory_limit() >= (0 if memory else whole)
    assert (cores or machine.default_workers()) == machine.default_workers() <= all_cores
