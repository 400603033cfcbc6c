"""Claims about the architecture. Each rule is shown to find planted bad source before it is believed."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import rules, tables
from tests.house.rooms import Room, plant, read
from tests.house.rules import Seam

ROOMS = read("flowcore")
TESTS = read("tests") + [room for room in read("plugins") if ".tests." in room.module]
MODULES = frozenset(room.module for room in ROOMS)


def test_rooms_were_found() -> None:
    """The rules below speak of the package, not of an empty folder."""
    assert {"flowcore.errors", "flowcore.run.job", "flowcore.plan.schedule"} <= MODULES


def test_imports_go_down() -> None:
    """Every room stands on a floor and imports only from its own floor and those below."""
    assert [] == rules.upward_imports(ROOMS, tables.FLOORS)


@pytest.mark.parametrize(
    "source",
    [
        "from flowcore.run.pool import Pool",
        "from flowcore.run import pool",
        "import flowcore.store.fs",
        "def f():\n    import flowcore.result",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from flowcore.store.cache import Cache",
        "import flowcore as fc",
        "from flowcore import Flow",
        "import flowcore.elsewhere",
    ],
)
def test_upward_imports_are_found(source: str) -> None:
    """Up is up: from inside a function, for types only, or by the shop-window."""
    modules = MODULES | {"flowcore.run.pool", "flowcore.store.fs", "flowcore.result", "flowcore.store.cache"}

    assert rules.upward_imports([plant(source)], tables.FLOORS, modules)


def test_a_room_without_a_floor_is_found() -> None:
    """A new room must be given its place."""
    assert rules.upward_imports([plant("", "flowcore.attic")], ({"flowcore.errors"},))


def test_run_package_has_an_order() -> None:
    """What carries cells out does not know the engine, and what runs in a worker does not know the pool."""
    assert [] == rules.within(ROOMS, tables.ORDERS, MODULES)


def test_disorder_in_the_run_package_is_found() -> None:
    """An executor that imports the engine, and a job that imports its executor, are found."""
    executor = plant("from flowcore.run.engine import Engine", "flowcore.run.executors.threads")
    job = plant("from flowcore.run.perform import perform", "flowcore.run.job")

    assert 2 == len(rules.within([executor, job], tables.ORDERS, MODULES))


def test_imports_are_absolute() -> None:
    """No import is relative."""
    assert [] == rules.relative_imports(ROOMS)
    assert rules.relative_imports([plant("from . import keys")])


def test_no_cycles() -> None:
    """No ring of imports exists, not even one hidden in functions."""
    assert [] == rules.cycles(ROOMS)


def test_cycles_are_found() -> None:
    """A ring through a function's import is found, and so is a room that imports itself."""
    ring = [
        plant("import flowcore.plan.b", "flowcore.plan.a"),
        plant("def f():\n    from flowcore.plan import c", "flowcore.plan.b"),
        plant("from flowcore.plan.a import x", "flowcore.plan.c"),
    ]

    assert ["cycle: flowcore.plan.a, flowcore.plan.b, flowcore.plan.c"] == rules.cycles(ring)
    assert rules.cycles([plant("import flowcore.plan.a", "flowcore.plan.a")])
    assert [] == rules.cycles(ring[:2])


def test_heavy_libraries_have_owners() -> None:
    """numpy, networkx and their like are imported by their owners, and lazily where a worker would pay."""
    assert [] == rules.heavy_imports(ROOMS, tables.OWNERS, tables.EAGER)


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("import numpy as np", "flowcore.plan.encode"),
        ("from numpy.lib import format", "flowcore.plan.encode"),
        ("def f():\n    import numpy", "flowcore.declare.task"),
        ("def f():\n    import asyncio", "flowcore.run.engine"),
        ("import msgpack", "flowcore.declare.task"),
        ("class A:\n    import networkx", "flowcore.inspect.networks.network"),
    ],
)
def test_heavy_imports_are_found(source: str, module: str) -> None:
    """By a stranger, or by an owner at the top, a heavy import is found."""
    assert rules.heavy_imports([plant(source, module)], tables.OWNERS, tables.EAGER)


def test_imports_stand_at_the_top() -> None:
    """Only what is slow or optional is imported inside a function."""
    assert [] == rules.lazy_imports(ROOMS, tables.MAY_WAIT, tables.WAITING)
    assert rules.lazy_imports([plant("def f():\n    import json")], tables.MAY_WAIT, tables.WAITING)


def test_rooms_are_small() -> None:
    """A room that nears 400 lines wants a new noun."""
    assert [] == rules.long_rooms(ROOMS, tables.LONG_ROOMS)
    assert rules.long_rooms([plant("x = 1\n" * 401)], {})


