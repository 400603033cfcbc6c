"""Cells run only where the modules that their task reads are those that were keyed (F32)."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

_DRAWN = """
import importlib, multiprocessing, pathlib, sys
import flowcore as fc
from concurrent.futures import ProcessPoolExecutor

def wrote(text):
    pathlib.Path("part.py").write_text(text)

def named(name, function, **options):
    function.__name__ = function.__qualname__ = name
    return fc.compute(**options)(function)

def answer(task, **given):
    flow = fc.Flow("checked")
    node = flow.add(task, 3)
    try:
        run = flow.run(store="kept", workers=1, progress=False, **given)
    except fc.RunFailed as error:
        found = [line for line in str(error).splitlines() if "changed while the run" in line]
        return found[0].strip() if found else str(error)
    return run[node]
"""
_ADDS = "def shifted(x):\n    return x + {n}\n"
_CHANGED = "changed while the run had another version loaded."


def told(where: Path, script: str) -> list[str]:
    """Run a script of its own in a process of its own; give the lines it prints."""
    main = where / "drawn.py"
    main.write_text(_DRAWN + textwrap.dedent(script))
    done = subprocess.run(
        [sys.executable, "-B", main.name], cwd=where, capture_output=True, text=True, timeout=60, check=False
    )

    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout.splitlines()


@pytest.mark.contract("F32")
def test_a_module_edited_after_its_import_fails_a_task_that_travels_by_value(tmp_path: Path) -> None:
    """The worker would import the edited helper: CodeChanged instead of its result under the old key."""
    lines = told(
        tmp_path,
        f"""
        wrote({_ADDS.format(n=1)!r})
        import part
        wrote({_ADDS.format(n=1000)!r})
        moved = named("moved", lambda x: part.shifted(x))
        print(answer(moved))
    """,
    )

    assert [f"The code of moved in part {_CHANGED}"] == lines


@pytest.mark.contract("F32", "P1")
def test_a_module_edited_and_reloaded_reaches_a_kept_worker(tmp_path: Path) -> None:
    """The worker of the run before has the old helper: it is replaced, and the new result is right."""
    lines = told(
        tmp_path,
        f"""
        wrote({_ADDS.format(n=1)!r})
        import part
        moved = fc.compute(lambda x: part.shifted(x))
        print(answer(moved))
        wrote({_ADDS.format(n=1000)!r})
        importlib.reload(part)
        print(answer(moved), answer(moved))
    """,
    )

    assert ["4", "1003 1003"] == lines


@pytest.mark.contract("F32", "P1")
def test_a_value_set_on_a_module_by_the_script_is_not_missed_silently(tmp_path: Path) -> None:
    """The worker's module has the value of the file, and the key that of the script."""
    lines = told(
        tmp_path,
        """
        wrote("DT = 1\\n")
        import part
        part.DT = 7
        print(answer(named("scaled", lambda x: x * part.DT)))
    """,
    )

    assert [f"The code of scaled in part {_CHANGED}"] == lines


@pytest.mark.contract("F32")
@pytest.mark.parametrize("option", ["ignore=('v',)", "tracks=('env:HOME',)", "tracks=(shifted,)"])
def test_a_task_with_ignore_or_tracks_is_checked_as_any_other(tmp_path: Path, option: str) -> None:
    """Its module was edited after its import: CodeChanged."""
    text = f"import flowcore as fc\n{_ADDS}@fc.compute({option})\ndef moved(x, v=0):\n    return x + {{n}}\n"
    lines = told(
        tmp_path,
        f"""
        text = {text!r}
        wrote(text.format(n=1))
        import part
        print(answer(part.moved))
        wrote(text.format(n=1000))
        importlib.reload(part)
        wrote(text.format(n=5))
        print(answer(part.moved))
    """,
    )

    assert ["4", f"The code of moved in part {_CHANGED}"] == lines


@pytest.mark.contract("F32", "P1")
def test_a_brought_executor_with_an_older_module_fails_its_cells(tmp_path: Path) -> None:
    """Its process is not ours to replace: CodeChanged, for tasks by name and by value, and nothing kept."""
    text = "import flowcore as fc\n" + _ADDS + "@fc.compute\ndef moved(x):\n    return shifted(x)\n"
    lines = told(
        tmp_path,
        f"""
        if __name__ == "__main__":
            text = {text!r}
            wrote(text.format(n=1))
            import part
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                valued = named("valued", lambda x: part.shifted(x))
                print(answer(part.moved, executor=pool), answer(valued, executor=pool))
                wrote(text.format(n=1000))
                importlib.reload(part)
                print(answer(part.moved, executor=pool))
                print(answer(valued, executor=pool))
            print(answer(part.moved), answer(valued))
    """,
    )

    changed = [f"The code of {name} in part {_CHANGED}" for name in ("moved", "valued")]
    assert ["4 4", *changed, "1003 1003"] == lines


