"""Claims about ``flowcore debug``, through a real process whose debugger reads its commands from a pipe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ENVIRON, Terminal, Typed

SCRIPT = '''"""Fails for one rate."""
import sys
from pathlib import Path

import flowcore as fc


@fc.compute
def share(rate: float, n: int) -> float:
    part = n * rate
    if rate > 0.15:
        raise ValueError(f"{rate} is too high")
    return part


@fc.flow
def shares(n: int = 3):
    return share(fc.each(rate=[0.1, 0.2]), n)


if __name__ == "__main__":
    Path("executed").touch()
    shares(int(sys.argv[1])).run(on_error="continue", progress=False)
'''


def debugged(folder: Path, *arguments: str, typed: str) -> Typed:
    """Debug, with these commands typed."""
    done = subprocess.run(
        [sys.executable, "-m", "flowcore", "debug", *arguments], cwd=folder, env=ENVIRON, capture_output=True,
        encoding="utf-8", timeout=60, check=False, input=typed,
    )  # fmt: skip
    return Typed(code=done.returncode, out=done.stdout, err=done.stderr)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """Give a folder where a script was run, by Python and with an argument, and one of its cells failed."""
    flowcore = Terminal(tmp_path_factory.mktemp("debug"))
    flowcore.write("shares.py", SCRIPT)
    done = flowcore.python("shares.py", "5")
    assert 1 == done.code
    assert "again, alone: flowcore debug " in done.err
    return flowcore


@pytest.mark.contract("E9")
def test_a_failed_cell_stops_where_it_raised(ran: Terminal) -> None:
    """With the arguments that the script drew it with, in the frame of the user's function."""
    told = debugged(ran.folder, "last", "share[rate=0.2]", typed="p rate, n, part\nq\n")

    assert 1 == told.code
    assert "(0.2, 5, 1.0)" in told.out
    assert "ValueError: 0.2 is too high" in told.err
    assert "its flow is drawn by shares.py 5" in told.err
    assert "flowcore/" not in told.err


def test_a_done_cell_stops_at_its_first_line(ran: Terminal) -> None:
    """And what it gives is shown at the end; left before that, nothing is."""
    whole = debugged(ran.folder, "last", "share[rate=0.1]", typed="n\np part\nc\n")
    left = debugged(ran.folder, "last", "share[rate=0.1]", typed="q\n")

    assert (0, 0) == (whole.code, left.code)
    assert "-> part = n * rate" in whole.out
    assert "share[rate=0.1] gave a float:\n0.5" in whole.out
    assert "gave a" not in left.out


def test_a_file_and_its_parameters_may_be_named(ran: Terminal) -> None:
    """What is otherwise than in the run is told."""
    told = debugged(ran.folder, "last", "share[rate=0.1]", "shares.py", "--n", "6", typed="c\n")

    assert "other than then: argument n 5 -> 6" in told.err
    assert told.out.rstrip().endswith("0.6000000000000001")


def test_a_run_of_the_command_line_is_drawn_as_it_was(ran: Terminal) -> None:
    """With the parameters that were typed."""
    ran("run", "shares.py", "--n", "8", "-q", "--store", "other")
    told = debugged(ran.folder, "last", "share[rate=0.2]", "--store", "other", typed="p n\nq\n")

    assert "\n(Pdb) 8\n" in told.out


@pytest.mark.contract("S10")
def test_a_file_elsewhere_is_not_executed(ran: Terminal, tmp_path: Path) -> None:
    """A journal may name any file: one that is not below the working directory has to be named by the user."""
    (ran.folder / "executed").unlink(missing_ok=True)
    told = debugged(tmp_path, "last", "share[rate=0.2]", "--store", str(ran.folder / ".flowcore"), typed="q\n")

    assert 2 == told.code
    assert "shares.py, which is not in this directory: go there, or name it." in told.err
    assert not (ran.folder / "executed").exists()


PLANTED = """
import sys
import flowcore as fc
from flowcore.run.told import origin

@fc.compute
def share(rate):
    return rate

with fc.Flow("shares") as flow:
    share(fc.each(rate=[0.1]))
origin._typed.set((sys.argv[1], tuple(sys.argv[2:])))
flow.run(store=".flowcore", progress=False)
"""


@pytest.mark.contract("S10")
@pytest.mark.parametrize(
    ("named", "words"),
    [("{here}/good.py", ["--", "{away}/evil.py:flow"]),
     ("{here}/.flowcore/v1/files/ab/evil.py", ["{here}/.flowcore/v1/files/ab/evil.py"])],
    ids=["the words name another file", "in the store"],
)  # fmt: skip
def test_what_a_planted_journal_names_is_not_executed(tmp_path: Path, named: str, words: list[str]) -> None:
    """A store from elsewhere may lie here: neither a file that its words name, nor one of its own, is executed."""
    here, away = tmp_path / "here", tmp_path / "away"
    kept = here / ".flowcore" / "v1" / "files" / "ab"
    away.mkdir()
    flowcore = Terminal(here)
    flowcore.write("good.py", "")
    flowcore.write("planting.py", PLANTED)
    origin = [word.format(here=here, away=away) for word in (named, *words)]
    assert 0 == flowcore.python("planting.py", *origin).code
    kept.mkdir(mode=0o700)
    for folder in (away, kept):
        (folder / "evil.py").write_text("import pathlib\npathlib.Path('executed').touch()\n")
    told = debugged(here, "last", "share[rate=0.1]", typed="q\n")

    assert not (here / "executed").exists()
    assert 2 == told.code
    assert "which is not in this directory: go there, or name it." in told.err


def test_a_cell_that_is_not_there(ran: Terminal) -> None:
    """With what was probably meant."""
    told = debugged(ran.folder, "last", "shaer", typed="")

    assert (2, True) == (told.code, "Did you mean 'share'" in told.err)