def test_functions_are_small() -> None:
    """A function has at most 60 lines, its docstring not counted."""
    assert [] == rules.long_functions(ROOMS, tables.LONG_FUNCTIONS)


def test_long_functions_are_found() -> None:
    """A method of 61 lines is found; lines of a docstring do not count, but those of a text do."""
    body = "        x = 1\n" * 60
    described = 'def f():\n    """Long.\n' + "\n" * 90 + '    """\n    return 1\n'

    assert rules.long_functions([plant(f"class A:\n    def f(self):\n{body}")], {})
    assert [] == rules.long_functions([plant(described)], {})


def test_signatures_are_narrow() -> None:
    """A function takes fewer than eight parameters; the fields of a record are not parameters."""
    assert [] == rules.wide_functions(ROOMS, tables.WIDE_FUNCTIONS)


def test_wide_signatures_are_found() -> None:
    """Eight are too many, keyword-only ones and those of lambdas' enclosing methods included."""
    wide = plant("class A:\n    async def f(self, a, b, c, /, d, *, e, f, g, h): ...")
    fields = plant("class A:\n" + "".join(f"    x{i}: int\n" for i in range(20)))

    assert ["flowcore.plan.planted:A.f has 8 parameters"] == rules.wide_functions([wide], {})
    assert [] == rules.wide_functions([fields], {})


def test_names_say_what_lives_there() -> None:
    """No room and no class is called utils, helpers, common, manager or base."""
    assert [] == rules.bad_names(ROOMS)


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("", "flowcore.plan.key_utils"),
        ("", "flowcore.common.keys"),
        ("class CacheManager: ...", "flowcore.store.cache"),
        ("class BaseExecutor: ...", "flowcore.run.executors.protocol"),
    ],
)
def test_empty_names_are_found(source: str, module: str) -> None:
    """A forbidden word is found inside a longer name."""
    assert rules.bad_names([plant(source, module)])


def test_words_that_only_look_alike_pass() -> None:
    """`database` and `Commoner` are words of their own."""
    assert [] == rules.bad_names([plant("class Commoner: ...", "flowcore.plan.database")])


def test_rooms_say_what_they_own() -> None:
    """Every module opens with a docstring."""
    assert [] == rules.undescribed(ROOMS)
    assert rules.undescribed([plant("x = 1")])


@pytest.mark.parametrize("seam", tables.SEAMS, ids=["files", "descriptors", "clock", "processes", "environment"])
def test_nobody_goes_round_a_seam(seam: Seam) -> None:
    """Files, clocks, processes and the environment are reached through one room each."""
    assert [] == rules.around_seam(ROOMS, seam)


@pytest.mark.parametrize(
    ("source", "seam"),
    [
        ("import os\nos.rename(a, b)", tables.FILES),
        ("from os import rename as r\nr(a, b)", tables.FILES),
        ("def f():\n    import os as o\n    o.fsync(1)", tables.DESCRIPTORS),
        ("import mmap\nmmap.mmap(-1, 3)", tables.DESCRIPTORS),
        ("with open(path) as file: ...", tables.FILES),
        ("from pathlib import Path\nPath(x).write_bytes(b'')", tables.FILES),
        ("path.parent.mkdir()", tables.FILES),
        ("import shutil\nshutil.rmtree(x)", tables.FILES),
        ("import numpy as np\nnp.save(a, b)", tables.FILES),
        ("import os\nf = os.unlink", tables.FILES),
        ("import time\ntime.time()", tables.CLOCK),
        ("from time import perf_counter\nnow = perf_counter", tables.CLOCK),
        ("from datetime import datetime\ndatetime.now()", tables.CLOCK),
        ("import os\nos.kill(1, 9)", tables.PROCESSES),
        ("import signal\nsignal.signal(2, f)", tables.PROCESSES),
        ("from subprocess import Popen\nPopen([])", tables.PROCESSES),
        ("import os\nos.execv(a, b)", tables.PROCESSES),
        ("import os\nos.environ['A']", tables.ENVIRONMENT),
        ("import os\nos.environ.get('A')", tables.ENVIRONMENT),
    ],
)
def test_calls_round_a_seam_are_found(source: str, seam: Seam) -> None:
    """By alias, from an import, or only mentioned: a call that goes round its seam is found."""
    assert rules.around_seam([plant(source, "flowcore.store.planted")], seam)


