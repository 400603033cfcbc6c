"""What is asked of Slurm for a run, and what is said to sbatch.

Promises: an option is the argument given, else what the table ``[executors.slurm]`` of the
project's options file says, else the default; what is left empty is not asked for, so
that Slurm's own variables (``SBATCH_PARTITION``) and the cluster's defaults count. What
cannot be read is `BadOption`, before anything is asked of Slurm.
"""

from __future__ import annotations

import dataclasses
import math
import shlex
import sys
from collections.abc import Callable, Mapping

from flowcore.amounts import seconds
from flowcore.dataclass import dataclass
from flowcore.errors import BadOption, FlowcoreError, nearest
from flowcore.optionfiles import executor_options
from flowcore.settings import raise_all, whole

# 1. A job of an older Slurm is not told when it ends, so it asks. 2. Slurm's notice goes to the shell alone: the
# pilot takes its place.
_SCRIPT = """\
#!/bin/sh
{setup}
end=$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%e) 2>/dev/null
export SLURM_JOB_END_TIME="${{SLURM_JOB_END_TIME:-$(date --date="$end" +%s 2>/dev/null)}}"
exec {worker} --label "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilots:
    """What is asked of Slurm for one run; text is in Slurm's own words, and empty: as the cluster has it.

    Examples
    --------
    >>> Pilots.of({"time": "4:00:00", "idle": "2 min"}).idle
    120.0
    """

    count: int = 0  # pilots at once; 0: as many as the run has workers
    partition: str = ""
    time: str = ""  # of each pilot, such as "4:00:00"
    account: str = ""
    qos: str = ""
    cpus: int = 1  # of a pilot, and cells that it carries out at once
    memory: str = ""  # of a pilot, such as "4G"
    gpus: str = ""  # of a pilot, such as "a100:1"
    extra: tuple[str, ...] = ()  # what else sbatch is told, such as "--constraint=skylake"
    setup: str = ""  # shell commands before a pilot starts, such as "module load python"
    python: str = sys.executable  # what runs a pilot
    notice: float = 90.0  # seconds before the end of its time at which a pilot has cells save their states
    idle: float = 60.0  # seconds without work after which a pilot ends
    every: float = 20.0  # seconds between two questions of what has become of the pilots
    leave: bool = False  # whether pilots that wait in the queue at the end of the run stay there for the next one

    @classmethod
    def of(cls, options: Mapping[str, object], *, directory: str | None = None) -> Pilots:
        """Read options: argument, else options file at or above `directory`, else default.

        Raises
        ------
        BadOption
            For a name that is no option, or a value that cannot be read; several at once
            come as an ExceptionGroup.
        """
        file = executor_options("slurm", directory)
        values: dict[str, object] = {}
        troubles: list[FlowcoreError] = []
        for origin, given in ((file.origin, file.values), ("", options)):
            for name, value in given.items():
                try:
                    values[name] = _read(name, value)
                except BadOption as trouble:
                    trouble.at = origin
                    troubles.append(trouble)
        raise_all(troubles, "options of Slurm's pilots that cannot be read")
        return cls(**values)  # type: ignore[arg-type]


def _read(name: str, value: object) -> object:
    if name not in _KINDS:
        expected = f"one of {', '.join(_KINDS)}"
        raise BadOption(option=name, found="unknown", expected=expected, near=nearest(name, _KINDS))
    return _READERS[_KINDS[name]](name, value)


def _number(name: str, value: object) -> int:
    return whole(name, value, least=0 if name == "count" else 1)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise BadOption(option=name, found=repr(value), expected="text, as sbatch would have it")
    return value


def _words(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise BadOption(option=name, found=repr(value), expected='a list of options of sbatch, such as ["--exclusive"]')
    return tuple(_text(name, word) for word in value)


def _seconds(name: str, value: object) -> float:
    return seconds(value, option=name)


def _yes_or_no(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise BadOption(option=name, found=repr(value), expected="true or false")
    return value


_READERS: dict[type, Callable[[str, object], object]] = {
    int: _number, str: _text, float: _seconds, tuple: _words, bool: _yes_or_no,
}  # fmt: skip
_KINDS = {field.name: type(field.default) for field in dataclasses.fields(Pilots)}


def sbatch(pilots: Pilots, *, name: str, log: str, folder: str) -> list[str]:
    """Give the command that asks Slurm for pilots, but for their number.

    All stands in the command, nothing in the script: so ``SBATCH_ARRAY_INX`` and its like,
    which the driver may have from a job of its own, do not count.

    Examples
    --------
    >>> sbatch(Pilots(time="1:00:00"), name="flowcore-1", log="/box/%A_%a.log", folder="/box")[-2:]
    ['--cpus-per-task=1', '--time=1:00:00']
    """
    asked = {
        "parsable": None, "job-name": name, "output": log, "open-mode": "append", "chdir": folder, "export": "ALL",
        "no-requeue": None, "signal": f"B:USR1@{math.ceil(pilots.notice)}", "ntasks": 1, "cpus-per-task": pilots.cpus,
        "partition": pilots.partition, "time": pilots.time, "account": pilots.account, "qos": pilots.qos,
        "mem": pilots.memory, "gpus": pilots.gpus,
    }  # fmt: skip
    wanted = [f"--{key}" + ("" if value is None else f"={value}") for key, value in asked.items() if value != ""]
    return ["sbatch", *wanted, *pilots.extra]


def script(pilots: Pilots, box: str) -> str:
    """Write the script of which each pilot is one run."""
    worker = [pilots.python, "-m", "flowcore", "worker", "--spool", box, "--workers", str(pilots.cpus)]
    return _SCRIPT.format(setup=pilots.setup, worker=shlex.join([*worker, "--idle", f"{pilots.idle:g}"]))
