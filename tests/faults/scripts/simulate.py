"""Run the walks: ``python -m tests.faults.scripts.simulate STORE LOG WORKERS N``; prints a digest for each."""

from __future__ import annotations

import os
import sys

from tests.faults.longruns import digest_of, wanders

if __name__ == "__main__":
    store, log, workers, n = sys.argv[1:]
    os.environ["FLOWCORE_TEST_MAIN"] = str(os.getpid())
    flow = wanders(n=int(n), log=log)
    values = flow.run(store=store, workers=int(workers), progress=False)[flow.result]
    sys.stdout.write(" ".join(digest_of(values[{"cell": cell}]) for cell in range(4)))
