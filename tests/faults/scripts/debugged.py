"""Two cells that stop at a breakpoint, and two that follow them in another process. Usage: debugged.py STORE."""

from __future__ import annotations

import sys

import flowcore as fc


@fc.compute(runner="inline")
def stops(x: int) -> int:
    """Stop, and give one more."""
    more = x + 1
    breakpoint()  # noqa: T100 - this is what is tested
    return more


@fc.compute
def follows(more: int) -> int:
    """Give ten times as much."""
    return more * 10


with fc.Flow("debugged") as flow:
    result = follows(stops(fc.each(x=[1, 2])))
run = flow.run(store=sys.argv[1], workers=1)
sys.stdout.write(f"values {dict(run[result])}\n")
