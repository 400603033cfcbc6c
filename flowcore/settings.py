"""Every option of a run, once.

Owns: :class:`Settings`, the one record of a run's options; where each of them came
from.
Promises: an option is the argument given, else the variable ``FLOWCORE_<NAME>``, else
what the nearest options file says (`optionfiles.py`), else the default as of now; what
cannot be read, and a name that is no option, is :class:`~flowcore.errors.BadOption`,
all of it at once.
Codecs that an option names are known in this process from then on.
Never: reads the environment but for variables of that prefix, and the end of a batch job.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Literal, TypedDict, cast, get_args

from flowcore import clock, plugins
from flowcore.amounts import seconds, size
from flowcore.dataclass import dataclass
from flowcore.errors import BadOption, FlowcoreError, nearest
from flowcore.events import Observer
from flowcore.machine import default_memory, default_workers
from flowcore.optionfiles import EXECUTORS, FileOptions, nearest_options

OnError = Literal["stop", "continue", "cancel"]
Resume = Literal["own", "adopt", "discard"]

_PREFIX = "FLOWCORE_"
_BATCH_END = "SLURM_JOB_END_TIME"  # seconds since 1970


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
    progress: bool | str | Observer | None
    codecs: Sequence[str] | str | None


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
    progress : bool, Observer or str, optional
        Whether to show progress, or who is told of it: an observer, or the name of one that is
        installed; None: as the terminal permits.
    codecs : sequence of str
        Names of installed codecs that values are kept and read with, or one text with commas.
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
    codecs: tuple[str, ...] = ()
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
        plugins.invite(cast("tuple[str, ...]", values.get("codecs", ())))
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
        yes_or_no = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(value.lower())
        value = plugins.observer(value) if yes_or_no is None else yes_or_no
    if isinstance(value, type) or not isinstance(value, bool | Observer):
        raise BadOption(option=name, found=repr(value), expected="True, False, an Observer, or an installed one's name")
    return value


def _codecs(name: str, value: object) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) and part.strip() for part in parts):
        raise BadOption(option=name, found=repr(value), expected='names of installed codecs, such as ["units"]')
    return tuple(part.strip() for part in parts)


_READERS: dict[str, Callable[[str, object], object]] = {
    "workers": _workers, "store": _store, "executor": _as_is, "on_error": _on_error, "seed": whole,
    "given": _given, "refresh": _as_is, "trust": _as_is, "resume": _resume,
    "walltime": _walltime, "memory": _memory, "progress": _progress,
    "codecs": _codecs,
}  # fmt: skip
_FROM_OUTSIDE = frozenset(
    {"workers", "store", "executor", "on_error", "seed", "walltime", "memory", "progress", "codecs"}
)

OPTION_NAMES = tuple(f.name for f in dataclasses.fields(Settings) if f.name != "origins")
