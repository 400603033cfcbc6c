"""Attacks on a whole flowcore, in real processes: planted stores, hostile folders, and what others can see of a run."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import flowcore as fc
from tests.cli.conftest import ENVIRON
from tests.faults import roadblocks
from tests.test_settings import _installed

ROOT = Path(__file__).parents[2]


def python(*arguments: str | Path, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder."""
    line = [sys.executable, *map(str, arguments)]
    environment = {**ENVIRON, **environ}
    return subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.contract("P9", "S1", "S2", "S10")
def test_reading_runs_nothing(tmp_path: Path) -> None:
    """Pickles in every kind of file and record of a store, and each verb that reads: nothing is imported or executed.

    Neither unpickled, compiled, or started, and no socket; in a process that has read the same store before.
    """
    sabotage = {name: os.environ[name] for name in ("FLOWCORE_SABOTAGE",) if name in os.environ}
    done = python("-m", "tests.faults.onslaught", tmp_path, cwd=ROOT, **sabotage)
    assert 0 == done.returncode, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])

    assert {} == {place: heard for place, heard in told["heard"].items() if heard}
    assert not told["executed"]
    assert len(told["heard"]) > 20


def check_roadblocks(kind: str, folder: Path, *, sabotage: str = "") -> None:
    """Plant what blocks in each place of a store in turn; whoever runs or reads comes to an end."""
    (folder / "in").mkdir()
    line = ("-m", "tests.faults.roadblocks", folder / "in", kind)
    broken = {"FLOWCORE_SABOTAGE": sabotage, "FLOWCORE_ROADBLOCK": "5"} if sabotage else {}
    done = python(*line, cwd=ROOT, **broken)

    assert 0 == done.returncode, done.stderr[-3000:]
    assert [*roadblocks.PLACES] == json.loads(done.stdout.splitlines()[-1])


@pytest.mark.contract("S6", "S12", "P5", "P8")
@pytest.mark.parametrize(
    "kind", ["FIFO", pytest.param("socket", marks=pytest.mark.slow), pytest.param("device", marks=pytest.mark.slow)]
)
def test_nobody_waits_for_what_was_planted(kind: str, tmp_path: Path) -> None:
    """In place of arrays, files, journals, locks, indexes, states, sources, logs, debris or options: nothing blocks."""
    check_roadblocks(kind, tmp_path)


@pytest.mark.contract("S6", "P5")
def test_an_input_that_would_block_is_refused(tmp_path: Path) -> None:
    """A FIFO is no file that could be known by its content."""
    os.mkfifo(tmp_path / "fifo")
    with fc.Flow("blocked") as flow:
        flow.result = flow.add(str, fc.File(tmp_path / "fifo"))
    with pytest.raises(fc.RunFailed, match="fifo"):
        flow.run(store=tmp_path / "store", executor="inline", progress=False)


SEEN_FROM_OUTSIDE = """
import glob, os, subprocess, sys
os.umask(int(sys.argv[2], 8))
import flowcore as fc

@fc.compute(cache=False)
def within(secret, n):
    print(n)
    listed = subprocess.run(["ls", "-l", "/proc/self/fd"], close_fds=False, capture_output=True, text=True).stdout
    return sorted(line.split()[8] for line in listed.splitlines() if "->" in line)

@fc.compute(cache=False)
def outside(listed, secret):
    found = []
    for place in glob.glob("/proc/[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                with open(f"{place}/{name}", "rb") as file:
                    found += [f"{place}/{name}"] if secret.encode() in file.read() else []
            except OSError:
                pass
    with open("/proc/net/unix") as sockets:
        names = [line.split(None, 7)[-1] for line in sockets]
    found += [name for name in names if "flowcore" in name and name[0] in "@/"]  # tests beside us plant relative ones
    for parent in ("/dev/shm", "/tmp"):
        for path in glob.glob(f"{parent}/flowcore-" + "[0-9a-f]" * 32):
            try:
                there = os.stat(path)
            except OSError:  # of another run, and gone by now
                continue
            if there.st_uid == os.getuid() and there.st_mode & 0o077:
                found.append(path)
    return found

@fc.compute
def kept(n):
    import numpy as np
    return np.full(5000, float(n))

with fc.Flow("f") as flow:
    secret = "sek" + "rit-" + str(os.getpid())
    listed = within(secret, 1)
    found = outside(listed, secret)
    kept(fc.each(n=[1, 2]))
run = flow.run(*flow.nodes, store=sys.argv[1], progress=False)
print(run[listed], run[found])
"""


