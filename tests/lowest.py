"""The lowest versions that flowcore says it works with (contract S13), and a telling part of the tests to run on them.

`python tests/lowest.py` prints what to install: each core dependency at the floor that pyproject.toml gives it, and
tools of the tests as they come. `python -m tests.lowest` refuses any other versions, and runs the part. Both stand in
`make lowest`. Needs nothing but the standard library until then, for it begins where nothing is installed yet.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOOLS = ("pytest", "pytest-timeout", "hypothesis")
# What each dependency is there for: arrays and their identity, records, digests, locks, functions that travel, graphs,
# tables on a terminal; and whole runs on processes.
TELLING = (
    "tests/plan/test_golden.py",
    "tests/plan/test_encode.py",
    "tests/plan/test_arrays.py",
    "tests/plan/test_records.py",
    "tests/plan/test_keys.py",
    "tests/store/test_codecs.py",
    "tests/store/test_cache.py",
    "tests/store/test_directory.py",
    "tests/store/test_spool.py",
    "tests/store/test_checkpoint.py",
    "tests/inspect/networks/test_network.py",
    "tests/run/test_launcher.py",
    "tests/run/test_processes.py",
    "tests/test_pickles.py",
    "tests/cli/test_run.py",
    "tests/cli/test_verbs.py",
    "tests/cli/test_doctor.py",
    "tests/test_small_job.py",
    "tests/site/test_session.py",
)
# Where a floor has no wheel for a Python that came after it: the first version that has one.
LATER = {("numpy", (3, 13)): "2.1"}
_NEED = re.compile(r"([A-Za-z0-9._-]+)>=([0-9]+(?:\.[0-9]+)*)")


def floors(project: Mapping[str, object]) -> dict[str, str]:
    """Give the core dependencies with their floors; one without a floor, or with more than that, is refused."""
    found = {}
    for need in project["dependencies"]:  # type: ignore[attr-defined]
        match = _NEED.fullmatch(need)
        if match is None:
            raise SystemExit(f"{need!r} is not NAME>=VERSION: its lowest version cannot be installed")
        found[match[1]] = match[2]
    return found


def here(floors: Mapping[str, str], python: tuple[int, int]) -> dict[str, str]:
    """Give the lowest versions that can be had on a Python."""
    return {name: LATER.get((name, python), floor) for name, floor in floors.items()}


def pinned(name: str, floor: str) -> str:
    """Give the requirement of a floor itself: 2.0 is 2.0 and 2.0.0, and not 2.0.1."""
    return f"{name}=={floor}"


def requirements(project: Mapping[str, object]) -> list[str]:
    """Give what to install: dependencies at their floors, tools as the extra `test` has them."""
    extra = project["optional-dependencies"]["test"]  # type: ignore[index]
    tools = [need for need in extra if re.split("[>=]", need)[0] in TOOLS]
    lowest = here(floors(project), sys.version_info[:2])
    return [*(pinned(name, floor) for name, floor in lowest.items()), *tools]


def project() -> dict[str, object]:
    """Read what flowcore says of itself."""
    found: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def others(wanted: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Name the dependencies that are there in another version than the lowest."""
    return [
        f"{name} {found[name]}, not {floor}"
        for name, floor in wanted.items()
        if _release(found[name]) != _release(floor)
    ]


def _release(version: str) -> list[str]:
    return re.sub(r"(\.0)+$", "", version).split(".")


def main(arguments: Sequence[str]) -> int:
    """See that the versions are the lowest, and run the part; with "newest", on whatever versions there are."""
    wanted = here(floors(project()), sys.version_info[:2])
    if list(arguments) == ["newest"]:
        wanted = {name: importlib.metadata.version(name) for name in wanted}
    if wrong := others(wanted, {name: importlib.metadata.version(name) for name in wanted}):
        print(f"These are not the lowest versions: {'; '.join(wrong)}.")
        return 2
    import pytest

    print(", ".join(f"{name} {floor}" for name, floor in wanted.items()))
    return int(pytest.main(["-q", "-p", "no:cacheprovider", *TELLING]))


if __name__ == "__main__":
    if __package__:
        sys.exit(main(sys.argv[1:]))
    print("\n".join(requirements(project())))
