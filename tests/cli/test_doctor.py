"""Claims about ``flowcore doctor``: it tells what is the case, and calls nothing broken that is not."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from flowcore.cli import ground, means
from flowcore.cli.checked import FAIL, NOTE, OK, Check
from flowcore.store.fs import DISK, Disk
from flowcore.testing import FaultyDisk
from tests.cli.conftest import Terminal, Typed

ALWAYS = [
    "python", "flowcore", "dependencies", "cores", "memory", "descriptors", "filesystem", "rename", "link", "lock",
    "mmap", "reserve", "fsync", "file times", "shared memory", "worker", "BLAS",
]  # fmt: skip
DOCTOR = "from flowcore.cli import main\nraise SystemExit(main(['doctor', '--json']))"


def graded(ran: Typed) -> dict[str, str]:
    """Give the grade of each check."""
    return {check["name"]: check["grade"] for check in ran.json["checks"]}


def advice(ran: Typed, name: str) -> str:
    """Give what is advised."""
    return next(str(check["advice"]) for check in ran.json["checks"] if check["name"] == name)


def installed(folder: Path, name: str, version: str, *needs: str) -> None:
    """Pretend that a distribution is there, before any other of its name."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {need}" for need in needs)]
    (info / "METADATA").write_text("Metadata-Version: 2.1\n" + "\n".join(lines) + "\n")


def test_doctor_tries_this_machine(flowcore: Terminal) -> None:
    """Each check with what was found; a machine on which these tests pass is sound; nothing is left behind."""
    ran = flowcore("doctor", "--json")
    grades = graded(ran)

    assert ALWAYS == [name for name in grades if name != "container"]
    assert [] == [name for name, grade in grades.items() if grade == FAIL]
    assert (0, True) == (ran.code, ran.json["ok"])
    assert [] == [check for check in ran.json["checks"] if check["ok"] != (check["grade"] != FAIL)]
    assert [] == [check["name"] for check in ran.json["checks"] if (check["grade"] == OK) == bool(check["advice"])]
    assert [] == list(flowcore.folder.iterdir())


def test_doctor_in_words(flowcore: Terminal) -> None:
    """A line a check; where nothing can be written, that is told with what to do."""
    flowcore.write("file", "")
    ran = flowcore("doctor", "--store", "file/store")

    assert 1 == ran.code
    assert "FAIL  writing " in ran.out
    assert "Name a store of your own" in ran.out
    assert "ok    worker " in ran.out


def test_few_descriptors_are_a_note(flowcore: Terminal) -> None:
    """Runs go well with them: exit code 0."""
    ran = flowcore.python("-c", f"import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))\n{DOCTOR}")

    assert (0, NOTE) == (ran.code, graded(ran)["descriptors"])
    assert "ulimit -n " in advice(ran, "descriptors")


