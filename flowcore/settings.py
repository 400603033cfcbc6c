"""Every option of a run, once, and how durations and sizes are read.

Owns: :class:`Settings`, the one record of a run's options; where each of them came
from; :func:`seconds` and :func:`size`.
Promises: an option is the argument given, else the variable ``FLOWCORE_<NAME>``, else
what the nearest options file says (`optionfiles.py`), else the default as of now; what
cannot be read, and a name that is no option, is :class:`~flowcore.errors.BadOption`,
all of it at once.
Never: reads the environment but for variables of that prefix, and the end of a batch job.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Literal, TypedDict, cast, get_args

from flowcore import clock
from flowcore.dataclass import dataclass
from flowcore.errors import BadOption, FlowcoreError, nearest
from flowcore.events import Observer
from flowcore.machine import default_memory, default_workers
from flowcore.optionfiles import EXECUTORS, FileOptions, nearest_options

OnError = Literal["stop", "continue", "cancel"]
Resume = Literal["own", "adopt", "discard"]

_PREFIX = "FLOWCORE_"
_BATCH_END = "SLURM_JOB_END_TIME"  # seconds since 1970

_PART = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?|\.[0-9]+)\s*([a-zµ]*)\s*", re.IGNORECASE)
_SECONDS = {
    1e-6: ("us", "µs", "microsecond", "microseconds"), 1e-3: ("ms", "millisecond", "milliseconds"),
    1.0: ("s", "sec", "secs", "second", "seconds"), 60.0: ("m", "min", "mins", "minute", "minutes"),
    3600.0: ("h", "hr", "hour", "hours"), 86400.0: ("d", "day", "days"), 604800.0: ("w", "week", "weeks"),
}  # fmt: skip
_DURATIONS = {name: factor for factor, names in _SECONDS.items() for name in names}
_SIZES = {"b": 1, "byte": 1, "bytes": 1} | {
    letter + ending: base**power
    for power, letter in enumerate("kmgtp", start=1)
    for ending, base in (("b", 1000), ("ib", 1024))
}


def seconds(value: object, *, option: str = "duration") -> float:
    """Read a duration: a number of seconds, or text with units.

    Raises
    ------
    BadOption
        If it cannot be read, or is negative or not finite.

    Examples
    --------
    >>> seconds("90s"), seconds("2 min"), seconds("1 day"), seconds("1h 30min"), seconds(0.5)
    (90.0, 120.0, 86400.0, 5400.0, 0.5)
    """
    expected = 'seconds as a number, or text such as "90s", "2 min", "1 day"'
    return _amount(value, _DURATIONS, option=option, expected=expected)


def size(value: object, *, option: str = "size") -> int:
    """Read a size: a number of bytes, or text with a unit.

    ``kB, MB, GB`` count in thousands, ``KiB, MiB, GiB`` in 1024.

    Raises
    ------
    BadOption
        If it cannot be read, or is negative or not finite.

    Examples
    --------
    >>> size("4 GiB"), size("1.5 kB"), size(512)
    (4294967296, 1500, 512)
    """
    expected = 'bytes as a number, or text such as "500 MB", "4 GiB"'
    return round(_amount(value, _SIZES, option=option, expected=expected))


def _amount(value: object, units: Mapping[str, float], *, option: str, expected: str) -> float:
    if isinstance(value, str):
        amount = _parsed(value, units)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        amount = float(value)
    else:
        amount = math.nan
    if not math.isfinite(amount) or amount < 0:
        raise BadOption(option=option, found=repr(value), expected=expected)
    return amount


def _parsed(text: str, units: Mapping[str, float]) -> float:
    """Sum up the parts of `text`, such as ``1h 30min``; nan if it cannot be read."""
    total, position, parts = 0.0, 0, 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None:
            return math.nan
        number, unit = match.groups()
        factor = units.get(unit.lower())
        if unit == "":  # a bare number, if it is all there is
            factor = 1.0 if parts == 0 and match.end() == len(text) else None
        if factor is None:
            return math.nan
        total, position, parts = total + float(number) * factor, match.end(), parts + 1
    return total if parts else math.nan


class RunOptions(TypedDict, total=False):
    """The options of ``run``, ``start`` and ``arun``, for ``**options: Unpack[RunOptions]``."""

    workers: int | None
    store: object
    executor: object
    on_error: OnError | None
    seed: int | None
    given: Mapping[object, object] | None
    refresh: object
    trust: object
    resume: Resume | None
    walltime: float | str | None
    memory: int | str | None
    progress: bool | Observer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All options of one run.

    Parameters
    ----------
    workers : int
        Cells that may run at once in processes; by default the cores this process may use.
    store : path or open store
        Where results are kept.
    executor : str or executor, optional
        What carries out the cells that would go to processes: ``"thread"``, ``"inline"``,
        the name of a plugin, a ``concurrent.futures.Executor``, or what makes an executor
        (see `flowcore.run.executors.protocol`). ``"module:name"`` is imported; a class of
        ``concurrent.futures``, such as ``"loky:ProcessPoolExecutor"``, is opened for the run.
    on_error : {"stop", "continue", "cancel"}
        What becomes of the rest of the run when a cell fails.
    seed : int
        Of all random streams of the run.
    given : mapping
        Node, or its name, to the value that is used in its place.
    refresh : bool, node, str, or sequence of them
        What is computed anew although the store has it: everything (True), or these nodes,
        names and cell ids. The new results take the place of the old ones.
    trust : bool, node, str, or sequence of them
        Nodes whose results of older code are used in this run although their code has
        changed since, as long as nothing else has.
    resume : {"own", "adopt", "discard"}
        What becomes of the saved states of interrupted cells whose code or arguments are others
        now: they are left alone; gone on from, since the user vouches for that; or removed.
    walltime : float or str, optional
        Seconds that this process has from the run's start on. Shortly before that the run stops
        as Ctrl-C stops it, so that loops save their states; by default the end that the
        batch system gives (``SLURM_JOB_END_TIME``).
    memory : int or str, optional
        Bytes that cells may have together; what does not fit beside the others waits. By default
        80 % of what the machine, or the control group, gives.
    progress : bool or Observer, optional
        Whether to show progress, or who is told of it; None: as the terminal permits.
    origins : mapping
        Option to where it came from: ``"argument"``, the variable's name, the options
        file, or ``"default"``.

    Examples
    --------
    >>> settings = Settings.of(workers=4, environment={"FLOWCORE_SEED": "7"})
    >>> settings.workers, settings.seed, settings.origins["seed"]
    (4, 7, 'FLOWCORE_SEED')
    """

    workers: int = 1
    store: object = ".flowcore"
    executor: object = None
    on_error: OnError = "stop"
    seed: int = 0
    given: Mapping[object, object] = field(default_factory=dict)
    refresh: object = False
    trust: object = False
    resume: Resume = "own"
    walltime: float | None = None
    memory: int = 0  # 0: as much as there is by default
    progress: bool | Observer | None = None
    origins: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, *, environment: Mapping[str, str] | None = None, directory: str | None = None, **options: object
    ) -> Settings:
        """Read a run's options: argument, else ``FLOWCORE_*``, else options file, else default.

        Parameters
        ----------
        environment : mapping, optional
            Variables; by default those of this process.
        directory : str, optional
            Where the search for an options file begins; by default the working directory.
        **options
            The arguments; None stands for one that is not given.

        Raises
        ------
        BadOption
            For a name that is no option, or a value that cannot be read; several at
            once come as an ExceptionGroup.
        """
        variables = os.environ if environment is None else environment
        file = nearest_options(directory)
        troubles: list[FlowcoreError] = [_unknown(name) for name in options if name not in _READERS]
        troubles += _unknown_outside(variables, file)
        values: dict[str, object] = {}
        origins: dict[str, str] = {}
        for name, reader in _READERS.items():
            value, origins[name] = _found(name, options, variables, file)
            if value is None:
                continue
            try:
                values[name] = reader(name, value)
            except BadOption as trouble:
                trouble.at = "" if origins[name] == "argument" else origins[name]
                troubles.append(trouble)
        raise_all(troubles, "options of a run that cannot be read")
        if origins["walltime"] == "default" and (left := _left_in_batch(variables)) is not None:
            values["walltime"], origins["walltime"] = left, _BATCH_END
        for name, default in (("workers", default_workers), ("memory", default_memory)):
            if name not in values:
                values[name] = default()
        return cls(origins=origins, **cast("RunOptions", values))  # type: ignore[arg-type]


