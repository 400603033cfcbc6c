"""Two hosts on one machine: namespaces of their own, a cable between them, and the same directory.

A host is a shell that is the first process of its own process, network, mount and UTS
namespaces, and obeys what is written to it. When its input ends, because it is closed or
because whoever held it was killed, the shell ends; with a first process the kernel ends
all others of its namespace, and with the last of them the network, so nothing is left,
whatever became of the test. Nothing gets a name outside: no `ip netns`, no file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import join, quote

TOOLS = ("unshare", "ip", "mount", "hostname", "sh")
_SPACES = ("--net", "--uts", "--pid", "--mount", "--mount-proc", "--fork", "--kill-child")
_GRACE = 10.0  # seconds for the kernel to end a namespace


def missing() -> str:
    """Say why this machine cannot be two; empty if it can."""
    if os.geteuid() != 0:
        return "two hosts take namespaces, and these take root"
    without = [tool for tool in TOOLS if shutil.which(tool) is None]
    if without:
        return f"two hosts take {', '.join(without)} (Debian: iproute2, util-linux, hostname)"
    tried = subprocess.run(["unshare", *_SPACES, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"this machine makes no namespaces: {tried.stderr.strip()}"
    cable = ["unshare", "--net", "ip", "link", "add", "near", "type", "veth", "peer", "name", "far"]
    tried = subprocess.run(cable, capture_output=True, text=True, check=False)
    return f"this machine has no veth: {tried.stderr.strip()}" if tried.returncode else ""


@dataclass(frozen=True)
class Host:
    """One of the two."""

    name: str
    address: str
    shell: subprocess.Popen[str]
    logs: Path

    def do(self, *command: str) -> str:
        """Have it carry out a command; give what that printed, its errors included.

        Raises
        ------
        OSError
            If the command fails.
        """
        printed, status = self._tell(f"{{ {join(command)}; }} </dev/null 2>&1")
        if status:
            raise OSError(f"{self.name}: {join(command)}: {printed}")
        return printed

    def begin(self, name: str, *command: str, environment: Mapping[str, str]) -> None:
        """Have it begin a command in the background; what that prints is in a file of this name."""
        given = " ".join(f"{key}={quote(value)}" for key, value in environment.items())
        log = quote(str(self.logs / f"{self.name}-{name}.log"))
        self._tell(f"( env {given} {join(command)} </dev/null >{log} 2>&1; echo $? >{log}.ended ) &")

    def ended(self, name: str) -> bool:
        """Tell whether a command in the background has ended."""
        return (self.logs / f"{self.name}-{name}.log.ended").exists()

    def printed(self, name: str) -> str:
        """Give what a command in the background has printed."""
        return (self.logs / f"{self.name}-{name}.log").read_text(errors="replace")

    def space(self) -> str:
        """Give the name of its process namespace."""
        return self.do("readlink", "/proc/self/ns/pid")

    def _tell(self, line: str) -> tuple[str, int]:
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        self.shell.stdin.write(f"{line}\necho; echo told $?\n")
        self.shell.stdin.flush()
        printed: list[str] = []
        for said in self.shell.stdout:
            if said.startswith("told "):
                return "".join(printed).strip(), int(said.split()[1])
            printed.append(said)
        raise OSError(f"{self.name} has ended; it said: {''.join(printed)}")


@contextmanager
def two_hosts(logs: Path, names: Sequence[str] = ("left", "right")) -> Iterator[tuple[Host, Host]]:
    """Give two hosts with a cable between them; both see this machine's directories, and each a shared memory."""
    shells = [_shell() for _ in names]
    try:
        one, other = (
            Host(name, f"10.98.76.{number}", shell, logs)
            for number, name, shell in zip((1, 2), names, shells, strict=True)
        )
        for host in (one, other):
            host.do("true")  # its shell is there
        inits = [_init(shell.pid) for shell in shells]
        ends = ["ip", "link", "add", "cable", "netns", str(inits[0]), "type", "veth", "peer", "name", "cable"]
        subprocess.run([*ends, "netns", str(inits[1])], check=True, capture_output=True)
        for host in (one, other):
            host.do("hostname", host.name)
            host.do("mount", "-t", "tmpfs", "none", "/dev/shm")
            host.do("ip", "address", "add", f"{host.address}/24", "dev", "cable")
            host.do("ip", "link", "set", "lo", "up")
            host.do("ip", "link", "set", "cable", "up")
        yield one, other
    finally:
        for shell in shells:
            if shell.stdin is not None:
                shell.stdin.close()
        for shell in shells:
            _end(shell)


def _shell() -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["unshare", *_SPACES, "sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,  # a Ctrl-C at the test is the test's
    )  # fmt: skip


def _init(unshare: int) -> int:
    """Give the first process of a namespace as this machine numbers it."""
    return int(Path(f"/proc/{unshare}/task/{unshare}/children").read_text().split()[0])


def _end(shell: subprocess.Popen[str]) -> None:
    try:
        shell.wait(_GRACE)
    except subprocess.TimeoutExpired:
        shell.kill()
        shell.wait()
    if shell.stdout is not None:
        shell.stdout.close()
