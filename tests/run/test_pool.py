"""Claims about run/pool.py: processes are launched, watched, replaced, kept for the next run, and never outlive us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flowcore.run import pool
from flowcore.run.pool import Pool
from tests.run.driving import drive, have_ended, task, watch_end

ROOT = Path(__file__).parents[2]


def test_workers_outlive_a_run_for_the_next_one() -> None:
    """The second run meets the processes of the first, in its own surroundings."""
    with drive() as first:
        before = set(first.values(first.run(task("pid"), [()] * 20)))
        launcher = first.launcher
    with drive() as second:
        after = set(second.values(second.run(task("pid"), [()] * 20)))
        same = second.launcher

    assert after <= before
    assert launcher == same


def test_surroundings_are_those_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Directory and environment of the second run, not of the one that started the workers."""
    with drive(workers=1) as first:
        first.run(task("facts"), [()])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWCORE_TEST", "second")
    with drive(workers=1) as second:
        facts = second.value(second.run(task("facts"), [()])[0])

    assert isinstance(facts, dict)
    assert (str(tmp_path), "second") == (facts["cwd"], facts["variable"])


@pytest.mark.contract("W1", "W10")
def test_worker_is_clean() -> None:
    """Own session and group, SIGINT ignored, own random numbers, no main, no descriptors but its own."""
    with drive() as driving:
        attempts = driving.run(task("facts"), [()] * 2)
        one, other = [dict(facts) for facts in driving.values(attempts)]  # type: ignore[call-overload]
        with drive(workers=1) as inner:
            (third,) = [dict(facts) for facts in inner.values(inner.run(task("facts"), [()]))]  # type: ignore[call-overload]

    assert one["pid"] == one["group"] == one["session"]
    assert one["interrupt"]
    assert 3 == len({one["random"], other["random"], third["random"]})
    assert "" == one["main"]
    assert "1" == one["omp"]
    kinds = [target.split(":")[0] for target in one["fds"]]
    assert 1 == kinds.count("socket"), one["fds"]
    assert 1 == kinds.count("pipe"), one["fds"]
    assert len(kinds) <= 8, one["fds"]


@pytest.mark.contract("F4", "F5")
@pytest.mark.parametrize("count", [1, 2, 5])
def test_idle_workers_that_are_killed_are_replaced(count: int) -> None:
    """Nobody is charged, and the run goes on with as many."""
    with drive(workers=count) as driving:
        driving.until(lambda: all(worker.fit for worker in driving.workers))
        for worker in driving.workers:
            os.kill(worker.pid, signal.SIGKILL)
        attempts = driving.run(task("double"), [(i,) for i in range(50)])
        driving.until(lambda: sum(worker.fit for worker in driving.workers) == count)

        assert [2 * i for i in range(50)] == driving.values(attempts)
        assert driving.ended_once()


@pytest.mark.contract("F35")
def test_launcher_that_is_killed_is_started_again_and_workers_go_on(tmp_path: Path) -> None:
    """A cell that ran at the time ends well; the death of an orphaned worker is still seen."""
    gate, ready = tmp_path / "gate", tmp_path / "ready"
    os.mkfifo(gate)
    with drive(workers=1) as driving:
        (attempt,) = driving.give(task("wait_for"), [(str(gate), str(ready))])
        driving.until_there(ready)
        first = driving.launcher
        os.kill(first, signal.SIGKILL)
        driving.until(lambda: driving.launcher != first)
        gate.write_bytes(b"go on")
        driving.all_end()
        worker = driving.value(attempt)
        orphaned = driving.give(task("die"), [("SIGKILL",)])
        driving.all_end()
        later = driving.run(task("pid"), [()])

        assert driving.values(later) != [worker]
        assert "Died" == type(driving.ends[orphaned[0]][0]).__name__
        assert driving.launcher not in {0, first}


