"""Fakes, and checks that hold an implementation to its seam: for flowcore's own tests and for yours.

Promises: nothing in here sleeps or measures time; a deadline only turns a hang into a
failure. Needs no test framework: what does not hold is an AssertionError.
"""

from __future__ import annotations

from flowcore.testing.check import check_executor
from flowcore.testing.disks import FaultyDisk
from flowcore.testing.fakes import FakeClock, FakeDevices, RefusingExecutor
from flowcore.testing.keeping import check_codec, check_store
from flowcore.testing.kill import check_kill
from flowcore.testing.ledger import Ledger
from flowcore.testing.power import RecordingDisk
from flowcore.testing.resume import check_resume
from flowcore.testing.scripted import Held, ScriptedExecutor
from flowcore.testing.task import check_task

__all__ = [
    "FakeClock",
    "FakeDevices",
    "FaultyDisk",
    "Held",
    "Ledger",
    "RecordingDisk",
    "RefusingExecutor",
    "ScriptedExecutor",
    "check_codec",
    "check_executor",
    "check_kill",
    "check_resume",
    "check_store",
    "check_task",
]
