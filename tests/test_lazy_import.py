"""Claims about flowcore/__init__.py: what importing it costs, and that its window is complete."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import flowcore as fc

ROOT = Path(fc.__file__).parent
HEAVY = {"numpy", "networkx", "asyncio", "msgpack", "blake3", "cloudpickle", "rich", "filelock", "xml", "http"}

NOT_FOR_A_RUN = {
    "asyncio", "rich", "networkx", "http", "html", "email", "importlib.metadata", "zipfile", "csv",
    "concurrent.futures", "multiprocessing", "pandas", "xarray", "scipy", "numpy.random", "numpy.ma",
    "flowcore.cli", "flowcore.comparison", "flowcore.history", "flowcore.outlook", "flowcore.overrule",
    "flowcore.recompute", "flowcore.run.executors.event_loop", "flowcore.run.executors.futures",
    "flowcore.run.rehearsals.rehearsal", "flowcore.testing",
    *(f"flowcore.inspect.{room}" for room in ("arrays", "differences", "past", "plan", "reasons", "recorded", "why")),
}  # fmt: skip
RUN = """
import sys
begun = []
starts = {{"os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system", "subprocess.Popen"}}
sys.addaudithook(lambda event, _: begun.append(event) if event in starts else None)
import flowcore as fc
with fc.Flow("start") as flow:
    halves = fc.compute({function})(fc.each(x=range({cells})))
    total = fc.compute(sum)(fc.gather(halves))
run = flow.run(store={store!r}, workers=1, progress=False)
assert run[total] is not None
print(run.counts(halves).hit, len(begun), *sys.modules)
"""


def loaded(code: str) -> set[str]:
    """Give the modules that a fresh Python has after `code`."""
    script = f"import sys; before = set(sys.modules); {code}; print(*(set(sys.modules) - before))"
    ran = subprocess.run(
        [sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": str(ROOT.parent)},
    )  # fmt: skip
    return set(ran.stdout.split())


def test_importing_loads_nothing() -> None:
    """Every worker imports the package; it brings no module but itself."""
    assert {"flowcore", "__future__", "types"} == loaded("import flowcore") | {"__future__", "types"}


@pytest.mark.parametrize(
    "code", ["flowcore.compute(len)", "flowcore.Flow('x')", "flowcore.Settings()", "flowcore.Skip"]
)
def test_drawing_loads_nothing_heavy(code: str) -> None:
    """The rooms of drawing bring no library."""
    found = {name.partition(".")[0] for name in loaded(f"import flowcore; {code}")}

    assert set() == found & HEAVY


def _ran(store: Path, function: str, cells: int) -> tuple[int, int, set[str]]:
    """Run a flow in a fresh Python; give the hits, how many processes it began, and the modules that it has."""
    script = RUN.format(function=function, cells=cells, store=str(store))
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    hits, begun, *modules = told.stdout.split()
    return int(hits), int(begun), set(modules)


@pytest.mark.parametrize("cells", [2, 2000])
def test_a_warm_run_loads_what_it_needs(store: Path, cells: int) -> None:
    """A run that the store answers starts no process, and loads nothing that looks at runs, draws or serves."""
    _, cold, _ = _ran(store, "abs", cells)
    hits, warm, modules = _ran(store, "abs", cells)

    assert cells == hits
    assert 0 < cold, "what begins a process is seen"
    assert 0 == warm
    assert set() == modules & NOT_FOR_A_RUN


COLD = """
import sys
from tests.bench.plain import nothing
import flowcore as fc
with_engine = []
def look(event, _):
    if event == "subprocess.Popen":
        with_engine.append("flowcore.run.engine" in sys.modules)
sys.addaudithook(look)
flow = fc.Flow("start")
last = flow.add(nothing, flow.add(nothing, 7, name="first"), name="second")
assert 7 == flow.run(store={store!r}, workers=1, progress=False)[last]
print(with_engine, "numpy" in sys.modules)
"""


def _cold(store: Path) -> str:
    script = COLD.format(store=str(store))
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60).stdout


def test_a_cold_run_has_its_launcher_come_first(store: Path) -> None:
    """Where a store answers nothing, the one process that is begun comes while the engine is loaded."""
    assert "[False] False\n" == _cold(store), "and nobody has use for numpy where there are no arrays"


def test_a_store_that_is_there_is_asked_first(store: Path) -> None:
    """It may answer everything: whether a process is needed is known only when a cell has to run."""
    store.mkdir()
    (store / "journal").write_text("anything")

    assert "[True] False\n" == _cold(store)


def test_each_public_name_is_there() -> None:
    """What the window shows can be had."""
    for name in fc.__all__:
        assert None is not getattr(fc, name)
    assert set(fc.__all__) <= set(dir(fc))
    assert len(fc.__all__) == len(set(fc.__all__))


def test_the_window_is_the_same_for_checkers() -> None:
    """The imports that type checkers see are the names that are loaded."""
    tree = ast.parse((ROOT / "__init__.py").read_text())
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        (alias.asname, imported.module)
        for block in blocks
        for imported in block.body
        if isinstance(imported, ast.ImportFrom)
        for alias in imported.names
    }  # fmt: skip

    told = {(name, "flowcore.decorators" if name in {"compute", "io"} else fc._PLACES[name]) for name in fc.__all__}
    assert told == seen


def test_every_error_is_public() -> None:
    """Whoever catches one needs no other import."""
    errors = importlib.import_module("flowcore.errors")
    kinds = {
        n
        for n, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, (errors.FlowcoreError, errors.Skip))
    }

    assert kinds <= set(fc.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As in any module."""
    with pytest.raises(AttributeError, match="no attribute 'computes'"):
        _ = fc.computes


@pytest.mark.parametrize(("installed", "expected"), [("9.8", "9.8"), (None, "none")])
def test_the_version_is_that_of_the_distribution(tmp_path: Path, installed: str | None, expected: str) -> None:
    """Where there is one. Run from bare files, flowcore has no such attribute, rather than a wrong one."""
    tmp_path.joinpath("flowcore").symlink_to(ROOT)
    if installed is not None:
        metadata = tmp_path / f"flowcore-{installed}.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text(f"Metadata-Version: 2.1\nName: flowcore\nVersion: {installed}\n")
    told = subprocess.run(
        [sys.executable, "-S", "-c", "import flowcore; print(getattr(flowcore, '__version__', 'none'))"],
        capture_output=True, text=True, check=True, env={"PYTHONPATH": str(tmp_path)}, cwd=tmp_path,
    )  # fmt: skip

    assert expected == told.stdout.strip()


def test_the_decorator_stands_before_its_room() -> None:
    """`fc.flow` is the decorator, whoever imported the room `flowcore.flow` first."""
    code = "import flowcore.flow; from flowcore import flow; assert flowcore.flow is flow and callable(flow), flow"

    assert "flowcore.flow" in loaded(code)
    assert "Flow" == sys.modules["flowcore.flow"].Flow.__name__
