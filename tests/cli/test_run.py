"""Claims about ``flowcore run``, each through a real process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ENVIRON, SWEEP, Terminal


def test_a_flow_runs_with_its_parameters(swept: Terminal) -> None:
    """Progress and prints on stderr or as tasks say, the summary on stdout, 0."""
    ran = swept("run", "sweep.py", "--rates", "0.1,0.2", "--years", "900", "-w", "1", "--store", "kept", "-q")

    assert 0 == ran.code, ran.err
    assert "of sweep: done in" in ran.out
    assert (2, True, False) == (swept.tally(), (swept.folder / "kept").is_dir(), (swept.folder / ".flowcore").exists())


@pytest.mark.contract("K14")
def test_script_and_command_line_agree(swept: Terminal) -> None:
    """What the script computed answers the command line, and the other way round, dataclasses included."""
    assert 0 == swept.python("sweep.py").code
    ran = swept("run", "sweep.py", "--rates", "0.1,0.2,0.3", "-q")
    again = swept.python("sweep.py")

    assert 3 == swept.tally()
    assert "erode       3 cells: 1 ran, 2 from the store" in " ".join(ran.out.split(" ")), ran.out
    assert "0 ran, 5 from the store" in again.out


def test_the_script_s_own_part_is_left_out(flowcore: Terminal) -> None:
    """Nothing under the guard runs, however it is written; what else the file does happens once, and in no worker."""
    guarded = SWEEP.replace(
        'if __name__ == "__main__":', 'if "__main__" == __name__ and True:\n    raise SystemExit(9)\nif 1:'
    )
    guarded = (
        guarded.partition("if 1:")[0]
        + 'print("loaded", __name__)\nassert __name__ != "__main__"\nassert Land.__annotations__["rate"] is float\n'
    )
    flowcore.write("sweep.py", guarded)
    ran = flowcore("run", "sweep.py", "--rates", "1", "-q")

    assert (0, 1) == (ran.code, ran.out.count("loaded __main__")), ran


def test_neighbours_are_imported(flowcore: Terminal) -> None:
    """The file's folder is where its imports begin, wherever the command is typed."""
    flowcore.write(
        "a/neighbour.py", "import flowcore as fc\n@fc.compute\ndef double(x: int) -> int:\n    return 2 * x\n"
    )
    flowcore.write(
        "a/main-flow.py",
        "import flowcore as fc\nimport neighbour\nwith fc.Flow('f') as flow:\n    neighbour.double(2)\n",
    )

    assert 0 == flowcore("run", "a/main-flow.py", "-q").code
    assert (flowcore.folder / ".flowcore").is_dir()


def test_only_a_cell(swept: Terminal) -> None:
    """Targets are names of nodes and ids of cells."""
    ran = swept("run", "sweep.py", "--rates", "0.1,0.2", "-q", "--only", "erode[rate=0.2]")

    assert (0, 1) == (ran.code, swept.tally()), ran.err


def test_refreshed_cells_run_again(swept: Terminal) -> None:
    """One by its id, or all of them."""
    arguments = ["run", "sweep.py", "--rates", "0.1,0.2", "-q"]
    tallies = [
        (swept(*arguments, *more).code, swept.tally())
        for more in ([], ["--refresh", "erode[rate=0.2]"], ["--refresh"], [])
    ]

    assert [(0, 2), (0, 3), (0, 5), (0, 5)] == tallies


def test_failed_cells_are_1(swept: Terminal) -> None:
    """The failure is told on stderr with the user's frames only; results are kept."""
    ran = swept("run", "sweep.py", "--rates", "-1,0.2", "--on-error", "continue", "-q")

    assert 1 == ran.code
    assert "rate -1.0 is negative" in ran.err
    assert "cli" not in ran.err
    assert "of sweep: failed in" in ran.out


