"""A script without a main guard, whose standard streams may be anything: closed, or a pipe that nobody reads."""

import os
import sys

import flowcore as fc
from tests.faults import inside

inside.arm()
inside.executed("script")
way, store = sys.argv[1:3]
if way == "closed":
    sys.stdout.close()
    os.close(1)
else:
    sys.stdout.write("the script runs\n")


def double(x: int) -> int:
    """Give twice as much, and say so."""
    sys.stdout.write("a cell runs\n")
    return 2 * x


flow = fc.Flow("unguarded")
grid = flow.add(double, fc.each(x=[1, 2, 3]))
run = flow.run(store=store, workers=2, progress=way == "full")
assert {1: 2, 2: 4, 3: 6} == dict(run[grid])
if way == "plain":
    sys.stdout.write("the script ends\n")
