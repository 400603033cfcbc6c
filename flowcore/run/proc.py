"""The one seam for process calls: start, fork, kill, wait, signals, lifelines.

Owns no state. Everything in `flowcore.run` that starts, ends or watches a process, or
says what a signal does, goes through here, so that a test can let the n-th call fail.
Never forks the user's process: :func:`start_interpreter` execs at once, and
:func:`fork` is called by the launcher alone (contract F14).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

KILL = signal.SIGKILL
CAPS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""Variables by which numerical libraries learn how many threads to start."""

DEVICES = "CUDA_VISIBLE_DEVICES"
"""The variable by which libraries learn which devices they may use."""

MEANT_FOR_CELLS = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP")
"""Signals that batch systems and terminals send to every process, and that end no launcher."""

_PATIENCE = 20.0  # seconds that another program may take for its answer
_LINUX = sys.platform == "linux"
_SET_SIGNAL = 10  # F_SETSIG, Linux: which signal a descriptor sends its owner
_WHOLE_GROUP = 4  # PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9


def start_interpreter(
    code: str, arguments: Sequence[str], *, passing: Sequence[int], stderr: int
) -> subprocess.Popen[bytes]:
    """Start a fresh Python on `code`, in a session of its own, with these descriptors and no others.

    Raises
    ------
    OSError
        If the system has no process, descriptor or memory left for it.
    """
    environ = dict(os.environ) | dict.fromkeys(CAPS, "1")
    # 1. An interpreter is started. 2. A batch system signals every process of its job. 3. The new one would end,
    # since it has not come to say that it ignores the signal. Held back, it waits until that has been said.
    before = hold_back(*MEANT_FOR_CELLS)
    try:
        return subprocess.Popen(
            [sys.executable, *_same_interpreter(), "-c", code, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            close_fds=True,
            pass_fds=tuple(passing),
            start_new_session=True,
            cwd="/",
            env=environ,
        )
    finally:
        let_through(before)


def hold_back(*names: str) -> set[int]:
    """Let these signals wait, for this thread and for what it starts; give what :func:`let_through` needs."""
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, [getattr(signal, name) for name in names]))


def let_through(before: set[int]) -> None:
    """Have signals arrive as before :func:`hold_back`."""
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def answer_of(command: Sequence[str]) -> str:
    """Give what a program writes; empty if it is not there, fails, or takes too long."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=True, text=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout


def _same_interpreter() -> list[str]:
    """Give the options that make a new interpreter read code as this one does."""
    options = ["-P"]  # nothing is imported from the working directory before sys.path is set
    options += ["-O"] * sys.flags.optimize
    options += ["-I"] if sys.flags.isolated else []
    options += ["-s"] if sys.flags.no_user_site else []
    options += ["-E"] if sys.flags.ignore_environment else []
    options += ["-S"] if sys.flags.no_site else []
    options += ["-B"] if sys.flags.dont_write_bytecode else []
    options += ["-X", "utf8"] if sys.flags.utf8_mode else []
    return options + [f"-W{option}" for option in sys.warnoptions]


def fork() -> int:
    """Fork; 0 in the child. Only the launcher, which has one thread, may call this."""
    return os.fork()


def leave(code: int) -> NoReturn:
    """End this process now, without exit handlers: those are the launcher's."""
    os._exit(code)


def close_all_but(*keep: int) -> None:
    """Close every descriptor but the standard ones and these."""
    last = 2
    for descriptor in sorted(keep):
        os.closerange(last + 1, descriptor)
        last = descriptor
    os.closerange(last + 1, os.sysconf("SC_OPEN_MAX"))


def new_session() -> None:
    """Become the leader of a session and a process group of one's own."""
    os.setsid()


def pid() -> int:
    """Give the id of this process."""
    return os.getpid()


def thread_count() -> int:
    """Give the number of threads of this process as the kernel counts them."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


def open_pidfd(process: int) -> int | None:
    """Open a descriptor that is readable once `process` has ended; None where there are none."""
    if not _LINUX:
        return None
    try:
        return os.pidfd_open(process)
    except OSError:
        return None


def ended(pidfd: int) -> bool:
    """Tell whether the process behind `pidfd` has ended."""
    return bool(select.select([pidfd], [], [], 0)[0])


def kill_group(process: int, pidfd: int | None = None) -> None:
    """SIGKILL the process group that `process` leads, and `process` itself; harmless if both are gone.

    With a pidfd the signal cannot reach a later process of the same number. `process`
    is signalled too, since a worker that was forked this instant leads no group yet.
    """
    if process <= 1:  # 0 would mean our own group
        raise ValueError(f"no process of ours: {process}")
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if pidfd is None:
            os.killpg(process, KILL)
        else:
            _signal_group(process, pidfd)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if pidfd is None:
            os.kill(process, KILL)
        else:
            signal.pidfd_send_signal(pidfd, KILL)


def _signal_group(process: int, pidfd: int) -> None:
    try:
        signal.pidfd_send_signal(pidfd, KILL, None, _WHOLE_GROUP)
    except OSError as error:
        if isinstance(error, ProcessLookupError):
            raise
        os.killpg(process, KILL)  # an older kernel does not know the flag


def dead_child() -> int | None:
    """Give a child that has ended and is not reaped yet, without reaping it."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if found is None else found.si_pid


