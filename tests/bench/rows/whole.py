"""Whole processes: a million cells, an import, two nodes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench.rounds import Samples, alternate, seconds
from tests.bench.rows.arena import Arena
from tests.bench.table import OURS, Budget, Row

ROOT = Path(__file__).parents[3]

_MILLION = """
import resource, sys, time
import flowcore as fc
from tests.bench.plain import nothing
began = time.perf_counter()
with fc.Flow("million") as flow:
    cells = fc.compute(nothing)(fc.each(x=range({cells})))
run = flow.run(store=sys.argv[1], workers={workers}, progress=False)
assert run.counts(cells).done == {cells}
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""

_MILLION_PIPEFUNC = """
import resource, sys, time
from pipefunc import PipeFunc, Pipeline
from tests.bench.plain import nothing
began = time.perf_counter()
pipeline = Pipeline([PipeFunc(nothing, "y", mapspec="x[i] -> y[i]")])
results = pipeline.map({{"x": list(range({cells}))}}, storage="dict", parallel=False, show_progress=False)
assert results["y"].output[-1] == {cells} - 1
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""

_PROCESSES = {
    OURS: """
import sys
import flowcore as fc
from tests.bench.plain import nothing
with fc.Flow("two") as flow:
    second = flow.add(nothing, flow.add(nothing, 7, name="first"), name="second")
assert flow.run(store=sys.argv[1], progress=False)[second] == 7
""",
    "concurrent.futures": """
from concurrent.futures import ProcessPoolExecutor
from tests.bench.plain import nothing
with ProcessPoolExecutor(2) as pool:
    assert pool.submit(nothing, pool.submit(nothing, 7).result()).result() == 7
""",
    "joblib": """
import joblib
from tests.bench.plain import nothing
for _ in range(2):
    assert joblib.Parallel(n_jobs=2)([joblib.delayed(nothing)(7)]) == [7]
""",
    "dask processes": """
import dask
from tests.bench.plain import nothing
if __name__ == "__main__":
    assert dask.delayed(nothing)(dask.delayed(nothing)(7)).compute(scheduler="processes", num_workers=2) == 7
""",
    "pipefunc": """
from pipefunc import PipeFunc, Pipeline
from tests.bench.plain import nothing
first = PipeFunc(nothing, "y")
second = PipeFunc(nothing, "z", renames={"x": "y"})
assert Pipeline([first, second]).run("z", kwargs={"x": 7}) == 7
""",
}


def million_rows(arena: Arena) -> list[Row]:
    """A grid of no-ops, drawn, keyed, run and journalled by a process of its own; pipefunc keeps nothing, serially."""
    cells = arena.pick(1_000_000, 20_000)
    scripts = {OURS: (_MILLION, cells), "pipefunc": (_MILLION_PIPEFUNC, cells // 10)}
    scripts = {name: script for name, script in scripts.items() if name in arena.names}
    peaks: dict[str, list[float]] = {name: [] for name in scripts}

    def work(name: str) -> Callable[[], float]:
        source, count = scripts[name]

        def run() -> float:
            took, peak = map(float, python(source.format(cells=count, workers=arena.workers)).split())
            peaks[name].append(peak / 2**20)
            return took / count * 1e6

        return run

    samples = alternate({name: work(name) for name in scripts}, times=arena.pick(min(2, arena.rounds), 1))
    memory = {name: Samples(figures=peaks[name], refusal=s.refusal) for name, s in samples.items() if name == OURS}
    sizes = {name: count for name, (_, count) in scripts.items()}
    return [
        Row(
            name=f"{cells} no-op cells", unit="us a cell", samples=samples, sizes=sizes,
            budgets=(Budget(allowed=15.0), Budget(peer="pipefunc", allowed=0.4)),
        ),
        Row(name=f"{cells} no-op cells, memory", unit="MiB", samples=memory, budgets=(Budget(allowed=1e9 / 2**20),)),
    ]  # fmt: skip


def import_row(arena: Arena) -> list[Row]:
    """Importing, in a fresh interpreter; ours with the names that a drawing needs, since it brings none before."""
    sources = {name: f"import {name}" for name in ("numpy", "joblib", "dask", "pipefunc")}
    sources = {OURS: "import flowcore as fc; fc.Flow, fc.compute, fc.each", **sources}
    samples = alternate({name: _imported(source) for name, source in sources.items()}, times=arena.pick(7, 2))
    return [Row(name="import", unit="ms", samples=samples, budgets=(Budget(allowed=60.0),))]


def _imported(words: str) -> Callable[[], float]:
    source = f"import time; began = time.perf_counter(); {words}; print(time.perf_counter() - began)"
    return lambda: float(python(source)) * 1e3


def process_row(arena: Arena) -> list[Row]:
    """A script of two calls, from its start to its end, with a new store."""
    works = {name: _process(source) for name, source in _PROCESSES.items() if name in arena.names}
    samples = alternate(works, times=arena.pick(5, 2))
    return [Row(name="whole process of two nodes", unit="s", samples=samples, budgets=(Budget(allowed=0.4),))]


def _process(source: str) -> Callable[[], float]:
    return lambda: seconds(lambda: python(source))


def python(source: str) -> str:
    """Run a script with this checkout first, and a store that is gone afterwards.

    The checkout's bytecode is written, below the system's temporary directory, and used by
    the next script, as that of a package that was installed is. Peers have theirs.
    """
    root = Path(tempfile.mkdtemp(prefix="bench-"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    environment |= {"PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir(), f"flowcore-bench-{os.getuid()}"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        (root / "work.py").write_text(source)
        command = [sys.executable, str(root / "work.py"), str(root / "store")]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=ROOT).stdout
    finally:
        shutil.rmtree(root, ignore_errors=True)
