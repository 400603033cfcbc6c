"""What the rules allow. A new line here gives its reason."""

from __future__ import annotations

import re

from tests.house.rules import Seam

FLOORS = (
    {
        "flowcore.dataclass",
        "flowcore.errors",
        "flowcore.amounts",
        "flowcore.doubts",
        "flowcore.events",
        "flowcore.settings",
        "flowcore.optionfiles",
        "flowcore.plugins",
        "flowcore.clock",
        "flowcore.collector",
        "flowcore.resuming",
        "flowcore.growing",
        "flowcore.offering",
        "flowcore.notices",
        "flowcore.machine",
    },
    {"flowcore.declare"},
    {"flowcore.plan"},
    {"flowcore.store"},
    {"flowcore.run"},
    {"flowcore.inspect", "flowcore.progress"},
    {
        "flowcore.result",
        "flowcore.grid",
        "flowcore.gridforms",
        "flowcore.history",
        "flowcore.comparison",
        "flowcore.recompute",
        "flowcore.replay",
        "flowcore.catching",
        "flowcore.targets",
        "flowcore.overrule",
        "flowcore.outlook",
        "flowcore.executor",
        "flowcore.decorators",
    }
    | {"flowcore.flow", "flowcore.flowfunction"},
    {"flowcore.ui"},
    {"flowcore.testing"},
    {"flowcore.cli", "flowcore.__main__", "flowcore.pytest_plugin"},
    {"flowcore"},  # the shop-window: nobody imports it
)

# Inside the run package: what crosses a border below the side that does the work, below the side that hands it out.
ORDERS = (
    (
        {"flowcore.run.job"},
        {"flowcore.run.inbox", "flowcore.run.executors.protocol"},
        {"flowcore.run.pool", "flowcore.run.executors"},
        {"flowcore.run.engine"},
    ),
    (
        {"flowcore.run.job"},
        {"flowcore.run.perform"},
        {"flowcore.run.workers.worker", "flowcore.run.launcher"},
        {"flowcore.run.pool"},
    ),
)

# Who may import a heavy library at all ...
OWNERS = {
    "numpy": {
        "flowcore.declare.alone",  # series of a loop that nobody keeps
        "flowcore.declare.shared",  # where the arrays of a state lie
        "flowcore.plan",
        "flowcore.store",
        "flowcore.run",
        "flowcore.inspect",
        "flowcore.result",
        "flowcore.grid",
        "flowcore.gridforms",
        "flowcore.testing",
    },
    "networkx": {"flowcore.inspect", "flowcore.flow", "flowcore.history", "flowcore.result"},
    "rich": {"flowcore.progress", "flowcore.cli"},
    "cloudpickle": {"flowcore.store.pickling", "flowcore.testing.elsewhere"},
    "asyncio": {
        "flowcore.run.executors.event_loop",
        "flowcore.flow",
        "flowcore.replay",
        "flowcore.testing.cells",  # a coroutine that waits
    },
    "msgpack": {"flowcore.plan", "flowcore.store", "flowcore.run"},
    "blake3": {"flowcore.plan", "flowcore.store"},
    "filelock": {"flowcore.store.lock"},
    "loky": set(),
}
# ... and who of these at the top, where importing the room pays for it.
EAGER = {
    "msgpack": {"flowcore.plan", "flowcore.store", "flowcore.run"},
    "blake3": {"flowcore.plan", "flowcore.store"},
    "asyncio": {"flowcore.run.executors.event_loop"},  # this room is itself loaded only for async tasks
}

