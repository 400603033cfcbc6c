"""What this executor promises, and one flow by its name."""

from pathlib import Path

import flowcore as fc
from flowcore.testing import check_executor
from flowcore_serial import serial


def test_conformance() -> None:
    """Right values, one end for each attempt; a stop reaches loops; what cells print is told."""
    check_executor(serial, stops_loops=True, prints=True)


def test_by_name(tmp_path: Path) -> None:
    """Installed, it is known as ``serial``."""
    flow = fc.Flow("sums")
    sums = flow.add(divmod, fc.each(a=[7, 8, 9]), 4, kind="compute")
    run = flow.run(executor="serial", store=tmp_path, progress=False)

    assert [(1, 3), (2, 0), (2, 1)] == list(run[sums].values())