def _found(
    name: str, options: Mapping[str, object], variables: Mapping[str, str], file: FileOptions
) -> tuple[object, str]:
    """Give the value of an option, None for its default, and where it comes from."""
    if options.get(name) is not None:
        return options[name], "argument"
    if name in _FROM_OUTSIDE:
        variable = f"{_PREFIX}{name.upper()}"
        if variables.get(variable):
            return variables[variable], variable
        value = file.values.get(name)
        if name == "store" and isinstance(value, str):
            value = os.path.join(file.directory, value)
        if value is not None:
            return value, file.origin
    return None, "default"


def unknown_variables(variables: Mapping[str, str] | None = None) -> list[str]:
    """Name the variables that start as ours do, and are no option.

    Examples
    --------
    >>> unknown_variables({"FLOWCORE_SEED": "1", "FLOWCORE_WROKERS": "2", "HOME": "/"})
    ['FLOWCORE_WROKERS']
    """
    variables = os.environ if variables is None else variables
    known = {f"{_PREFIX}{name.upper()}" for name in _FROM_OUTSIDE}
    return sorted(name for name in variables if name.startswith(_PREFIX) and name not in known)


def _unknown_outside(variables: Mapping[str, str], file: FileOptions) -> list[FlowcoreError]:
    """Find names in variables and file that are no option.

    A variable counts only if it looks like one of ours written wrongly: who else uses
    the prefix, a plugin or a task's `tracks=`, is not our affair.
    """
    known, found = sorted(_FROM_OUTSIDE), list[FlowcoreError]()
    for name in unknown_variables(variables):
        near = tuple(difflib.get_close_matches(name.removeprefix(_PREFIX).lower(), known, n=1, cutoff=0.75))
        if near:
            suggested = tuple(f"{_PREFIX}{option.upper()}" for option in near)
            found.append(
                BadOption(option=name, found="unknown", expected="an option of a run", near=suggested, at="environment")
            )
    for name in file.values:
        if name not in _FROM_OUTSIDE and name != EXECUTORS:  # what is in there, plugins read
            found.append(
                BadOption(
                    option=name, found="unknown", expected=f"one of {', '.join(known)}", near=nearest(name, known),
                    at=file.origin,
                )
            )  # fmt: skip
    return found