@pytest.mark.contract("F32")
def test_a_table_that_cells_fill_in_a_module_fails_nobody(tmp_path: Path) -> None:
    """The worker's module differs by what the first task did there: a fresh worker takes the second."""
    lines = told(
        tmp_path,
        """
        wrote("memo = {}\\ndef shifted(x):\\n    return memo.setdefault(x, x + 1)\\n")
        import part
        flow = fc.Flow("checked")
        first = flow.add(fc.compute(lambda x: part.shifted(x)), 3)
        second = flow.add(fc.compute(lambda x: x + len(part.memo)), first)
        run = flow.run(store="kept", workers=1, progress=False)
        print(run[first], run[second])
    """,
    )

    assert ["4 4"] == lines


_REACHED = """
import abc, enum, functools, logging, threading
from dataclasses import dataclass
log = logging.getLogger(__name__)
lock = threading.Lock()
DT = 3
NAMES = {"a", "b", "c"}
class Color(enum.Enum):
    RED = 1
@dataclass
class Config:
    dt: float = 1.0
    def step(self):
        return self.dt * shifted(1)
class Base(abc.ABC):
    @abc.abstractmethod
    def go(self): ...
    def both(self):
        return self.go() + DT
SETTINGS = Config(2.0)
def shifted(x):
    with lock:
        return x + DT + len(NAMES)
cached = functools.lru_cache(shifted)
partly = functools.partial(shifted, 3)
def timed(option):
    def around(function):
        @functools.wraps(function)
        def wrapper(x):
            return (function(x), option)[0]
        return wrapper
    return around
def make(n):
    def inner(x):
        return shifted(x) * n
    return inner
three = make(3)
TABLE = {"shifted": shifted, "three": three}
"""


@pytest.mark.contract("F32")
def test_modules_that_are_the_same_are_found_to_be_the_same(tmp_path: Path) -> None:
    """Whatever the form in which code is reached, and whether it travels by name or by value."""
    lines = told(
        tmp_path,
        f"""
        wrote({_REACHED!r})
        import part
        from part import Base, Color, Config, make, shifted, three, timed

        class Mine(Base):
            def go(self):
                return part.DT

        class Option(part.enum.Enum):
            A = 1

        made, config = make(7), Config(9.0)

        def inside(x):
            import part
            from part import SETTINGS, make
            return make(2)(x) + SETTINGS.dt + part.DT

        @timed(Option.A)
        def decorated(x):
            return shifted(x)

        tasks = [
            lambda x: part.cached(x), lambda x: part.partly(), lambda x: made(x), lambda x: three(x),
            lambda x: part.three(x), lambda x: Mine().both(), lambda x: config.step() + part.SETTINGS.dt,
            lambda x: part.TABLE["three"](x) + Color.RED.value, inside, decorated,
        ]
        print(*(answer(fc.compute(task)) for task in tasks))
    """,
    )

    assert ["9 9 63 27 27 6 65.0 28 23.0 9"] == lines


@pytest.mark.contract("F32", "F9")
def test_a_module_that_nobody_else_can_import_travels_by_value(tmp_path: Path) -> None:
    """One loaded from a path by hand is not asked for elsewhere: its functions, and the helpers they call, run."""
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "part.py").write_text(_ADDS.format(n=1) + "def moved(x):\n    return shifted(x) * 2\n")
    lines = told(
        tmp_path,
        """
        import importlib.util
        spec = importlib.util.spec_from_file_location("part", "away/part.py")
        sys.modules["part"] = part = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(part)
        print(answer(fc.compute()(part.moved)))
        """,
    )

    assert ["8"] == lines


@pytest.mark.contract("F32")
@pytest.mark.parametrize("way", ["by value", "by path"])
def test_a_worker_of_an_earlier_run_that_lacks_what_is_new_is_replaced(way: str, tmp_path: Path) -> None:
    """A module that was given another function and reloaded: workers that had imported it before are not asked."""
    lines = told(
        tmp_path,
        f"""
        wrote("def old(x):\\n    return x\\n")
        import part
        print(answer(fc.compute()(part.old)))
        wrote("def old(x):\\n    return x\\ndef new(x):\\n    return x + 1\\n")
        importlib.reload(part)
        moved = part.new if {way!r} == "by path" else (lambda x: part.new(x))
        new = part.new
        print(answer(fc.compute(retries=0)(moved if {way!r} == "by path" else named("moved", lambda x: new(x)))))
        """,
    )

    assert ["3", "4"] == lines
