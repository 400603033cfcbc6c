"""Cells that each meet the driver while they run. Usage: interrupted.py STORE [elsewhere]."""

from __future__ import annotations

import sys
from typing import Any

import flowcore as fc
from tests.faults import inside

CELLS = 8


@fc.compute
def cell(number: int) -> int:
    """Stay until the driver answers."""
    inside.executed("cell", number)
    inside.mark("cell", number=number)
    return number * number


@fc.compute
def total(values: list[int]) -> int:
    """Add up."""
    inside.executed("total")
    return sum(values)


@fc.flow
def squares() -> Any:
    """Draw the sum of some squares."""
    return total(fc.gather(cell(fc.each(number=list(range(CELLS))))))


def main() -> None:
    """Run it."""
    inside.arm()
    inside.tell_ending()
    flow = squares()
    if "elsewhere" in sys.argv:  # started, and not waited for yet
        started = flow.start(store=sys.argv[1], workers=2, progress=False)
        inside.mark("elsewhere")
        started.wait()
    run = flow.run(store=sys.argv[1], workers=2, progress=False)
    inside.mark("result", value=run[flow.result])


if __name__ == "__main__":
    main()
