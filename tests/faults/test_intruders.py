"""Attacks on a whole flowcore, in real processes: planted stores, hostile folders, and what others can see of a run."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ENVIRON
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
        found += [line for line in sockets if "flowcore" in line]
    for parent in ("/dev/shm", "/tmp"):
        for path in glob.glob(f"{parent}/flowcore-" + "[0-9a-f]" * 32):
            if os.stat(path).st_uid == os.getuid() and os.stat(path).st_mode & 0o077:
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
