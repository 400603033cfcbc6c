"""A Slurm of one node on this machine, in a folder of its own: munged, slurmctld, slurmd, and no systemd.

Owns its daemons through a *keeper*, a process that starts them, and adopts whatever they and
their jobs leave behind. When the keeper's lifeline closes, because the test is over or was
killed, it kills all that descends from it, jobs included, and ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
PATIENCE = 30.0  # seconds until a daemon that does not come counts as failed
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_ADOPT = 36  # PR_SET_CHILD_SUBREAPER, Linux


def lacking() -> str:
    """Say why no Slurm can run here; empty if one can."""
    absent = [name for name in NEEDED if shutil.which(name, path=_PATH) is None]
    if absent:
        return f"no {', '.join(absent)} here: `make slurm` installs Debian's packages, where root"
    return "" if os.geteuid() == 0 else "slurmd starts jobs as their owners, and so must be root's"


def configuration(folder: Path, *, cpus: int) -> str:
    """Write the configuration of a cluster whose one node is this host, with as many CPUs as are wanted."""
    host = platform.node().partition(".")[0]
    controller, daemon = _free_ports(2)
    return f"""
ClusterName=onebox
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=1
MinJobAge=10
OverTimeLimit=0
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=work Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@contextlib.contextmanager
def running(folder: Path, *, cpus: int = 4) -> Iterator[dict[str, str]]:
    """Run a Slurm; give the environment in which its commands find it."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "slurm.conf").write_text(configuration(folder, cpus=cpus))
    environ = {**os.environ, "PATH": _PATH, "SLURM_CONF": str(folder / "slurm.conf")}
    lifeline, ours = os.pipe()
    with contextlib.ExitStack() as stack:
        with open(folder / "keeper.log", "wb") as log:
            keeper = subprocess.Popen(
                [sys.executable, __file__, str(folder), str(lifeline)], stdout=subprocess.PIPE, stderr=log,
                pass_fds=(lifeline,), env=environ, start_new_session=True, text=True,
            )  # fmt: skip
        stack.callback(keeper.wait, PATIENCE)
        stack.callback(os.close, ours)
        os.close(lifeline)
        assert keeper.stdout is not None
        stack.callback(keeper.stdout.close)
        if keeper.stdout.readline() != "ready\n":
            raise RuntimeError(f"Slurm does not start:\n{_logs(folder)}")
        yield environ


def until(true: Callable[[], bool], *, seconds: float = 60.0) -> None:
    """Wait until something is so; that it takes longer than `seconds` fails the test."""
    due = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < due, "it does not come about"
        time.sleep(0.02)


def _logs(folder: Path) -> str:
    parts = []
    for log in sorted(folder.glob("*.log")):
        parts += [f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-15:]]
    return "\n".join(parts)


def _free_ports(count: int) -> list[int]:
    """Find ports that nobody has, and that the kernel gives to nobody who does not name them."""
    found: list[int] = []
    while len(found) < count:
        port = 20_000 + secrets.randbelow(10_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found += [port] if port not in found else []
    return found


class Keeper:
    """Starts the daemons, and ends all that came of them. Runs in a process of its own."""

    def __init__(self, folder: Path, lifeline: int) -> None:
        self._folder = folder
        self._lifeline = lifeline

    def keep(self) -> None:
        """Have the daemons run until the lifeline closes."""
        ctypes.CDLL(None, use_errno=True).prctl(_ADOPT, 1, 0, 0, 0)
        try:
            self._start()
            print("ready", flush=True)
            select.select([self._lifeline], [], [])
        finally:
            self._end_all()

    def _start(self) -> None:
        key, at = self._folder / "munge.key", str(self._folder / "munge")
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        self._daemon(
            "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={at}.socket",
            f"--pid-file={at}.pid", f"--log-file={at}d.log", f"--seed-file={at}.seed", "--num-threads=2",
        )  # fmt: skip
        self._until("munge", "--no-input", f"--socket={at}.socket")
        self._daemon("slurmctld", "-D", "-c")
        self._until("scontrol", "ping", expected="UP")
        self._daemon("slurmd", "-D", "-c")
        self._until("sinfo", "--noheader", "--format=%T", expected="idle")

    def _daemon(self, *command: str) -> None:
        with open(self._folder / f"{command[0]}.err.log", "wb") as log:
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def _until(self, *command: str, expected: str = "") -> None:
        """Ask until the answer is as expected; a tenth of a second lies between two questions."""
        for _ in range(int(PATIENCE * 10)):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 0 and expected in done.stdout:
                return
            if select.select([self._lifeline], [], [], 0.1)[0]:
                raise SystemExit("not wanted any more")
        raise SystemExit(f"{command}: {done.stdout}{done.stderr}")

    def _end_all(self) -> None:
        while children := _children():
            for child in children:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)  # its own children are ours now


def _children() -> list[int]:
    found = []
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/self/task/{task}/children") as file:
            found += [int(child) for child in file.read().split()]
    return found


if __name__ == "__main__":
    Keeper(Path(sys.argv[1]), int(sys.argv[2])).keep()
