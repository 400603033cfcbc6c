"""What this machine gives to this process: cores, memory, and who was ended for want of it.

Owns the reading of affinity masks and control groups, of both versions. Promises an answer
wherever it runs: what the kernel does not tell is taken to be without limit. Never changes
anything.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Final

MEMORY_SHARE: Final = 0.8  # of the memory there is that cells may have, unless the user says otherwise
_ROOT: Final = "/sys/fs/cgroup"


def default_workers() -> int:
    """Count the cores that this process may use: its affinity mask, and the control group's quota."""
    available = getattr(os, "sched_getaffinity", None)
    cores = len(available(0)) if available is not None else os.cpu_count() or 1
    quotas = [quota.split() for quota in _read_all("cpu.max", "")]
    allowed = [math.ceil(int(q[0]) / int(q[1])) for q in quotas if len(q) == 2 and q[0].isdecimal()]
    return max(1, min([cores, *allowed]))


def memory_limit() -> int:
    """Give the bytes of memory that processes here may use: the control group's, else the machine's."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    told = [text.strip() for text in _read_all("memory.max", "memory.limit_in_bytes")]
    return min([machine, *(int(text) for text in told if text.isdecimal())])


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
