"""One run of the soak in an interpreter of its own: ``python -m tests.soak.child PLAN``, or the module of the plan.

The functions are in a module beside the plan, which is imported here and in the workers, or
runs as a script itself, and then its functions travel by value.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flowcore as fc
from tests.drawings import drawn
from tests.model.world import MODULE
from tests.oracle import found
from tests.soak import strikes
from tests.soak.plan import Plan, Told

TAIL = f'\n\nif __name__ == "__main__":\n    from {__name__} import main\n    main(globals())\n'


def main(namespace: Mapping[str, Any] | None = None) -> None:
    """Run the plan that the command line names; write down what it came to."""
    faulthandler.register(signal.SIGUSR2, all_threads=True)  # what it hangs in, if it does
    path = Path(sys.argv[1])
    plan = Plan.read(path)
    strikes.arm(plan, path)
    codes = plan.world.codes(namespace or vars(importlib.import_module(MODULE)))
    flow, refs = drawn(plan.steps, axes=plan.axes, codes=codes, prefix=plan.prefix)
    store = fc.open_store(plan.store, durable=plan.durable)
    run = flow.start(
        *refs, store=store, workers=plan.workers, executor=plan.executor, progress=False, on_error="continue"
    )
    path.with_suffix(".id").write_text(run.id)
    with contextlib.suppress(fc.RunFailed):
        run.wait()
    failures = [(f.node, tuple(f.labels.values()), f.error.type.rpartition(".")[2]) for f in run.failures]
    values = [found(run, ref) for ref in refs]
    Told(status=run.status, values=values, failures=failures).write(path.with_suffix(".told"))


if __name__ == "__main__":
    main()
