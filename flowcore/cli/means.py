"""What a run has to work with: Python, libraries, cores, memory, descriptors. Looks, and tries nothing out.

Owns the checks of `flowcore doctor` that need no file and no process. Which versions
flowcore needs is read from what its distribution says, and stands nowhere else.
"""

from __future__ import annotations

import importlib.metadata
import math
import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Final

from flowcore.cli.checked import FAIL, NOTE, Check, judged
from flowcore.cli.conduct import version
from flowcore.machine import (
    container,
    cores,
    default_memory,
    default_workers,
    machine_memory,
    memory_limit,
    open_files_limit,
)

LITTLE_MEMORY: Final = 512 * 2**20  # bytes: a worker with numpy takes about a tenth of it before its first cell
FEW_FILES: Final = 512  # descriptors: a run takes some dozens, a worker a handful, a large array that is open one
_NEED = re.compile(r"([A-Za-z0-9._-]+)\s*>=\s*([0-9][0-9.]*)\s*(?:;\s*extra == [\"'](\w+)[\"'])?\s*")
_KEPT_WHERE_MET = "tables"  # the extra whose libraries flowcore knows values of, and never asks for


def versions() -> Iterator[Check]:
    """Look at Python, flowcore, and what it stands on."""
    yield Check(name="python", found=f"{sys.version.split()[0]}, {sys.executable}")
    yield Check(
        name="flowcore", found=f"{version()}, {os.path.dirname(os.path.abspath(__file__)).removesuffix('/cli')}"
    )
    try:
        lines = importlib.metadata.requires("flowcore") or []
    except importlib.metadata.PackageNotFoundError:
        yield Check(
            name="dependencies", found="not known", grade=NOTE,
            advice="flowcore is imported from a folder and not installed, so it does not say what it needs.",
        )  # fmt: skip
        return
    yield from _dependencies(lines)


def _dependencies(lines: Iterable[str]) -> Iterator[Check]:
    sound = []
    for need in filter(None, map(_NEED.fullmatch, lines)):
        library, floor, extra = need.groups()
        if extra not in {None, _KEPT_WHERE_MET}:
            continue
        try:
            found = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            if not extra:
                yield Check(name=library, found="not installed", grade=FAIL, advice=f'pip install "{library}>={floor}"')
            continue
        if release(found) >= release(floor):
            sound.append(f"{library} {found}")
        else:
            yield Check(
                name=library, found=f"{found}, before {floor}", grade=NOTE if extra else FAIL,
                advice=f'pip install "{library}>={floor}"',
            )  # fmt: skip
    yield Check(name="dependencies", found=", ".join(sound))


def release(text: str) -> tuple[int, ...]:
    """Give the numbers of a version, for comparison; what comes before a release counts as the release.

    Examples
    --------
    >>> release("2.10.1") > release("2.9"), release("2.0rc1") >= release("2.0"), release("1.0") == release("1.0.0")
    (True, True, True)
    """
    numbers = [int(part) for part in re.match(r"[0-9.]*", text)[0].split(".") if part]  # type: ignore[index]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def means() -> Iterator[Check]:
    """Look at cores, memory, descriptors and the kind of container."""
    found = cores()
    parts = [f"{default_workers()} for workers: {found.there} in the machine"]
    if found.allowed != found.there:
        parts.append(f"{found.allowed} in this process's affinity mask")
    if not math.isinf(found.quota):
        parts.append(f"a quota of {found.quota:g}")
    yield Check(name="cores", found=", ".join(parts))
    limit, whole = memory_limit(), machine_memory()
    source = "" if limit >= whole else f", the limit of a control group in a machine of {whole / 2**30:.1f} GiB"
    yield judged(
        "memory", f"{default_memory() / 2**30:.1f} GiB for cells, of {limit / 2**30:.1f} GiB{source}",
        unless=limit < LITTLE_MEMORY, grade=NOTE, advice="Each worker takes some 50 MiB before it has done anything.",
    )  # fmt: skip
    soft, hard = open_files_limit()
    yield judged(
        "descriptors", f"{_count(soft)}, up to {_count(hard)}", unless=0 <= hard < FEW_FILES, grade=NOTE,
        advice=f"With few of them fewer workers start, and a warning says so. Before it: ulimit -n {4 * FEW_FILES}",
    )  # fmt: skip
    if kind := container():
        yield Check(name="container", found=kind)


def _count(limit: int) -> str:
    return "any number" if limit < 0 else str(limit)