@pytest.mark.parametrize(
    "source",
    [
        "self._disk.mkdir(x)",
        "file: mmap.mmap = disk.map(x)",
        "from flowcore.store import layout\nlayout.exists(disk, x)",
        "disk.open(x)",
        "DISK.unlink(x)",
        "clock.wall()",
        "run.wait()",
    ],
)
def test_calls_through_a_seam_pass(source: str) -> None:
    """The seams' own words are free."""
    room = plant(source, "flowcore.store.planted")

    assert [] == [line for seam in tables.SEAMS for line in rules.around_seam([room], seam)]


def test_exceptions_are_needed_and_argued() -> None:
    """Each line of a table of exceptions names a room that is there, is in use, and has a reason."""
    idle = []
    for seam in tables.SEAMS:
        for module, (pattern, reason) in seam.allowed.items():
            assert len(reason) > 10, module
            rooms = [room for room in ROOMS if room.module == module]
            bare = dataclasses.replace(seam, allowed={})
            found = [re.split(r" uses |, which", line)[1] for line in rules.around_seam(rooms, bare)]
            if not any(re.fullmatch(pattern, name) for name in found):
                idle.append(f"{module} no longer needs {pattern}")

    assert [] == idle


@pytest.mark.contract("S4")
def test_no_unpickler_is_offered_as_safe() -> None:
    """No class restricts pickle: numpy's own globals suffice to run commands."""
    assert [] == rules.unpicklers(ROOMS)
    assert rules.unpicklers([plant("import pickle\nclass Safe(pickle.Unpickler): ...")])
    assert rules.unpicklers([plant("from pickle import Unpickler\nclass Safe(Unpickler): ...")])
    named = "import pickle\nclass Named(pickle.Unpickler):\n    def persistent_load(self, name): ...\n"
    assert [] == rules.unpicklers([plant(named)])
    assert rules.unpicklers([plant(named + "    def find_class(self, module, name): ...")])


def test_nothing_is_left_for_later() -> None:
    """No comment promises work, and nothing is not implemented."""
    assert [] == rules.unfinished(ROOMS + read("examples"))


@pytest.mark.parametrize("source", ["x = 1  # TODO mend", "# FIXME", "def f():\n    raise NotImplementedError('x')"])
def test_unfinished_work_is_found(source: str) -> None:
    """A promise in a comment and a stub are found."""
    assert rules.unfinished([plant(source)])


def test_no_test_is_excused() -> None:
    """A test that does not run proves nothing."""
    assert [] == rules.excused_tests(TESTS, tables.EXCUSED)


@pytest.mark.parametrize(
    "source",
    [
        "import pytest\npytest.skip('slow')",
        "import pytest\n@pytest.mark.skipif(True, reason='')\ndef test_x(): ...",
        "from pytest import importorskip\nimportorskip('x')",
        "import pytest\npytestmark = pytest.mark.xfail",
    ],
)
def test_excuses_are_found(source: str) -> None:
    """Skipping by call, by mark, for a module, or by a missing library is found."""
    assert rules.excused_tests([plant(source, "tests.planted")], tables.EXCUSED)


def loaded_by(statement: str) -> set[str]:
    """Run a statement in a fresh interpreter and give the modules that it loaded."""
    code = f"import sys; before = set(sys.modules)\n{statement}\nprint(*(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"],
        capture_output=True, text=True, check=True, timeout=60, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    return set(done.stdout.split())


def test_start_is_lazy() -> None:
    """`import flowcore` loads no heavy library: every worker and every short command pays for it."""
    heavy = {"numpy", "networkx", "asyncio", "rich", "cloudpickle", "msgpack", "filelock", "blake3", "dataclasses"}

    assert set() == heavy & loaded_by("import flowcore")
    assert "asyncio" in loaded_by("import asyncio")


def test_a_room_reads_its_own_imports() -> None:
    """The reader sees a plain, a lazy, a typing-only and a renamed import for what they are."""
    source = (
        "import os.path\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from a import b\n"
        "def f():\n    from c import d as e\n    return e.g\n"
    )
    room: Room = plant(source)
    found = {(one.module, one.name): (one.lazy, one.typing) for one in room.imports}

    assert {
        ("os.path", ""): (False, False),
        ("typing", "TYPE_CHECKING"): (False, False),
        ("a", "b"): (False, True),
        ("c", "d"): (True, False),
    } == found
    assert ("c.d.g", 7) in room.uses


def test_rooms_make_their_records_late() -> None:
    """A room writes `from flowcore.dataclass import dataclass`: the standard one costs each process 0.4 ms a class."""
    standard = re.compile(r"from dataclasses import .*\bdataclass\b|@dataclasses\.dataclass")
    rooms = [path for path in (Path(__file__).parents[2] / "flowcore").rglob("*.py") if path.name != "dataclass.py"]

    assert [] == [path.name for path in rooms if standard.search(path.read_text())]
