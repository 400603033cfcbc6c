"""Claims about run/executors/processes.py: each attempt ends once, and only who killed a worker is charged."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
from pathlib import Path

import pytest

from flowcore.run.job import Died, Done, Failed, Interrupted, TimedOut
from tests.ahead import Ahead
from tests.run import stand_in
from tests.run.driving import drive, have_ended, task, watch_end

DEATHS = ["SIGKILL", "exit 0", "exit 3", "segfault", "abort", "stack", "garbage", "wrong message"]


def test_every_cell_gives_its_value() -> None:
    """Ten thousand cells, batched as the executor sees fit, shared columns among them."""
    with drive() as driving:
        attempts = driving.run(task("double"), [(i,) for i in range(10_000)])

        assert [2 * i for i in range(10_000)] == driving.values(attempts)
        assert driving.ended_once()


@pytest.mark.contract("F4", "F7", "F11")
@pytest.mark.parametrize("how", DEATHS)
def test_death_in_a_cell_is_that_cells_alone(how: str) -> None:
    """Fifty bystanders, some in the same batch, end well at their first attempt."""
    with drive() as driving:
        bystanders = driving.give(task("double"), [(i,) for i in range(25)])
        (killer, *rest) = driving.give(task("die"), [(how,), *[("no",)] * 25])
        driving.all_end()
        (end,) = driving.ends[killer]

        assert isinstance(end, Died), end
        assert all(isinstance(driving.ends[attempt][0], Done) for attempt in bystanders + rest)
        assert driving.ended_once()


@pytest.mark.contract("E9", "F7")
@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("SIGKILL", "signal 9 (SIGKILL)"),
        ("exit 0", "exit code 0 without a result"),
        ("exit 3", "exit code 3"),
        ("segfault", "signal 11 (SIGSEGV)"),
        ("abort", "signal 6 (SIGABRT)"),
        ("closes", "exit code 70"),
        ("garbage", "killed: it sent bytes that are no frame"),
        ("wrong message", "killed: what it sent cannot be read"),
    ],
)
def test_death_is_told_with_its_cause(how: str, cause: str) -> None:
    """Signal or exit code, peak memory, the Python stack and the last lines of stderr."""
    with drive(workers=1) as driving:
        (attempt,) = driving.give(task("die"), [(how,)])
        driving.all_end()
        (end,) = driving.ends[attempt]

    assert isinstance(end, Died)
    assert end.cause.startswith(cause), end.cause
    assert end.peak > 1 << 20
    assert ("in die" in end.stack) == (how in {"segfault", "abort"})
    assert ("about to abort" in end.stderr) == (how == "abort")


@pytest.mark.contract("F4", "P4")
def test_a_cell_that_fails_for_what_another_left_is_handed_out_again() -> None:
    """In a batch of short cells, where nothing is put back between them, one lowers the limit of open files."""
    with drive(workers=1) as driving:
        spec = task("open_few")
        driving.run(spec, [(0,)] * 50)  # now its cells count as short
        attempts = driving.run(spec, [(0,), (1,), *[(0,)] * 8])

        assert {Done} == {type(driving.ends[attempt][0]) for attempt in attempts}
        assert driving.ended_once()


@pytest.mark.contract("F6", "W6")
def test_poison_in_batches_of_ten_is_charged_each_time() -> None:
    """Two of its three deaths are retried in a batch again; fifty innocents never notice."""
    with drive() as driving:
        spec, deaths = task("die"), []
        poison = driving.give(spec, [("SIGKILL",), *[("no",)] * 9])[0]
        for _ in range(4):
            driving.give(spec, [("no",)] * 10)
        for _ in range(2):
            driving.until(lambda: poison in driving.ends)  # noqa: B023
            deaths.append(poison)
            poison = driving.give(spec, [("no",), ("no",), ("SIGKILL",), ("no",)])[2]
        driving.all_end()
        deaths.append(poison)
        died = [attempt for attempt, ends in driving.ends.items() if isinstance(ends[0], Died)]

        assert sorted(deaths) == sorted(died)
        assert driving.ended_once()


@pytest.mark.contract("F4", "F40")
def test_random_kills_cost_at_most_the_cell_in_hand() -> None:
    """Workers are killed over and over from outside; every attempt ends once, with its value or as Died."""
    chance = random.Random(7)
    with drive() as driving:
        spec = task("double")
        for round_ in range(12):
            attempts = driving.give(spec, [(i,) for i in range(300)])
            driving.until(lambda: any(worker.fit for worker in driving.workers))
            victim = chance.choice([worker for worker in driving.workers if worker.pid])
            with contextlib.suppress(ProcessLookupError):  # the one killed last may not be buried yet
                os.kill(victim.pid, signal.SIGKILL)
            if round_ % 3 == 0:
                driving.until(lambda: attempts[0] in driving.ends)  # noqa: B023
        driving.all_end()
        died = [attempt for attempt, ends in driving.ends.items() if isinstance(ends[0], Died)]
        done = [attempt for attempt in driving.ends if attempt not in died]

        assert driving.ended_once()
        assert len(died) <= 12
        assert {(attempt - 1) % 300 * 2 for attempt in done} >= {driving.value(attempt) for attempt in done}


@pytest.mark.contract("F5")
def test_death_is_seen_while_another_cell_blocks(tmp_path: Path) -> None:
    """Also of a worker that was started late."""
    gate, ready = tmp_path / "gate", tmp_path / "ready"
    os.mkfifo(gate)
    with drive() as driving:
        (blocked,) = driving.give(task("wait_for"), [(str(gate), str(ready))])
        driving.until_there(ready)
        for _ in range(3):  # the second and third meet workers started after the wait began
            (killer,) = driving.give(task("die"), [("exit 0",)])
            driving.until(lambda: killer in driving.ends)  # noqa: B023
        before = blocked in driving.ends
        gate.write_bytes(b"now")
        driving.all_end()

        assert not before
        assert isinstance(driving.ends[blocked][0], Done)


@pytest.mark.contract("F8")
@pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "MemoryError"])
def test_what_a_cell_raises_is_no_death(name: str) -> None:
    """It fails; its worker lives."""
    with drive(workers=1) as driving:
        (before,) = driving.run(task("pid"), [()])
        (raised,) = driving.run(task("raise_it"), [(name,)])
        (after,) = driving.run(task("pid"), [()])

        assert isinstance(driving.ends[raised][0], Failed)
        assert driving.value(before) == driving.value(after)


@pytest.mark.contract("F12", "W7")
@pytest.mark.parametrize("hang", ["loop_for_ever", "hold_the_gil", "with_child"])
def test_cell_over_its_timeout_is_killed_with_what_it_started(hang: str, tmp_path: Path) -> None:
    """A loop that ignores SIGTERM, a C call that holds the GIL, a child process; the next cell runs."""
    ready = tmp_path / "ready"
    with Ahead() as ahead, drive(workers=1) as driving:
        (hung,) = driving.give(task(hang, timeout=100.0), [(str(ready),)])
        behind = driving.give(task("double", timeout=1000.0), [(4,)])
        pidfds = [watch_end(int(pid)) for pid in driving.until_there(ready).split()]
        ahead.put_forward(100.0)
        driving.all_end()
        (end,) = driving.ends[hung]

        assert isinstance(end, TimedOut)
        assert (True, "killed") == (end.seconds >= 100.0, end.did)
        assert [8] == driving.values(behind)
        assert have_ended(pidfds)


@pytest.mark.contract("F12")
def test_timeout_is_of_one_attempt_and_not_of_its_batch(tmp_path: Path) -> None:
    """Many cells that together take longer than one may are all right."""
    gates = [(tmp_path / f"gate{i}", tmp_path / f"ready{i}") for i in range(4)]
    with Ahead() as ahead, drive(workers=1) as driving:
        for gate, _ in gates:
            os.mkfifo(gate)
        attempts = driving.give(task("take", timeout=100.0), [(70.0, str(gate), str(ready)) for gate, ready in gates])
        for gate, ready in gates:
            driving.until_there(ready)
            ahead.put_forward(70.0)
            driving.until_looked()
            gate.write_bytes(b"on")
        driving.all_end()

        assert all(isinstance(driving.ends[attempt][0], Done) for attempt in attempts)


@pytest.mark.contract("F3")
def test_child_left_behind_ends_with_its_worker() -> None:
    """What a cell started in the worker's group does not outlive the worker."""
    with drive(workers=1) as driving:
        (left,) = driving.run(task("leave_child_behind"), [()])
        pid = driving.value(left)
        assert isinstance(pid, int)
        pidfd = watch_end(pid)
        os.kill(driving.workers[0].pid, signal.SIGKILL)
        driving.run(task("double"), [(1,)])

        assert have_ended([pidfd])


