"""Claims about run/launcher.py: a clean place to fork workers from, which leaves nothing behind."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowcore.run.launcher import remove_spool
from flowcore.run.workers.edition import IMPORTED
from flowcore.run.workers.launching import LauncherProcess, WorkerProcess
from tests.run.driving import DEADLINE, have_ended, watch_end


@pytest.fixture
def launcher() -> Iterator[LauncherProcess]:
    """Give a launcher that is ready."""
    process = LauncherProcess()
    assert ["ready", process.pid, IMPORTED] == hear(process)
    yield process
    process.close()


def hear(process: LauncherProcess) -> list[object]:
    """Give the launcher's next message."""
    while True:
        assert select.select([process.control.fileno()], [], [], DEADLINE)[0], process.complaint()
        messages = process.control.receive()
        assert messages or not process.control.ended, process.complaint()
        if messages:
            (message,) = messages
            return message


def fork(process: LauncherProcess, token: int) -> tuple[WorkerProcess, list[object]]:
    """Have a worker forked; give it and what was said about it."""
    worker = WorkerProcess(token)
    process.control.send(["fork", token], fds=worker.far)
    said = hear(process)
    _, _, pid, _ = said
    assert isinstance(pid, int)
    worker.started(pid, process.control.take_fds()[0])
    return worker, said


@pytest.mark.contract("F14", "W1")
def test_launcher_has_one_thread_at_each_fork(launcher: LauncherProcess) -> None:
    """With numpy imported, and after several forks."""
    workers = [fork(launcher, token) for token in range(1, 4)]
    threads = [said[3] for _, said in workers]
    maps = Path(f"/proc/{launcher.pid}/maps").read_text()
    for worker, _ in workers:
        worker.close()

    assert [1, 1, 1] == threads
    assert "numpy" in maps


@pytest.mark.contract("W1")
def test_launcher_has_no_descriptor_of_the_user(tmp_path: Path) -> None:
    """Not even one that the user made inheritable."""
    with (tmp_path / "private").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        launcher = LauncherProcess()
        hear(launcher)
        worker, _ = fork(launcher, 1)
        targets = {
            os.readlink(entry) for pid in (launcher.pid, worker.pid) for entry in Path(f"/proc/{pid}/fd").iterdir()
        }
        worker.close()
        launcher.close()

    assert not [target for target in targets if "private" in target]
    assert os.getsid(0) not in {launcher.pid, worker.pid}


def test_launcher_reports_how_a_worker_ended(launcher: LauncherProcess) -> None:
    """Its wait status and its memory at its highest."""
    worker, _ = fork(launcher, 5)
    worker.kill("test")
    kind, token, status, peak = hear(launcher)
    worker.close()

    assert ("exited", 5, signal.SIGKILL) == (kind, token, os.WTERMSIG(int(str(status))))
    assert isinstance(peak, int)
    assert peak > 1 << 20


@pytest.mark.contract("F35")
def test_fork_request_without_descriptors_is_refused(launcher: LauncherProcess) -> None:
    """As when descriptors ran out on the way; the launcher goes on."""
    launcher.control.send(["fork", 8])
    kind, token, _ = hear(launcher)
    worker, said = fork(launcher, 9)
    worker.close()

    assert ("refused", 8) == (kind, token)
    assert "started" == said[0]


@pytest.mark.contract("F24")
def test_launcher_removes_the_spool_when_its_engine_is_gone(tmp_path: Path) -> None:
    """The one it was told of last, and not the one it was told to leave."""
    gone, kept = tmp_path / "gone", tmp_path / "kept"
    for spool in (gone, kept):
        spool.mkdir()
        (spool / "ab12").write_bytes(b"array")
    launcher = LauncherProcess()
    hear(launcher)
    for spool in (gone, kept):
        launcher.control.send(["spool", str(spool)])
    launcher.control.send(["kept", str(kept)])
    launcher.close()

    assert not gone.exists()
    assert ["ab12"] == [entry.name for entry in kept.iterdir()]


def test_sweeping_follows_no_link(tmp_path: Path) -> None:
    """A link in place of the spool, or in it, costs nobody a file."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("mine")
    (tmp_path / "spool").symlink_to(precious)
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "link").symlink_to(precious)
    remove_spool(str(tmp_path / "spool"))
    remove_spool(str(inner))

    assert "mine" == (precious / "file").read_text()


@pytest.mark.contract("F13", "F35")
def test_signals_that_every_process_gets_end_no_launcher_that_starts() -> None:
    """As batch systems send them: they come before it has said that it ignores them, and wait until then."""
    launcher = LauncherProcess()
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT, signal.SIGHUP):
        os.kill(launcher.pid, number)
    try:
        said = hear(launcher)
    finally:
        launcher.close()

    assert ["ready", launcher.pid, IMPORTED] == said


@pytest.mark.contract("F3")
def test_launcher_and_workers_end_when_the_control_socket_closes() -> None:
    """A worker that is stopped by a signal is ended too, even right after its fork: it leads no group yet."""
    launcher = LauncherProcess()
    hear(launcher)
    workers = [fork(launcher, token)[0] for token in (1, 2)]
    pidfds = [watch_end(worker.pid) for worker in workers] + [watch_end(launcher.pid)]
    os.kill(workers[0].pid, signal.SIGSTOP)
    for worker in workers:
        worker.close()
    launcher.close()

    assert have_ended(pidfds)
