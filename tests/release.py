"""What a release consists of, installed as a stranger would, and tried out: `make release` runs it for each Python.

`python tests/release.py DIST PYTHON newest|lowest` makes an environment of that interpreter, installs the wheel of
flowcore there (and those of the plugins beside the newest versions of all that they need), unpacks the source
distribution without its package, and runs the telling part of the tests (`tests/lowest.py`) from there. So what is
tested is what was built, and nothing of the checkout. Needs nothing but the standard library.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PLUGINS = """
from importlib.metadata import entry_points
found = {one.name: one.load() for one in entry_points(group="flowcore.executors")}
assert {"dask", "slurm"} <= set(found) and all(map(callable, found.values())), found
"""
WHOSE = """
import flowcore, sys
assert flowcore.__file__.startswith(sys.prefix), flowcore.__file__
print("flowcore", flowcore.__version__)
"""


def only(folder: Path, pattern: str) -> Path:
    """Give the one file of this name; a second one would be of an older build."""
    (found,) = folder.glob(pattern)
    return found


def unpacked(dist: Path, into: Path) -> Path:
    """Give the folder of the source distribution, without the package: tests shall not meet it there."""
    with tarfile.open(only(dist, "flowcore-*.tar.gz")) as archive:
        archive.extractall(into, filter="data")
    (folder,) = into.iterdir()
    shutil.rmtree(folder / "flowcore")
    return folder


def main(dist: Path, interpreter: str, which: str) -> None:
    """Install, look, and test; whatever goes wrong ends it."""
    with tempfile.TemporaryDirectory(prefix="flowcore-release-") as folder:
        tests = unpacked(dist, Path(folder, "sdist"))
        python = str(Path(folder, "venv", "bin", "python"))
        subprocess.run([interpreter, "-m", "venv", str(Path(folder, "venv"))], check=True)
        printed = subprocess.run([python, "tests/lowest.py"], cwd=tests, check=True, capture_output=True, text=True)
        needs = printed.stdout.splitlines()
        wheels = ["flowcore-*.whl"]
        if which == "newest":
            needs = [need for need in needs if "==" not in need]
            wheels += ["flowcore_dask-*.whl", "flowcore_slurm-*.whl"]
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *(str(only(dist, name)) for name in wheels), *needs], check=True)
        subprocess.run([python, "-P", "-c", WHOSE], cwd=tests, check=True)
        if which == "newest":
            subprocess.run([python, "-P", "-c", PLUGINS], cwd=tests, check=True)
        subprocess.run([python, "-m", "tests.lowest", *([which] if which == "newest" else [])], cwd=tests, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3])