@pytest.mark.contract("P12")
def test_stop_lets_what_runs_finish_and_begins_nothing(tmp_path: Path) -> None:
    """The rest of the batch, the batch behind it and what was never sent are interrupted."""
    gate, ready, never = tmp_path / "gate", tmp_path / "ready", tmp_path / "never"
    os.mkfifo(gate)
    with drive(workers=1) as driving:
        spec = task("wait_for")
        (running, *rest) = driving.give(spec, [(str(gate), str(ready)), *[(str(gate), str(never))] * 3])
        unsent = driving.give(spec, [(str(gate), str(never))] * 2)
        driving.until_there(ready)
        driving.executor.stop()
        refused = driving.give(spec, [(str(gate), str(never))])
        gate.write_bytes(b"finish")
        driving.all_end()

        assert isinstance(driving.ends[running][0], Done)
        assert all(isinstance(driving.ends[attempt][0], Interrupted) for attempt in rest + unsent + refused)
        assert driving.ended_once()
        assert not never.exists()
        assert 0 == driving.executor.room(spec, 5)


@pytest.mark.contract("F13", "F40")
def test_cancel_ends_everything_at_once(tmp_path: Path) -> None:
    """Also what ignores signals; each attempt is interrupted once, and late messages are dropped."""
    with drive() as driving:
        driving.give(task("loop_for_ever"), [(str(tmp_path / "one"),)])
        driving.give(task("hold_the_gil"), [(str(tmp_path / "two"),)])
        driving.give(task("double"), [(i,) for i in range(20)])
        pidfds = [watch_end(int(driving.until_there(tmp_path / name).split()[0])) for name in ("one", "two")]
        driving.executor.cancel()
        driving.all_end()

        assert have_ended(pidfds)
        assert {Interrupted} == {type(ends[0]) for ends in driving.ends.values()}
        assert driving.ended_once()