def test_libraries_that_are_old_or_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that flowcore needs fail; one that it only knows values of is a note; each with the line that mends it."""
    needs = ["msgpack>=1.1", "nowhere>=2.0", 'pandas>=2.3; extra == "tables"', 'ruff>=99; extra == "dev"', "rich>=1"]
    installed(tmp_path, "flowcore", "0.1.0", *needs)
    installed(tmp_path, "msgpack", "1.0.9")
    installed(tmp_path, "pandas", "2.2")
    monkeypatch.syspath_prepend(tmp_path)
    found = {check.name: check for check in means.versions()}

    assert {"msgpack": FAIL, "nowhere": FAIL, "pandas": NOTE} == {n: c.grade for n, c in found.items() if c.grade != OK}
    assert 'pip install "msgpack>=1.1"' == found["msgpack"].advice
    assert found["dependencies"].found.startswith("rich ")


def test_a_store_of_a_newer_flowcore(store: Path) -> None:
    """Runs would keep nothing there: told with what to do, and left as it is."""
    marker = store / "v1" / "flowcore-store"
    marker.parent.mkdir(mode=0o700, parents=True)
    store.chmod(0o700)
    marker.write_text("flowcore store\nformat 99\ndigest blake3-256\n")
    first, *_ = ground.store(str(store), str(store))

    assert ("store", FAIL) == (first.name, first.grade)
    assert first.advice
    assert [marker] == [path for path in store.rglob("*") if path.is_file()]


@pytest.mark.contract("F35")
def test_no_worker_can_be_had(flowcore: Terminal) -> None:
    """A cell that ran in the process of the run is not passed off as one of a worker."""
    refuse = "def refuse(*a, **k): raise OSError(11, 'no process')"
    ran = flowcore.python("-c", f"from flowcore.run import proc\n{refuse}\nproc.start_interpreter = refuse\n{DOCTOR}")

    assert (1, FAIL) == (ran.code, graded(ran)["worker"])
    assert "no process" in advice(ran, "worker")


@pytest.mark.contract("H4", "F28")
@pytest.mark.parametrize(
    ("call", "error", "grades"),
    [
        ("rename", errno.EPERM, {"rename": FAIL}),
        ("link", errno.EPERM, {"link": NOTE}),
        ("map", errno.ENODEV, {"mmap": NOTE}),
        ("reserve", errno.ENOSPC, {"reserve": FAIL}),
        ("fsync", errno.EIO, {"fsync": FAIL}),
        ("fstat", 0, {}),
    ],
)
def test_each_call_is_tried_for_real(call: str, error: int, grades: dict[str, str], tmp_path: Path) -> None:
    """One that fails is a failure only if runs cannot do without it."""
    disk = FaultyDisk(1, error=error, lasting=True, only=(call,))
    found = {check.name: check.grade for check in ground.probes(str(tmp_path), disk=disk) if check.grade != OK}

    assert grades == found


class Strange(Disk):
    """A filesystem with something about it that a user wants to know."""

    def __init__(self, kind: str = "ext4", free: int = 1 << 40) -> None:
        self._kind = kind
        self._free = free

    def kind(self, path: object) -> str:
        return self._kind

    def free(self, path: object) -> int:
        return self._free


@pytest.mark.parametrize(
    ("disk", "said"),
    [
        (Strange("nfs4"), "read instead of mapped"),
        (Strange("fuse.sshfs"), "read instead of mapped"),
        (Strange("tmpfs"), "in memory"),
        (Strange(free=1 << 20), "flowcore cache gc makes room"),
        (Strange(), ""),
    ],
)
def test_what_kind_of_filesystem_it_is(disk: Disk, said: str, tmp_path: Path) -> None:
    """A network, memory or little room are notes; anything else is none."""
    (check,) = ground.store(str(tmp_path / "store"), str(tmp_path), disk=disk)

    assert (NOTE if said else OK) == check.grade
    assert said in check.advice


@pytest.mark.contract("F24")
def test_shared_memory_is_small_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The spool falls back to disk: a note, with how to have more of it."""

    def looked(disk: Disk) -> Check:
        return ground.shared_memory(disk=disk)

    small, whole = looked(Strange("tmpfs", 64 << 20)), looked(Strange("tmpfs"))
    unmapped = looked(FaultyDisk(1, error=errno.ENODEV, only=("map",)))
    monkeypatch.setattr(ground, "SHARED_MEMORY", str(tmp_path / "none"))
    gone = looked(DISK)

    assert [NOTE, OK, NOTE, NOTE] == [check.grade for check in (small, whole, unmapped, gone)]
    assert "makes room" in small.advice


def test_versions_are_compared_by_their_numbers() -> None:
    """Not as text, and however many numbers they have."""
    ordered = ("0.9", "1.0rc1", "1.0.1", "1.2", "1.10", "2026.1")

    assert list(ordered) == sorted({*ordered}, key=means.release)
    assert means.release("1.0") == means.release("1")