MAY_WAIT = frozenset({"numpy", "networkx", "rich", "cloudpickle", "asyncio", "filelock", "xarray", "pandas"})
WAITING: dict[str, tuple[set[str], str]] = {
    "flowcore": ({"importlib"}, "paid for by the first public name that is asked for"),
    "flowcore.dataclass": ({"dataclasses"}, "a process of which no class is ever called does without"),
    "flowcore.optionfiles": ({"tomllib"}, "5 ms, and only a project that keeps options in a file has use for it"),
    "flowcore.flow": (
        {"flowcore.result", "flowcore.outlook", "flowcore.overrule", "flowcore.run.workers.foresight"}
        | {"flowcore.inspect.networks.cell_network", "flowcore.inspect.pictures.draw"},
        "a flow is drawn, and shown, without anything that runs or judges it, or looks at its cells",
    ),
    "flowcore.inspect.causes.earlier": (
        {"flowcore.inspect.recordings.past"},
        "few nodes of few flows need older runs",
    ),
    "flowcore.inspect.pictures.pictured": (
        {"flowcore.inspect.pictures.draw", "flowcore.inspect.pictures.dot", "flowcore.inspect.pictures.mermaid"},
        "most flows and runs are not looked at",
    ),
    "flowcore.inspect.inspected": (
        {
            "flowcore.inspect.timing.timeline",
            "flowcore.inspect.report.page",
            "flowcore.inspect.exports.rocrate",
            "flowcore.inspect.exports.wfformat",
        },
        "a run is looked at by few who hold it",
    ),
    "flowcore.inspect.timing.timeline": ({"flowcore.inspect.exports.chrome"}, "few timelines are exported"),
    "flowcore.inspect.html": ({"html"}, "its table of entities takes 2 ms, and only what is shown needs it"),
    "flowcore.pytest_plugin": ({"flowcore.history"}, "pytest reads it at its start, and not all tests have flows"),
    "flowcore.plugins": ({"importlib.metadata"}, "15 ms, with email and zipfile, and few runs name a plugin"),
    "flowcore.replay": ({"concurrent.futures"}, "10 ms, for a coroutine in a notebook"),
    "flowcore.history": ({"flowcore.replay"}, "a run is looked at without anything that prepares or calls a task"),
    "flowcore.result": (
        {"flowcore.inspect.recordings.recorded", "flowcore.inspect.networks.run_network", "flowcore.replay"},
        "a run reads its own journal only for who looks at it",
    ),
    "flowcore.run.perform": (
        {"flowcore.run.growing.nursery"},
        "30 rooms that a worker has no use for before a task draws",
    ),
    "flowcore.run.crew": (
        {"flowcore.run.executors.event_loop", "flowcore.run.executors.brought"},
        "asyncio takes 40 ms, and concurrent.futures 10 ms, of what a warm run takes, and few flows have use for them",
    ),
    "flowcore.run.workers.worker": ({"flowcore.run.workers.logs"}, "5 ms, and few scripts set logging up"),
    "flowcore.run.workers.surroundings": ({"flowcore.run.workers.logs"}, "a worker reads it, see there"),
    "flowcore.run.cell.breakpoints": (
        {"pdb", "termios"},
        "20 ms, and few runs are debugged; and not every system has terminals",
    ),
    "flowcore.cli.cache": ({"flowcore.cli.recompute"}, "a store is looked at without anything that runs"),
    "flowcore.declare.task": ({"difflib"}, "4 ms, and only when an error is on its way"),
}

LONG_ROOMS: dict[str, tuple[int, str]] = {
    "flowcore.errors": (680, "a catalogue: one small class an error, and no logic"),
}
LONG_FUNCTIONS: dict[str, tuple[int, str]] = {}
WIDE_FUNCTIONS: dict[str, tuple[int, str]] = {}

# Tests that need what a machine may not have. Each has a twin without that need, at the seam.
EXCUSED: dict[str, tuple[str, str]] = {
    "tests.engines": (r"pytest\.skip", "an engine may not be installed; a ferry made by hand is asked the same"),
    "tests.browsing": (r"pytest\.skip", "a Chromium may not be there; what is on a page is tested without one as well"),
    "tests.plan.test_devicearrays": (
        r"pytest\.importorskip",
        "torch and JAX are 90 MB and more; stand-ins are asked",
    ),
    "tests.plan.test_arrays": (r"pytest\.mark\.skipif", "longdouble has padding on some processors only"),
    "tests.faults.test_leavings": (r"pytest\.mark\.skipif", "only root can act for other users"),
    "tests.store.test_directory": (r"pytest\.mark\.skipif", "permission bits mean nothing to root"),
    "tests.faults.test_crash": (r"pytest\.skip", "strace may not be there; an audit hook is, and sees the same calls"),
    "tests.faults.test_errno": (r"pytest\.skip", "a file system of 1 MiB, and one to read only, take leave to mount"),
    "tests.faults.test_two_hosts": (r"pytest\.skip", "two hosts on one take root and iproute2, and their cluster Dask"),
    "tests.test_hand_over": (r"pytest\.skip", "a shared memory of 4 MiB takes leave to mount"),
    "plugins.flowcore-slurm.tests.conftest": (
        r"pytest\.skip",
        "a Slurm may not be there; its stand-ins are",
    ),
    "tests.executor.test_consumers": (r"pytest\.skip", "Dask may not be installed; asyncio asks for the same protocol"),
    "tests.site.test_gallery": (
        r"pytest\.skip",
        "data of 100 MB is installed by `make gallery`; four scripts need none of it",
    ),
    "tests.store.test_spool": (r"pytest\.(mark\.skipif|skip)", "a file system of 1 MiB takes root, and leave to mount"),
}