@pytest.mark.contract("W10")
def test_sigterm_to_a_worker_ends_no_cell() -> None:
    """What a batch system signals to every process: cells that were put off begin again."""
    with drive(workers=1) as driving:
        spec = task("terminate_self")
        attempts = driving.give(spec, [(i == 2,) for i in range(8)])
        driving.all_end()

        assert all(isinstance(driving.ends[attempt][0], Done) for attempt in attempts)
        assert driving.ended_once()


@pytest.mark.contract("F10")
def test_large_messages_from_two_workers_at_once() -> None:
    """A hundred megabytes each way, and small cells besides."""
    with drive() as driving:
        up = driving.give(task("size"), [(bytes(50_000_000),), (bytes(50_000_000),)])
        down = [driving.give(task("blow_up"), [(50_000_000,)])[0] for _ in range(2)]
        small = driving.run(task("double"), [(i,) for i in range(100)])
        driving.all_end()

        assert [50_000_000] * 2 == driving.values(up)
        assert [50_000_000] * 2 == [len(bytes(value)) for value in driving.values(down)]  # type: ignore[call-overload]
        assert [2 * i for i in range(100)] == driving.values(small)


@pytest.mark.contract("F10", "W4")
def test_a_worker_that_writes_while_it_is_written_to() -> None:
    """The next message is under way while a result comes back, both larger than what a socket holds."""
    with drive(workers=1) as driving:
        driving.run(same := task("same"), [(b"small",)] * 3)  # they are known to be short: two messages are in flight
        attempts = [driving.give(same, [(bytes(10_000_000),)])[0] for _ in range(4)]
        driving.all_end()

        assert [10_000_000] * 4 == [len(bytes(value)) for value in driving.values(attempts)]  # type: ignore[call-overload]


@pytest.mark.contract("W3")
def test_outcome_leaves_while_the_next_cell_of_its_batch_blocks(tmp_path: Path) -> None:
    """Also if the next one was expected to be over in no time."""
    gate, ready = tmp_path / "gate", tmp_path / "ready"
    os.mkfifo(gate)
    with drive(workers=1) as driving:
        spec = task("wait_or_not")
        driving.run(spec, [("", "")] * 200)  # now its cells count as short
        first, blocked = driving.give(spec, [("", ""), (str(gate), str(ready))])
        driving.until(lambda: first in driving.ends)
        before = blocked in driving.ends
        gate.write_bytes(b"go")
        driving.all_end()

        assert not before
        assert driving.ended_once()


def test_what_a_cell_prints_comes_before_its_end_and_is_capped() -> None:
    """Both streams, with the cell that printed; at most 64 KiB of a cell."""
    with drive(workers=1) as driving:
        (few,) = driving.run(task("say"), [("hello", 2)])
        (many,) = driving.run(task("say"), [("x" * 1000, 200)])
        told = {
            (attempt, stream): "".join(p.text for p in driving.printed if (p.attempt, p.stream) == (attempt, stream))
            for attempt, stream in itertools.product((few, many), ("stdout", "stderr"))
        }

    assert ("hello\nhello\n", "hello\n") == (told[few, "stdout"], told[few, "stderr"])
    assert 64 * 1024 <= len(told[many, "stdout"] + told[many, "stderr"]) < 66 * 1024
    assert "left out" in told[many, "stdout"] + told[many, "stderr"]