def raise_all(troubles: Iterable[FlowcoreError], title: str) -> None:
    """Raise one error as it is, several as one group, none not at all."""
    found = list(troubles)
    if len(found) == 1:
        raise found[0]
    if found:
        raise ExceptionGroup(title, found)


def _unknown(name: str) -> BadOption:
    return BadOption(
        option=name, found="unknown", expected=f"one of {', '.join(_READERS)}", near=nearest(name, _READERS)
    )


def whole(name: str, value: object, *, least: int = 0) -> int:
    """Read a whole number of at least `least`, or the text of one."""
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadOption(option=name, found=repr(value), expected=f"a whole number, {least} or more")
    return value


def _workers(name: str, value: object) -> int:
    return whole(name, value, least=1)


def _on_error(name: str, value: object) -> object:
    if value not in get_args(OnError):
        raise BadOption(option=name, found=repr(value), expected='"stop", "continue" or "cancel"')
    return value


def _given(name: str, value: object) -> object:
    if not isinstance(value, Mapping):
        raise BadOption(option=name, found=f"a {type(value).__name__}", expected="a dict from node or name to value")
    return value


def _store(name: str, value: object) -> object:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _as_is(name: str, value: object) -> object:
    return value


def _resume(name: str, value: object) -> object:
    if value not in get_args(Resume):
        raise BadOption(option=name, found=repr(value), expected='"own", "adopt" or "discard"')
    return value


def _walltime(name: str, value: object) -> object:
    return seconds(value, option=name)


def _memory(name: str, value: object) -> object:
    amount = size(value, option=name)
    if amount == 0:
        raise BadOption(option=name, found=repr(value), expected='more than nothing, such as "8 GiB"')
    return amount


def _left_in_batch(variables: Mapping[str, str]) -> float | None:
    """Give the seconds until the batch system ends this job; None if it does not say, or that is past."""
    end = variables.get(_BATCH_END, "")
    left = float(end) - clock.wall() if end.isdecimal() else 0.0
    return left if left > 0.0 else None


def _progress(name: str, value: object) -> object:
    if isinstance(value, str):
        value = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(value.lower())
    if not isinstance(value, bool | Observer):
        raise BadOption(option=name, found=repr(value), expected="True, False or an Observer")
    return value


_READERS: dict[str, Callable[[str, object], object]] = {
    "workers": _workers, "store": _store, "executor": _as_is, "on_error": _on_error, "seed": whole,
    "given": _given, "refresh": _as_is, "trust": _as_is, "resume": _resume,
    "walltime": _walltime, "memory": _memory, "progress": _progress,
}  # fmt: skip
_FROM_OUTSIDE = frozenset({"workers", "store", "executor", "on_error", "seed", "walltime", "memory", "progress"})

OPTION_NAMES = tuple(f.name for f in dataclasses.fields(Settings) if f.name != "origins")
