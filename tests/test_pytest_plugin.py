"""Claims about pytest_plugin.py: a store for each test, nothing left going on, next to nothing at pytest's start."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

from tests.house.rooms import ROOT

pytest_plugins = ["pytester"]

PIPELINE = """
import flowcore as fc

@fc.compute
def half(x: float) -> float:
    return x / 2

@fc.flow
def halves(xs: list[float]):
    return half(fc.each(x=xs))
"""
TESTS = """
import os
import pytest
import flowcore as fc
from pipeline import halves

@pytest.mark.parametrize("again", [1, 2, 3, 4])
def test_fresh(flow_store, again):
    assert not flow_store.exists()
    run = halves([4.0, 6.0]).run(executor="inline")
    assert [2.0, 3.0] == list(run["half"].values())
    assert 2 == run.counts("half").done
    assert [run.id] == [one.id for one in fc.runs(flow_store)]

def test_none(flow_store):
    assert not flow_store.exists()

def test_without():
    assert "FLOWCORE_STORE" not in os.environ
"""
ENDLESS = """
import threading
import flowcore as fc

def test_left(flow_store):
    global run, over
    over = threading.Event()
    flow = fc.Flow("left")
    flow.add(fc.io(lambda: over.wait()), name="wait")
    run = flow.start()

def test_next(flow_store):
    over.set()
    run.wait()
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Give a folder with a pipeline, in which pytest is typed; its conftest.py asks for the plugin."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "FLOWCORE_STORE"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeconftest('pytest_plugins = ["flowcore.pytest_plugin"]')
    pytester.makepyfile(pipeline=PIPELINE)
    return pytester


@pytest.mark.parametrize("shared", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_each_test_has_a_store_of_its_own(project: pytest.Pytester, shared: tuple[str, ...]) -> None:
    """Which is empty, which runs use without being told, and which other tests do not see; nothing is shown."""
    project.makepyfile(TESTS)
    result = project.runpytest_subprocess(*shared, "-s")

    result.assert_outcomes(passed=6)
    assert "half" not in result.stdout.str() + result.stderr.str()
    assert not (project.path / ".flowcore").exists()


def test_a_run_that_goes_on_fails_its_test(project: pytest.Pytester) -> None:
    """It is named, with what to do; the next test has a store of its own all the same."""
    project.makepyfile(ENDLESS)
    result = project.runpytest_subprocess()

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["run * of '*' still goes on in *: end it in the test, by run.wait() or *"])


def test_pytest_starts_without_the_engine() -> None:
    """Nothing but this one room and the shop window: no numpy, no room that it needs itself."""
    code = "import pytest, sys; seen = set(sys.modules); import flowcore.pytest_plugin; print(set(sys.modules) - seen)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert {"flowcore", "flowcore.pytest_plugin"} == eval(ran.stdout)


def test_pytest_is_told_of_it_by_who_wants_it() -> None:
    """Of a distribution with an entry point, pytest rewrites each module (decision 0100)."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert "pytest11" not in project["entry-points"]