class RefusesForks(Pool):
    """The n-th start fails, as at a process limit."""

    fails = 3

    def hire(self) -> None:
        """Fail a few times."""
        if self.fails:
            self.fails -= 1
            raise BlockingIOError(11, "Resource temporarily unavailable")
        super().hire()


@pytest.mark.contract("F35")
def test_failed_starts_are_less_capacity_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two failures in a row, then it goes well."""
    RefusesForks.fails = 2
    monkeypatch.setattr("flowcore.run.executors.processes.acquire", RefusesForks)
    with drive(workers=1) as driving:
        attempts = driving.run(task("double"), [(i,) for i in range(5)])

        assert [0, 2, 4, 6, 8] == driving.values(attempts)
        assert "" == driving.executor.broken


@pytest.mark.contract("F35")
def test_three_failed_starts_give_the_cells_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is raised; the reason stands in `broken`, and the cells can go elsewhere."""
    RefusesForks.fails = 99
    monkeypatch.setattr("flowcore.run.executors.processes.acquire", RefusesForks)
    with drive(workers=2) as driving:
        attempts = driving.give(task("double"), [(1,), (2,)])
        driving.until(lambda: bool(driving.executor.broken))
        back = [attempt for job in driving.executor.take_back() for attempt in job.attempts]

        assert attempts == back
        assert "temporarily unavailable" in driving.executor.broken
        assert 0 == driving.executor.room(task("double"), 10)
        assert {} == driving.ends


@pytest.mark.parametrize("workshop", ["refuse_workshop", "die_in_workshop", "open_ends_unnamed"])
@pytest.mark.contract("F35", "W6")
def test_workers_that_finish_nothing_end_in_capacity_gone(workshop: str) -> None:
    """Whether they refuse the run, die entering it, or die between cells: no cell is charged."""
    with drive(workers=1, workshop=workshop) as driving:
        attempts = driving.give(task("double"), [(1,), (2,), (3,)])
        driving.until(lambda: bool(driving.executor.broken))
        back = [attempt for job in driving.executor.take_back() for attempt in job.attempts]

        assert attempts == sorted(back)
        assert {} == driving.ends


PARENT = """
import os, sys
sys.path.insert(0, sys.argv[1])
from flowcore.run import pool
from tests.run.driving import drive, task

if __name__ == "__main__":
    print("main", flush=True)
    with drive(workers=1) as driving:
        driving.until(lambda: all(worker.fit for worker in driving.workers))
        if sys.argv[2] != "idle":
            driving.give(task(sys.argv[2]), [(sys.argv[3],)])
            from pathlib import Path
            text = driving.until_there(Path(sys.argv[3]))
        else:
            text = ""
        print(driving.launcher, driving.workers[0].pid, *text.split()[1:], flush=True)
        driving.inbox.wait()
"""


@pytest.mark.contract("F3", "P6")
@pytest.mark.parametrize("busy", ["idle", "loop_for_ever", "hold_the_gil", "with_child"])
def test_sigkill_of_the_parent_leaves_no_process(busy: str, tmp_path: Path) -> None:
    """Idle, in Python, in a C call that holds the GIL, and with a child process of its own."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(ROOT), busy, str(tmp_path / "ready")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert "main\n" == parent.stdout.readline()
    pidfds = [watch_end(int(pid)) for pid in parent.stdout.readline().split()]
    parent.kill()
    parent.wait()
    parent.stdout.close()

    assert len(pidfds) == (3 if busy == "with_child" else 2)
    assert have_ended(pidfds)


@pytest.mark.contract("F3")
def test_lifelines_alone_end_workers_when_the_launcher_went_first(tmp_path: Path) -> None:
    """Nobody but the kernel is left to end a C call that holds the GIL."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(ROOT), "hold_the_gil", str(tmp_path / "ready")],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert parent.stdout is not None
    parent.stdout.readline()
    launcher, worker = (int(pid) for pid in parent.stdout.readline().split())
    pidfds = [watch_end(worker)]
    os.kill(parent.pid, signal.SIGSTOP)
    os.kill(launcher, signal.SIGKILL)
    parent.kill()
    parent.wait()
    parent.stdout.close()

    assert have_ended(pidfds)