def reap(process: int) -> tuple[int, int]:
    """Reap an ended child: its wait status, and its memory at its highest in bytes."""
    _, status, usage = os.wait4(process, 0)
    return status, usage.ru_maxrss * (1024 if _LINUX else 1)


def describe(status: int | None, *, memory: bool = False) -> str:
    """Say what a wait status means: "signal 9 (SIGKILL)", "exit code 3"; `memory`: for want of it."""
    if status is None:
        return "unknown: its launcher had died and could not report"
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        return "exit code 0 without a result"
    if code > 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "unknown signal"
    likely = ", probably out of memory" if memory else ""
    return f"signal {-code} ({name}){likely}"


def resident(process: int) -> int:
    """Give the bytes of memory `process` occupies now; 0 where this cannot be told."""
    try:
        with open(f"/proc/{process}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def arm_lifeline(lifeline: int) -> bool:
    """Have the kernel kill this process's group when the far end of a pipe closes (contract F3).

    The signal is SIGKILL, sent by the kernel: no thread and no interpreter of ours has to
    run, so a C call that holds the GIL does not delay it, and neither a cell nor a program
    that it started can ignore or block it, as they could SIGIO, which comes by default.
    False where this cannot be had; :func:`attend_lifeline` is the portable form.
    """
    if not _LINUX:
        return False
    try:
        fcntl.fcntl(lifeline, _SET_SIGNAL, KILL)
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    except OSError:
        return False
    # 1. The engine dies. 2. We arm. The signal of step 1 went nowhere, so we look once.
    if select.select([lifeline], [], [], 0)[0]:
        _end_group()
    return True


def attend_lifeline(lifeline: int) -> None:
    """Kill this process's group when the far end of a pipe closes, from a thread."""

    def attend() -> None:
        os.set_blocking(lifeline, True)
        os.read(lifeline, 1)
        _end_group()

    threading.Thread(target=attend, name="flowcore-lifeline", daemon=True).start()


def _end_group() -> NoReturn:
    os.killpg(os.getpgrp(), KILL)
    os._exit(1)


def plain_signals() -> None:
    """Undo what was inherited: no signal is blocked, and children can be waited for."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def ignore_signals(*names: str) -> None:
    """Ignore the signals of these names."""
    for name in names:
        signal.signal(getattr(signal, name), signal.SIG_IGN)


def on_signals(call: Callable[[], None], *names: str) -> None:
    """Call `call` when one of these signals arrives."""
    for name in names:
        signal.signal(getattr(signal, name), lambda *_: call())


def plain_endings() -> None:
    """Have signals that end a process end this one, whatever was said of them before."""
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def wake_on_child(wakeup: int) -> None:
    """Have a byte written to `wakeup` whenever a child ends; -1: no more."""
    signal.signal(signal.SIGCHLD, (lambda *_: None) if wakeup >= 0 else signal.SIG_DFL)
    signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)


def change_directory(path: str) -> None:
    """Make `path` the working directory; a directory that is gone is the cells' own trouble."""
    with contextlib.suppress(OSError):
        os.chdir(path)


def set_environ(wanted: Mapping[str, str]) -> None:
    """Make the environment of this process equal to `wanted`."""
    for name in [name for name in os.environ if name not in wanted]:
        del os.environ[name]
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def open_peak() -> int:
    """Open what takes back this process's memory at its highest; -1 where there is no such thing."""
    try:
        return os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return -1


def forget_peak(file: int) -> bool:
    """Take back this process's memory at its highest; False if that cannot be done."""
    try:
        return file >= 0 and os.pwrite(file, b"5", 0) == 1
    except OSError:
        return False


def close_peak(file: int) -> None:
    """Close what :func:`open_peak` gave."""
    if file >= 0:
        os.close(file)


def peak() -> int:
    """Give this process's memory at its highest, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if _LINUX else 1)


def was_killed(status: int | None) -> bool:
    """Tell whether a wait status is that of a process which SIGKILL ended."""
    return status is not None and os.WIFSIGNALED(status) and os.WTERMSIG(status) == KILL


def set_variable(name: str, value: str | None) -> None:
    """Set a variable of this process's environment; None: remove it."""
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def anonymous_file(name: str, *, size: int = 0) -> int:
    """Make a file in memory that has no name and is closed on exec; the caller closes it."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create(name, os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as unnamed:
            file = os.dup(unnamed.fileno())
    try:
        os.ftruncate(file, size)
    except OSError:
        os.close(file)
        raise
    return file


def log_file() -> int:
    """Make a file without a name on disk that is only appended to, else one in memory."""
    try:
        flags = os.O_TMPFILE | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
        return os.open(tempfile.gettempdir(), flags, 0o600)
    except (OSError, AttributeError):  # no such files in this filesystem or system
        return anonymous_file("flowcore-log")


def tail(file: int, *, lines: int = 20) -> str:
    """Give the last lines of an open file."""
    try:
        size = os.fstat(file).st_size
        text = os.pread(file, 8192, max(0, size - 8192)).decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def free_threaded() -> bool:
    """Tell whether threads of this process compute at the same time, since no lock lets one at a time."""
    enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return not enabled()
