"""What is asked of Slurm for a run: options, where they come from, and the script that they make.

Owns: :class:`PilotOptions`, :class:`Pilots` and :func:`batch_script`.
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
from collections.abc import Callable, Sequence
from typing import TypedDict, Unpack, cast

from flowcore.dataclass import dataclass
from flowcore.errors import BadOption, FlowcoreError, nearest
from flowcore.optionfiles import executor_options
from flowcore.settings import raise_all, seconds, whole


class PilotOptions(TypedDict, total=False):
    """The options of :func:`flowcore_slurm.pilots`; :class:`Pilots` says what each of them means."""

    count: int
    partition: str
    time: str
    account: str
    qos: str
    cpus: int
    memory: str
    gpus: str
    lines: Sequence[str]
    setup: str
    python: str
    notice: float | str
    idle: float | str
    every: float | str
    leave: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilots:
    """What is asked of Slurm for one run.

    Attributes
    ----------
    count : int
        Pilots at once; 0: as many as the run has workers.
    partition, time, account, qos : str
        In Slurm's own words, such as ``time="4:00:00"``; empty: as the cluster has it.
    cpus : int
        CPUs of a pilot.
    memory, gpus : str
        Of a pilot, in Slurm's own words, such as ``memory="4G"``, ``gpus="a100:1"``.
    lines : tuple of str
        What else goes to sbatch, such as ``"--constraint=skylake"``.
    setup : str
        Shell commands before a pilot starts, such as ``"module load python"``.
    python : str
        What runs a pilot; by default the Python that runs the driver.
    notice : float
        Seconds before the end of its time at which a pilot saves what runs and hands the rest back.
    idle : float
        Seconds without work after which a pilot ends.
    every : float
        Seconds between two questions of what has become of the pilots.
    leave : bool
        Whether pilots that wait in Slurm's queue at the end of the run stay there for the next one.
    """

    count: int = 0
    partition: str = ""
    time: str = ""
    account: str = ""
    qos: str = ""
    cpus: int = 1
    memory: str = ""
    gpus: str = ""
    lines: tuple[str, ...] = ()
    setup: str = ""
    python: str = sys.executable
    notice: float = 90.0
    idle: float = 60.0
    every: float = 20.0
    leave: bool = False

    @classmethod
    def of(cls, *, directory: str | None = None, **options: Unpack[PilotOptions]) -> Pilots:
        """Read options: argument, else options file at or above `directory`, else default.

        Raises
        ------
        BadOption
            For a name that is no option, or a value that cannot be read; several at once
            come as an ExceptionGroup.

        Examples
        --------
        >>> Pilots.of(time="4:00:00", idle="2 min").idle
        120.0
        """
        file = executor_options("slurm", directory)
        values: dict[str, object] = {}
        troubles: list[FlowcoreError] = []
        for origin, given in ((file.origin, file.values), ("", cast(dict[str, object], options))):
            for name, value in given.items():
                try:
                    values[name] = _read(name, value)
                except BadOption as trouble:
                    trouble.at = origin
                    troubles.append(trouble)
        raise_all(troubles, "options of Slurm's pilots that cannot be read")
        return cls(**values)  # type: ignore[arg-type]


def _read(name: str, value: object) -> object:
    if name not in _READERS:
        expected = f"one of {', '.join(_READERS)}"
        raise BadOption(option=name, found="unknown", expected=expected, near=nearest(name, _READERS))
    return _READERS[name](name, value)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or ("\n" in value and name != "setup"):
        raise BadOption(option=name, found=repr(value), expected="text, as sbatch would have it")
    return value


def _lines(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise BadOption(option=name, found=repr(value), expected='a list of options of sbatch, such as ["--exclusive"]')
    return tuple(_text(name, line) for line in value)


def _yes_or_no(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise BadOption(option=name, found=repr(value), expected="true or false")
    return value


def _seconds(name: str, value: object) -> float:
    return seconds(value, option=name)


def _cpus(name: str, value: object) -> int:
    return whole(name, value, least=1)


_BY_TYPE: dict[type, Callable[[str, object], object]] = {
    int: whole, str: _text, float: _seconds, tuple: _lines, bool: _yes_or_no,
}  # fmt: skip
_READERS: dict[str, Callable[[str, object], object]] = {
    field.name: _BY_TYPE[type(field.default)] for field in dataclasses.fields(Pilots)
} | {"cpus": _cpus}


def batch_script(pilots: Pilots, *, name: str, log: str, worker: Sequence[str]) -> str:
    """Write the script of which each pilot is one run.

    Parameters
    ----------
    pilots : Pilots
        What is asked for.
    name : str
        Of the job, by which its pilots are found again.
    log : str
        File that a pilot writes to, as sbatch has it: ``%A_%a`` stands for the pilot.
    worker : sequence of str
        Arguments of `flowcore worker`, but for the label that tells whose pilot it is.

    Examples
    --------
    >>> print(batch_script(Pilots(time="1:00:00", python="py"), name="f", log="/x", worker=["--spool", "/a b"]))
    #!/bin/sh
    #SBATCH --job-name=f
    #SBATCH --output=/x
    #SBATCH --no-requeue
    #SBATCH --open-mode=append
    #SBATCH --signal=B:USR1@90
    #SBATCH --ntasks=1
    #SBATCH --cpus-per-task=1
    #SBATCH --time=1:00:00
    exec py -m flowcore worker --spool '/a b' --label "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
    <BLANKLINE>
    """
    asked = {
        "job-name": name, "output": log, "no-requeue": None, "open-mode": "append",
        "signal": f"B:USR1@{math.ceil(pilots.notice)}", "ntasks": 1, "cpus-per-task": pilots.cpus,
        "partition": pilots.partition, "time": pilots.time, "account": pilots.account, "qos": pilots.qos,
        "mem": pilots.memory, "gpus": pilots.gpus,
    }  # fmt: skip
    wanted = [f"--{key}" + ("" if value is None else f"={value}") for key, value in asked.items() if value != ""]
    # `exec`: Slurm's notice goes to the shell alone, and that is the pilot then.
    start = shlex.join([pilots.python, "-m", "flowcore", "worker", *worker])
    return "\n".join([
        "#!/bin/sh",
        *(f"#SBATCH {line}" for line in [*wanted, *pilots.lines]),
        *([pilots.setup] if pilots.setup else []),
        f'exec {start} --label "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"',
    ]) + "\n"  # fmt: skip