@pytest.mark.contract("S9", "S5", "W1")
@pytest.mark.parametrize("umask", ["0", "077"])
def test_what_others_can_see_of_a_run(tmp_path: Path, umask: str) -> None:
    """No argument in a command line or environment, no named socket, no descriptor for a child, no open mode."""
    (tmp_path / "seen.py").write_text(SEEN_FROM_OUTSIDE)
    done = python("seen.py", tmp_path / "store", umask, cwd=tmp_path)
    assert 0 == done.returncode, done.stderr
    modes = {p: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "store", *(tmp_path / "store").rglob("*"))}

    assert "['0', '1', '2', '3'] []" == done.stdout.splitlines()[-1]
    assert {True: {0o700}, False: {0o400, 0o600}} == {
        kind: {mode for path, mode in modes.items() if path.is_dir() is kind} for kind in (True, False)
    }


ASKED = """
import flowcore as fc
flow = fc.Flow("f")
flow.add(len, [1], kind="compute")
flow.run(executor="hostil", store="other", progress=False)
"""


def wheel(folder: Path, body: str) -> Path:
    """Build a hostile distribution: it offers itself under all names there are, and claims files of others."""
    names = ("process", "thread", "async", "inline", "refuse", "pilots", "hostile", "\x1b]0;owned\x07", "slurm")
    points = "".join(f"{name} = hostile:Executor\n" for name in names)
    groups = ("flowcore.executors", "flowcore.codecs", "flowcore.observers", "flowcore.plugins", "flowcore")
    info = "hostile-1.0.dist-info"
    files = {
        "hostile.py": body,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: hostile\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "".join(f"[{group}]\n{points}" for group in groups),
        f"{info}/top_level.txt": "numpy\nflowcore\nhostile\n",
    }
    listed = [*files, f"{info}/RECORD", "numpy/__init__.py"]
    with zipfile.ZipFile(folder / "hostile-1.0-py3-none-any.whl", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in listed))
    return folder / "hostile-1.0-py3-none-any.whl"


@pytest.mark.contract("S8", "S6", "K8", "P1")
def test_a_hostile_distribution_that_pip_installed_is_left_alone(tmp_path: Path) -> None:
    """Under names of flowcore's own and of terminals; nobody asks for it, keys are as before, no escape is printed."""
    home, site, marker = tmp_path / "home", tmp_path / "site-packages", tmp_path / "marker"
    home.mkdir()
    built = wheel(tmp_path, HOSTILE.format(marker=str(marker)))
    pip = ("-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-compile", "--target", site, built)
    installed = python(*pip, cwd=home)
    (home / "script.py").write_text(
        SCRIPT.replace("STORE", str(home / "store")).replace(".status)", ".counts('double'))")
    )
    before = python("script.py", cwd=home)
    path = {"PYTHONPATH": f"{ROOT}:{site}"}
    after = python("script.py", cwd=home, **path)
    wrong = python("-c", ASKED, cwd=home, **path)
    looked = [python("-m", "flowcore", *verb, cwd=home, **path) for verb in (["doctor"], ["config"], ["runs"])]

    assert 0 == installed.returncode, installed.stderr
    assert ["done=2, hit=0", "done=0, hit=2"] == [", ".join(one.stdout.split(", ")[1:3]) for one in (before, after)]
    assert "hostile" in wrong.stderr
    assert not [one for one in (after, wrong, *looked) if "\x1b" in one.stdout + one.stderr]
    assert not marker.exists()


HOSTILE = "import pathlib\npathlib.Path({marker!r}).touch()\nraise SystemExit('hostile')\n"
SCRIPT = """
import flowcore as fc

@fc.compute
def double(x):
    return 2 * x

if __name__ == "__main__":
    with fc.Flow("f") as flow:
        double(fc.each(x=[1, 2]))
    print(flow.run(store="STORE", progress=False).status)
"""


@pytest.mark.contract("S8", "S10")
def test_a_hostile_folder_is_only_a_folder(tmp_path: Path) -> None:
    """Modules called like libraries in it and in the store, and an installed plugin, are never imported."""
    folder, home, marker = tmp_path / "folder", tmp_path / "home", tmp_path / "marker"
    store, site = folder / ".flowcore", tmp_path / "site"
    for each in (folder, home, site):
        each.mkdir()
    body = HOSTILE.format(marker=str(marker))
    names = ("numpy", "msgpack", "blake3", "rich", "json", "filelock", "cloudpickle", "networkx", "sitecustomize")
    for name in names:
        (folder / f"{name}.py").write_text(body)
    _installed(site, "hostile", body)
    (home / "script.py").write_text(SCRIPT.replace("STORE", str(store)))
    path = {"PYTHONPATH": f"{ROOT}:{site}"}
    ran = python(home / "script.py", cwd=folder, **path)
    for name in names:
        (store / "v1" / f"{name}.py").write_text(body)
    verbs = [python("-m", "flowcore", *verb, cwd=folder, **path) for verb in (["show", "last"], ["cache", "verify"])]

    assert "done\n" == ran.stdout, ran.stderr
    assert [0, 0] == [verb.returncode for verb in verbs], verbs[0].stderr
    assert not marker.exists()