_BY_PATH = (
    "open truncate link symlink readlink rename renames replace unlink remove mkdir makedirs rmdir removedirs listdir "
    "scandir walk fwalk stat lstat statvfs access chmod lchmod chown lchown utime mkfifo mknod getxattr setxattr sync"
)
_BY_DESCRIPTOR = (
    "read write pread pwrite preadv pwritev readv writev close closerange dup dup2 fdopen ftruncate fsync fdatasync "
    "posix_fallocate posix_fadvise sendfile copy_file_range fstat fstatvfs fchmod fchown lockf pipe pipe2 memfd_create"
)
_OS_PROCESSES = (
    r"fork\w*|kill|killpg|_exit|abort|exec\w+|posix_spawn\w*|spawn\w+|system|popen|wait\w*|setsid|setpgid|setpgrp"
    r"|pidfd_open|nice|register_at_fork|sched_setaffinity"
)

FILES = Seam(
    home="flowcore.store.fs",
    names=re.compile(
        rf"os\.({_BY_PATH.replace(' ', '|')})|os\.path\.(exists|isfile|isdir|getsize|getmtime|lexists|islink)"
        r"|open|io\.(open|FileIO)|(shutil|glob)\.\w+|tempfile\.(?!gettempdir)\w+"
        r"|numpy\.(load|save|savez\w*|memmap|fromfile|loadtxt|savetxt)"
    ),
    methods=frozenset(
        {"read_text", "read_bytes", "write_text", "write_bytes", "iterdir", "rglob", "hardlink_to", "symlink_to"}
        | {"is_file", "is_dir", "touch", "mkdir", "rmdir", "unlink", "exists", "stat", "lstat", "chmod", "rename"}
    ),
    own=re.compile(r"(?i)disk$"),
    allowed={
        "flowcore.run.pool": (r"os\.path\.lexists", "whether a spool that the launcher guards is still there to guard"),
        "flowcore.run.workers.foresight": (
            r"os\.scandir",
            "whether there is a store at all, before anything is loaded of it",
        ),
        "flowcore.run.workers.edition": (
            r"os\.(listdir|stat)",
            "flowcore's own files, which no store owns: whether they are still those that were imported",
        ),
        "flowcore.run.workers.blas": (
            "open",
            "/proc/self/maps: which BLAS is loaded is asked of the kernel, not of a disk",
        ),
        "flowcore.testing.trial": (
            r"tempfile\.\w+",
            "a check that people run on their own executor has a store of its own",
        ),
        "flowcore.testing.trouble": (r"tempfile\.\w+", "as above, and a place for the mark of a worker that was lost"),
        "flowcore.testing.cells": (r"os\.mkdir", "a cell that ends its process once leaves a mark, as a user's would"),
        "flowcore.testing.resume": (
            r"tempfile\.\w+",
            "a check that people run on their own tasks has stores of its own",
        ),
        "flowcore.testing.kill": (r"tempfile\.\w+", "a check that people run on their own flow has stores of its own"),
        "flowcore.testing.task": (r"tempfile\.\w+", "a check that people run on their own task has stores of its own"),
        "flowcore.testing.keeping": (
            r"tempfile\.\w+",
            "a check that people run on a disk of theirs has a directory of its own there, and removes it",
        ),
        "flowcore.plan.libraries": (
            r"open|os\.(listdir|stat)",
            "a library without version, a user's extension and what a task tracks go by their files (K7, K8, K23)",
        ),
        "flowcore.plan.numeric": (r"numpy\.memmap", "asks whether an array is of this class, and opens nothing"),
        "flowcore.optionfiles": (
            r"open|os\.(open|stat)",
            "reads a project's flowcore.toml or pyproject.toml, which no store owns",
        ),
        "flowcore.cli.conduct": (r"os\.open", "the null device takes what a closed pipe no longer does"),
        "flowcore.cli.doctor": (r"tempfile\.\w+", "what is tried out is tried in a directory of its own"),
        "flowcore.cli.ground": (r"tempfile\.\w+", "what is tried out is tried there, in a directory of its own"),
        "flowcore.machine": (
            r"open|os\.path\.lexists",
            "/sys/fs/cgroup and what containers leave: quotas are asked of the kernel, not of a disk",
        ),
        "flowcore.run.proc": (
            r"open|os\.(open|listdir)|tempfile\.TemporaryFile",
            "/proc, and unnamed files that die with their process: stderr of a worker, and the slot",
        ),
        "flowcore.run.launcher": (
            r"os\.(open|listdir|unlink|rmdir)",
            "sweeps the spool when its engine is gone (F24), and must load nothing of the store to do so",
        ),
    },
)
DESCRIPTORS = Seam(
    home="flowcore.store.fs",
    scope="flowcore.store",  # elsewhere descriptors are pipes and sockets
    names=re.compile(rf"os\.({_BY_DESCRIPTOR.replace(' ', '|')})|mmap\.mmap|fcntl\.\w+"),
    allowed={},
)
CLOCK = Seam(
    home="flowcore.clock",
    names=re.compile(r"time\.\w+|datetime\.datetime\.(now|utcnow|today)|datetime\.date\.today"),
    allowed={},
)
PROCESSES = Seam(
    home="flowcore.run.proc",
    names=re.compile(rf"(subprocess|signal|multiprocessing)\.\w+|os\.({_OS_PROCESSES})"),
    allowed={
        "flowcore.run.workers.launching": (
            r"subprocess\.TimeoutExpired",
            "names what a wait on the launcher may raise",
        ),
        "flowcore.testing.elsewhere": (
            r"subprocess\.(run|PIPE|TimeoutExpired)|signal\.SIGKILL|os\.kill",
            "a run in a process that kills itself is the user's check, and no process of flowcore's own",
        ),
        "flowcore.testing.cells": (
            r"os\.kill|signal\.SIGKILL",
            "a cell that ends its process is what an executor is checked with",
        ),
        "flowcore.run.kept": (
            r"subprocess\.(Popen|PIPE|TimeoutExpired)|os\.killpg|signal\.SIGKILL",
            "a plugin's process, which ends by itself with whoever keeps it; no worker of flowcore's",
        ),
        "flowcore.collector": (r"os\.register_at_fork", "who rested when a user forks does not in the child"),
        "flowcore.run.forked": (r"os\.register_at_fork", "a user's fork must not end the runs of its parent"),
        "flowcore.run.pool": (r"os\.register_at_fork", "a user's fork must not think that it has our workers"),
        "flowcore.run.cell.footprints": (r"signal\.\w+", "what cells have made of signals is put back after them"),
        "flowcore.run.signals": (r"signal\.\w+", "what signals mean to the main thread while it waits for a run"),
    },
)
ENVIRONMENT = Seam(
    home="flowcore.settings",
    names=re.compile(r"os\.(environb?|getenvb?|putenv|unsetenv)(\.\w+)?"),
    allowed={
        "flowcore.plan.tracking": (r"os\.environ\.get", "variables that a task names in `tracks=` enter its key (K23)"),
        "flowcore.run.workers.devices": (
            r"os\.environ\.get",
            "which devices this process may use (CUDA_VISIBLE_DEVICES)",
        ),
        "flowcore.run.cell.breakpoints": (
            r"os\.environ\.get",
            "PYTHONBREAKPOINT, which is Python's own word on breakpoint()",
        ),
        "flowcore.run.workers.blas": (r"os\.environ(\.get)?", "the thread caps of libraries that are not loaded yet"),
        "flowcore.run.cell.footprints": (r"os\.environ", "what cells have made of it is put back after them"),
        "flowcore.run.proc": (
            r"os\.environ(\.get|\.pop)?",
            "a new process's environment, and a worker's",
        ),
        "flowcore.run.workers.surroundings": (r"os\.environ\.items", "a run carries the environment as at its start"),
    },
)
SEAMS = (FILES, DESCRIPTORS, CLOCK, PROCESSES, ENVIRONMENT)