@pytest.mark.contract("F37")
def test_exit_of_the_interpreter_ends_kept_workers() -> None:
    """A script that ran and ended leaves nothing, and its main module ran once."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tests.run.driving import drive, task\n"
        "with drive() as d:\n"
        "    d.run(task('double'), [(1,), (2,)])\n"
        "    print(d.launcher, *[w.pid for w in d.workers], flush=True)\n"
        "sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(ROOT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    pidfds = [watch_end(int(pid)) for pid in child.stdout.readline().split()]
    rest, _ = child.communicate(timeout=60)

    assert ("", 0) == (rest, child.returncode)
    assert 3 == len(pidfds)
    assert have_ended(pidfds)


@pytest.mark.contract("F3", "F14")
def test_forked_copy_keeps_no_lifeline_and_no_pool() -> None:
    """A child that the user forked and that lives on does not keep workers alive, nor use them."""
    with drive(workers=1) as driving:
        driving.run(task("double"), [(1,)])
        worker = driving.workers[0]
        pidfd = watch_end(worker.pid)
    told, tell = os.pipe()
    hold, held = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(held)
        os.write(tell, bytes([pool.acquire().launcher_pid == 0]))
        os.read(hold, 1)
        os._exit(0)
    os.close(hold)
    fresh = os.read(told, 1)
    pool.shutdown()
    ended = have_ended([pidfd])
    os.close(held)
    os.waitpid(child, 0)
    os.close(told)
    os.close(tell)

    assert b"\1" == fresh
    assert ended


def test_no_descriptor_leaks_over_twenty_runs() -> None:
    """Runs that end well, and runs in which a worker died."""
    with drive() as driving:
        driving.until(lambda: len([w for w in driving.workers if w.fit]) == 2)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(20):
        with drive() as driving:
            driving.run(task("die"), [("exit 3" if number % 4 == 0 else "no",), ("no",)])
            driving.until(lambda: len([w for w in driving.workers if w.fit]) == 2)

    assert len(os.listdir("/proc/self/fd")) <= before


def test_shutdown_ends_the_processes() -> None:
    """And the next run starts new ones."""
    with drive() as driving:
        driving.run(task("double"), [(1,)])
        pids = [driving.launcher, *[worker.pid for worker in driving.workers]]
        pidfds = [watch_end(pid) for pid in pids]
    pool.shutdown()

    assert have_ended(pidfds)
    with drive() as driving:
        assert [2] == driving.values(driving.run(task("double"), [(1,)]))


@pytest.mark.contract("F35")
def test_few_descriptors_mean_fewer_workers() -> None:
    """With RLIMIT_NOFILE at 40 the cells still end, with no error."""
    script = (
        "import sys, resource; sys.path.insert(0, sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
        "from tests.run.driving import drive, task\n"
        "with drive(workers=16) as d:\n"
        "    print(d.values(d.run(task('double'), [(i,) for i in range(100)])) == [2 * i for i in range(100)])\n"
        "    print(0 < len(d.workers) < 16)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(ROOT)], capture_output=True, text=True, timeout=60, check=False
    )

    assert ("True\nTrue\n", "") == (done.stdout, done.stderr)


@pytest.mark.contract("B7")
def test_workers_may_have_many_files_open() -> None:
    """As many as the system allows, however few a shell does; the user's own process keeps its limit."""
    script = (
        "import sys, resource; sys.path.insert(0, sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, 2000))\n"
        "from tests.run.driving import drive, task\n"
        "with drive(workers=1) as d:\n"
        "    print(d.values(d.run(task('opens'), [(1500,)])), resource.getrlimit(resource.RLIMIT_NOFILE))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(ROOT)], capture_output=True, text=True, timeout=60, check=False
    )

    assert ("[1500] (256, 2000)\n", "") == (done.stdout, done.stderr)
