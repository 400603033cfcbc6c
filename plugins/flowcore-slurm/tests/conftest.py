"""What tests of the plugin get: Slurm, a real one where one can run, and stand-ins for its commands."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import one_box
import stand_in
from flowcore.run.executors.protocol import MakeExecutor
from flowcore_slurm import pilots


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Run a Slurm on this machine; give the environment in which its commands find it."""
    if reason := one_box.lacking():
        pytest.skip(f"NO REAL SLURM IS TESTED: {reason}")
    with one_box.running(tmp_path_factory.mktemp("slurm")) as environ:
        yield environ


class Cluster:
    """What takes jobs: Slurm, or its stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder  # of the stand-ins, and for what cells leave

    def pilots(self, **options: Any) -> MakeExecutor:
        """Give an executor whose pilots are looked after often, and go soon."""
        return pilots(**{"count": 2, "every": 0.2, "idle": 10, **options})

    def say(self, *command: str) -> str:
        """Give what a command of Slurm's says."""
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def listed(self) -> dict[str, str]:
        """Give what jobs there are, and their states."""
        return dict(line.split() for line in self.say("squeue", "--noheader", "--array", "--format=%i %T").splitlines())


class StandIns(Cluster):
    """Stand-ins, which may be unwell."""

    def called(self, times: int = 4) -> None:
        """Wait until so many more commands have been called: who calls one after another knows what three have said."""
        calls = self.folder / "jobs" / "calls"
        before = calls.stat().st_size if calls.exists() else 0
        one_box.until(lambda: calls.exists() and calls.stat().st_size >= before + times)

    def fall_ill(self) -> None:
        """Have all commands fail from now on, and wait until some have."""
        (self.folder / "jobs" / "unwell").touch()
        self.called()

    def recover(self) -> None:
        """Have commands work again."""
        (self.folder / "jobs" / "unwell").unlink()


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIns]:
    """Have stand-ins for Slurm's commands on the path."""
    for name, value in stand_in.install(tmp_path).items():
        monkeypatch.setenv(name, value)
    yield StandIns(tmp_path)
    stand_in.end_all(tmp_path / "jobs")


@pytest.fixture
def real(slurm: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Have the commands of a real Slurm on the path."""
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, slurm[name])
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.say("scancel", "--quiet", "--user=root")
    one_box.until(lambda: not cluster.listed())


@pytest.fixture(params=["stand_ins", "real"])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """Give the one, then the other."""
    found: Cluster = request.getfixturevalue(request.param)
    return found
