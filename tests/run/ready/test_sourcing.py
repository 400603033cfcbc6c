"""Claims about run/ready/sourcing.py: which text of which function is kept, and when."""

from __future__ import annotations

import importlib
import linecache
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

import flowcore as fc
from flowcore.run.ready.sourcing import Texts
from flowcore.testing.disks import FaultyDisk

SOURCE = """
import functools

def plain(x):
    # a comment
    return x + 1


class Model:
    def step(self, x):
        return [i for i in (x,
                            2)]

pair = lambda: 1, lambda: (
    2)

def decorate(function):
    @functools.wraps(function)
    def wrapper():
        return function()
    return wrapper

@decorate
def wrapped():
    return 3
"""

Load = Callable[[str], ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Give a function that writes a module and imports it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def loaded(source: str) -> ModuleType:
        (tmp_path / "flowcore_test_sourced.py").write_text(source)
        sys.modules.pop("flowcore_test_sourced", None)
        importlib.invalidate_caches()
        linecache.clearcache()
        return importlib.import_module("flowcore_test_sourced")

    yield loaded
    sys.modules.pop("flowcore_test_sourced", None)


def kept(store: Path) -> set[str]:
    """Give the texts in a store."""
    return {path.read_text() for path in (store / "v1" / "code").glob("*")}


def flow_of(function: Any) -> fc.Flow:
    """Draw one call."""
    flow = fc.Flow("one")
    flow.result = flow.add(fc.compute(runner="inline")(function), name="one")
    return flow


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain", "def plain(x):\n    # a comment\n    return x + 1\n"),
        ("Model.step", "def step(self, x):\n    return [i for i in (x,\n                        2)]\n"),
        ("pair.1", "pair = lambda: 1, lambda: (\n    2)\n"),
        ("wrapped", "@functools.wraps(function)\ndef wrapper():\n    return function()\n"),
    ],
)
def test_the_text_of_a_function(load: Load, name: str, expected: str) -> None:
    """Its lines, without the indentation of its place."""
    found: Any = load(SOURCE)
    for part in name.split("."):
        found = found[int(part)] if part.isdecimal() else getattr(found, part)

    assert expected == Texts().of(found)


@pytest.mark.parametrize(
    ("written", "expected"), [("dumps(1)", "def task():\n    return json.dumps(1)\n"), ("dumps(2)", "")]
)
def test_the_text_of_a_file_that_was_executed_in_parts(tmp_path: Path, written: str, expected: str) -> None:
    """A part alone is other code where it calls into a module that another part imports; an edited one has no text."""
    path, space = tmp_path / "script.py", dict[str, Any]()
    path.write_text(f"import json\n\ndef task():\n    return json.{written}\n")
    exec(compile("import json\n", str(path), "exec"), space)
    exec(compile("\n\ndef task():\n    return json.dumps(1)\n", str(path), "exec"), space)

    assert expected == Texts().of(space["task"])


def test_a_file_that_was_edited_since_gives_no_text(load: Load, tmp_path: Path) -> None:
    """A text that is not that of the running code would show a wrong diff."""
    plain: FunctionType = load(SOURCE).plain
    (tmp_path / "flowcore_test_sourced.py").write_text(SOURCE.replace("x + 1", "x + 2"))
    linecache.clearcache()

    assert "" == Texts().of(plain)


def test_code_without_a_file_gives_no_text() -> None:
    """What was typed at a prompt or made by exec has none."""
    space: dict[str, Any] = {}
    exec("def typed():\n    return 1\n", space)

    assert "" == Texts().of(space["typed"])


def test_a_cold_run_keeps_the_texts_of_all_that_it_reaches(load: Load, store: Path) -> None:
    """Once each: the second run has nothing to add."""
    module = load("def helper():\n    return 1\ndef task():\n    return helper()\n")
    flow_of(module.task).run(store=store, progress=False)

    assert {"def helper():\n    return 1\n", "def task():\n    return helper()\n"} == kept(store)


def test_a_warm_run_looks_for_no_text(load: Load, store: Path) -> None:
    """Texts are a matter of cells that have to run: nothing of `v1/code` is opened or listed."""
    module = load("def task():\n    return 1\n")
    flow_of(module.task).run(store=store, progress=False)
    disk = FaultyDisk(under=str(store / "v1" / "code"))
    run = flow_of(module.task).run(store=fc.open_store(store, disk=disk), progress=False)

    assert 1 == run.counts("one").hit
    assert set(disk.log) <= {"stat"}  # whose it is, when the store is opened


def test_what_is_not_kept_has_no_text(load: Load, store: Path) -> None:
    """A task that is not cached is never compared."""
    module = load("def task():\n    return 1\n")
    flow = fc.Flow("one")
    flow.result = flow.add(fc.io(runner="inline")(module.task), name="one")
    flow.run(store=store, progress=False)

    assert set() == kept(store)


def test_an_edit_keeps_both_texts(load: Load, store: Path) -> None:
    """So that the difference can be shown, and shown again when the edit is taken back."""
    before = load("def task():\n    return 1\n").task
    flow_of(before).run(store=store, progress=False)
    after = load("def task():\n    return 2\n").task
    diff = flow_of(after).why("one", store=store).changes[0].diff  # type: ignore[attr-defined]
    flow_of(after).run(store=store, progress=False)

    assert ["-    return 1", "+    return 2"] == diff.splitlines()[-2:]
    assert {"def task():\n    return 1\n", "def task():\n    return 2\n"} == kept(store)


def test_a_function_of_many_nodes_is_looked_for_once(load: Load, store: Path) -> None:
    """A chain of nodes costs no call of the filesystem a node for it."""
    module = load("def task(x):\n    return x\n")
    disk = FaultyDisk(under=str(store / "v1" / "code"))
    flow = fc.Flow("chain")
    value: Any = 0
    for _ in range(5):
        value = flow.add(module.task, value)
    flow.run(store=fc.open_store(store, disk=disk), executor="inline", progress=False)

    assert {"def task(x):\n    return x\n"} == kept(store)
    assert 1 == disk.log.count("mkdir"), "comes first when a text is written"
