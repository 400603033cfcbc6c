"""What this machine gives to this process: cores, memory, descriptors, and who was ended for want of memory.

Owns the reading of affinity masks, limits and control groups, of both versions. Promises an answer
wherever it runs: what the kernel does not tell is taken to be without limit. Never changes
anything.
"""

from __future__ import annotations

import math
import os
import resource
from collections.abc import Iterator
from typing import Final

from flowcore.dataclass import dataclass

MEMORY_SHARE: Final = 0.8  # of the memory there is that cells may have, unless the user says otherwise
_ROOT: Final = "/sys/fs/cgroup"
_LEFT_BY = {"/.dockerenv": "docker", "/run/.containerenv": "podman"}
_NAMED_IN = ("docker", "kubepods", "containerd", "libpod", "podman", "lxc", "buildkit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """The processors there are, and how many of them this process may use.

    Attributes
    ----------
    there : int
        In the machine.
    allowed : int
        By the affinity mask, which batch systems and `taskset` set.
    quota : float
        By the control group, in processors; infinite without one.
    """

    there: int
    allowed: int
    quota: float


def cores() -> Cores:
    """Count processors: those of the machine, of the affinity mask, and of the control group's quota."""
    there = os.cpu_count() or 1
    available = getattr(os, "sched_getaffinity", None)
    quotas = [quota.split() for quota in _read_all("cpu.max", "")]
    allowed = [int(q[0]) / int(q[1]) for q in quotas if len(q) == 2 and q[0].isdecimal()]
    return Cores(there=there, allowed=len(available(0)) if available else there, quota=min(allowed, default=math.inf))


def default_workers() -> int:
    """Count the cores that this process may use: its affinity mask, and the control group's quota."""
    found = cores()
    return max(1, found.allowed if math.isinf(found.quota) else min(found.allowed, math.ceil(found.quota)))


def machine_memory() -> int:
    """Give the bytes of memory in the machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def memory_limit() -> int:
    """Give the bytes of memory that processes here may use: the control group's, else the machine's."""
    told = [text.strip() for text in _read_all("memory.max", "memory.limit_in_bytes")]
    return min([machine_memory(), *(int(text) for text in told if text.isdecimal())])


def open_files_limit() -> tuple[int, int]:
    """Give how many descriptors a process may have, now and once it has asked for more; -1: any number."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def container() -> str:
    """Name the kind of container that this is, as far as it shows; empty: nothing does.

    Its traces are files, the names of control groups, and where the root of the files comes from.
    """
    for path, kind in _LEFT_BY.items():
        if os.path.lexists(path):
            return kind
    mounts = _read("/proc/self/mountinfo").splitlines()
    root = next((line for line in mounts if line.split()[4:5] == ["/"]), "")
    told = _read("/proc/self/cgroup") + root
    return next((kind for kind in _NAMED_IN if kind in told), "")


def default_memory() -> int:
    """Give the bytes that cells may have together, unless the user says otherwise."""
    return int(MEMORY_SHARE * memory_limit())


def out_of_memory_kills() -> int:
    """Count the processes that the kernel has ended in our control group for want of memory; 0 if it does not say."""
    most = 0
    for text in _read_all("memory.events", "memory.oom_control"):
        for line in text.splitlines():
            name, _, number = line.partition(" ")
            if name == "oom_kill" and number.strip().isdecimal():
                most = max(most, int(number))
    return most


def _read_all(unified: str, memory: str) -> Iterator[str]:
    """Yield what files of these names say in our control group and those above it, by version of the hierarchy."""
    hierarchies = [(_ROOT, "", unified)]
    for line in _read("/proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            hierarchies[0] = (_ROOT, path.rstrip("/"), unified)
        elif memory and "memory" in controllers.split(","):
            hierarchies.append((f"{_ROOT}/memory", path.rstrip("/"), memory))
    for root, group, name in hierarchies:
        steps = group.split("/")
        yield from (_read(f"{root}{'/'.join(steps[:n])}/{name}") for n in range(len(steps), 0, -1))


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