@pytest.mark.contract("F32")
def test_worker_with_older_code_is_replaced() -> None:
    """A worker of an earlier run that does not have the engine's code runs none of it."""
    with drive(workers=1) as driving:
        (old,) = driving.values(driving.run(task("pid"), [()]))
    with drive(workers=1, workshop="open_forked_before") as driving:
        attempts = driving.run(task("pid", code=stand_in.CODE), [()] * 5)

        assert old not in driving.values(attempts)
        assert driving.ended_once()


@pytest.mark.contract("W8")
def test_a_worker_that_came_too_late_for_a_run_takes_part_in_the_next() -> None:
    """It says that it cannot enter the one that is over, and is heard by one that it can enter."""
    with drive(workers=1) as driving:
        (before,) = driving.values(driving.run(task("pid"), [()]))
    with drive(workers=1, workshop="refuse_workshop"):
        pass  # over before anybody has entered it
    with drive(workers=1) as driving:
        attempts = driving.run(task("pid"), [()] * 5)

        assert {before} == set(driving.values(attempts))


@pytest.mark.contract("F32", "E9")
def test_code_that_a_fresh_worker_does_not_have_fails_its_cells() -> None:
    """CodeChanged, naming node and module; other tasks go on."""
    with drive() as driving:
        changed = driving.run(task("double", code=b"edited since"), [(i,) for i in range(5)])
        others = driving.run(task("double", code=stand_in.CODE), [(i,) for i in range(5)])
        ends = [driving.ends[attempt][0] for attempt in changed]

        assert {"flowcore.errors.CodeChanged"} == {end.failure.type for end in ends if isinstance(end, Failed)}
        assert 5 == len(ends)
        assert [0, 2, 4, 6, 8] == driving.values(others)


def test_room_is_none_when_every_worker_has_its_share(tmp_path: Path) -> None:
    """Cells of unknown length: one a worker, started or not."""
    gates = [tmp_path / "one", tmp_path / "two"]
    with drive() as driving:
        unknown, rooms = task("wait_for"), []
        for gate in gates:
            os.mkfifo(gate)
            rooms.append(driving.executor.room(unknown, 10))
            driving.give(unknown, [(str(gate), f"{gate}.ready")])
        rooms.append(driving.executor.room(unknown, 10))
        for gate in gates:
            driving.until_there(Path(f"{gate}.ready"))
        rooms.append(driving.executor.room(unknown, 10))
        for gate in gates:
            gate.write_bytes(b"go")
        driving.all_end()

        assert [1, 1, 0, 0] == rooms


def test_a_cell_of_two_cores_takes_two_workers(tmp_path: Path) -> None:
    """It waits until that many are idle, and nothing begins beside it; more than there are is all of them."""
    gates = [tmp_path / "narrow", tmp_path / "wide"]
    with drive() as driving:
        narrow, wide, wider = task("wait_for"), task("wait_for", cores=2), task("wait_for", cores=9)
        for gate in gates:
            os.mkfifo(gate)
        rooms = [driving.executor.room(each, 10) for each in (wide, wider)]
        driving.give(narrow, [(str(gates[0]), f"{gates[0]}.ready")])
        driving.until_there(Path(f"{gates[0]}.ready"))
        rooms += [driving.executor.room(each, 10) for each in (wide, wider, narrow)]
        gates[0].write_bytes(b"go")
        driving.all_end()
        driving.give(wide, [(str(gates[1]), f"{gates[1]}.ready")])
        driving.until_there(Path(f"{gates[1]}.ready"))
        rooms += [driving.executor.room(each, 10) for each in (wide, narrow)]
        gates[1].write_bytes(b"go")
        driving.all_end()

    assert [1, 1, 0, 0, 1, 0, 0] == rooms


def test_a_worker_that_is_kept_lets_go_of_the_run_at_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its arrays and files: the next run may begin tomorrow."""
    told = tmp_path / "told"
    os.mkfifo(told)
    monkeypatch.setenv("TOLD", str(told))
    with drive(workers=1, workshop="open_tells_its_end") as driving:
        driving.run(task("double"), [(1,)])
        (worker,) = driving.workers
        pid = worker.pid

    assert str(pid) == told.read_text()