@pytest.mark.contract("E2", "E3")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sweep.py"], "--rates FLOAT,... must be given"),
        (["sweep.py", "--rate", "1"], "no option --rate. Did you mean '--rates'"),
        (["sweep.py", "--rates", "1", "--wrokers", "2"], "Did you mean '--workers'"),
        (["sweep.py", "--rates", "1", "--workers", "0"], "Option 'workers' is 0, not a whole number, 1 or more"),
        (["sweep.py", "--rates", "1", "--how", "upp"], "none of up, down. Did you mean 'up'"),
        (["sweep.py", "--rates", "1", "--on-error", "stpo"], "Did you mean 'stop'"),
        (["sweep.py", "--rates", "1", "--only", "errode"], "Did you mean 'erode'"),
        (["sweep.py:swep"], "has no flow 'swep'. Did you mean 'sweep'"),
        (["nothing.py"], "nothing.py cannot be read: No such file or directory"),
        ([], "required: FILE.py[:flow]"),
        (["wrong.py"], "slope() has no parameter 'widht' (WHERE/wrong.py:8)"),
        (["raising.py"], "ZeroDivisionError: division by zero"),
        (["syntax.py"], "SyntaxError"),
        (["empty.py"], "has no flow: neither a function under @fc.flow nor an fc.Flow"),
        (["several.py"], "has 2 flows: first, second. Name one: several.py:first"),
        (["import.py"], "ModuleNotFoundError: No module named 'no_such_module'"),
    ],
)
def test_wrong_use_is_2(swept: Terminal, arguments: list[str], told: str) -> None:
    """One screen that says what to mend, without a frame of ours; nothing has run."""
    task = "import flowcore as fc\n@fc.compute\ndef slope(width: int) -> int:\n    return width\n"
    swept.write("wrong.py", f"{task}@fc.flow\ndef wrong():\n    width = 1\n    return slope(widht=width)\n")
    swept.write("raising.py", f"{task}@fc.flow\ndef raising():\n    return slope(1 / 0)\n")
    swept.write("syntax.py", "def broken(:\n")
    swept.write("empty.py", task)
    swept.write("several.py", f"{task}first = fc.Flow('a')\nsecond = alias = fc.Flow('b')\n_spare = fc.Flow('c')\n")
    swept.write("import.py", "import no_such_module\n")
    ran = swept("run", *arguments)

    assert (2, "") == (ran.code, ran.out)
    assert told.replace("WHERE", str(swept.folder)) in ran.err
    assert f"{os.sep}flowcore{os.sep}" not in ran.err
    assert len(ran.err.splitlines()) <= 12
    assert not (swept.folder / ".flowcore").exists()


def test_help_tells_the_flow_s_parameters(swept: Terminal) -> None:
    """With a file its parameters are told, without one the options of every run."""
    told, bare = swept("run", "sweep.py", "--help"), swept("run", "--help")

    assert (0, 0) == (told.code, bare.code)
    assert "--rates FLOAT,..." in told.out
    assert "Erodibilities, up to 100% a year. (must be given)" in " ".join(told.out.split())
    assert "--workers" in bare.out
    assert "--rates FLOAT" not in bare.out


def test_interrupted_is_3(swept: Terminal) -> None:
    """Ctrl-C ends the run, says how to go on, and that goes on."""
    slow = SWEEP.replace(
        '    print("eroding")', "    import time\n    time.sleep(60 if rate == 0.2 and years == 501 else 0)"
    )
    swept.write("sweep.py", slow)
    arguments = ["run", "sweep.py", "--rates", "0.1,0.2", "--years", "501", "-w", "2", "-q"]
    with subprocess.Popen(
        [sys.executable, "-m", "flowcore", *arguments], cwd=swept.folder, env=ENVIRON, stderr=subprocess.PIPE, text=True
    ) as process:
        _wait_for_tally(swept.folder / "tally", 2)
        live = swept("runs", "--json").json["runs"]
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)

    assert 3 == process.returncode, told
    assert "Go on with: flowcore run sweep.py --rates 0.1,0.2 --years 501 -w 2 -q" in told
    assert "Traceback" not in told
    assert [["running"], ["interrupted"]] == [
        [run["status"] for run in seen] for seen in (live, swept("runs", "--json").json["runs"])
    ]


def _wait_for_tally(path: Path, count: int) -> None:
    """Wait until so many cells have begun; the time limit of the test is the limit here."""
    while not path.exists() or len(path.read_text().splitlines()) < count:
        os.sched_yield()


@pytest.mark.contract("S6")
def test_names_do_not_steer_the_terminal(flowcore: Terminal) -> None:
    """Escape sequences and text from right to left come out as what they are."""
    flowcore.write(
        "evil.py",
        "import flowcore as fc\nwith fc.Flow('e\\x1b[2Jvil') as flow:\n"
        "    flow.add(len, '', name='no\\u202ede\\x1b]0;x\\x07')\n",
    )
    seen = [
        flowcore("run", "evil.py", "-q"),
        flowcore("graph", "evil.py"),
        flowcore("graph", "evil.py", "--format", "dot"),
    ]

    assert [0, 0, 0] == [ran.code for ran in seen]
    assert not {"\x1b", "\x07", "\u202e"} & set("".join(ran.out + ran.err for ran in seen))
    assert "e\\x1b[2Jvil" in seen[1].out
