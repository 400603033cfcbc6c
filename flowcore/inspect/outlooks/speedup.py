"""What more workers would bring: the forecast of a run for several numbers of them, as a table.

Owns :class:`Speedup` and :class:`Prospect`, which a plan keeps to answer from. The makespan
with W workers is never less than the work of the compute cells divided by W, nor than the
longest chain of cells (R. L. Graham, "Bounds on multiprocessing timing anomalies", SIAM
Journal on Applied Mathematics 17(2), 1969); which of both is larger is what *binds*. On a
cluster neither is it less than what the driver has to do, nor than what its shared
filesystem has to move. Never runs anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from math import ceil

from flowcore.dataclass import dataclass
from flowcore.declare.site import user_site
from flowcore.errors import BadOption, shorten
from flowcore.inspect.html import escaped, heading, table
from flowcore.inspect.times import duration
from flowcore.plan.cluster import Cluster, forecast_cluster
from flowcore.plan.forecast import Forecast, Load, critical_path, forecast

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128)
_CLOSE = 1.25  # times a bound, within which it is what binds
_LONGEST = 400  # characters of a note
_CHAIN = 6  # nodes of the longest chain that are named


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedupRow:
    """The forecast for one number of workers.

    Attributes
    ----------
    workers : int
    seconds : float
        Wall time.
    speedup : float
        How many times faster than with one worker.
    efficiency : float
        Share of the workers' time in which they compute.
    binds : str
        ``work`` (more workers help), ``critical path`` (none do), or ``waiting``: neither
        is near, and workers often have nothing to do. On a cluster also ``driver`` or
        ``filesystem``, which is then busy nearly all the time.
    messages : int
        That cells travel in, on a cluster.
    driver, filesystem : float
        Seconds that the driver works on cells and messages, and the shared filesystem on their arrays; on a cluster.
    """

    workers: int
    seconds: float
    speedup: float
    efficiency: float
    binds: str
    messages: int = 0
    driver: float = 0.0
    filesystem: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Speedup:
    """What more workers would bring.

    Attributes
    ----------
    flow : str
    rows : tuple of SpeedupRow
    path : tuple of str
        The nodes of the longest chain of cells.
    path_seconds : float
        What that takes: no number of workers makes the run shorter.
    enough : int
        The number of workers from which on the longest chain is the larger bound.
    unknown : tuple of str
        Nodes of which nobody knows how long they take: they count for nothing.
    """

    flow: str
    rows: tuple[SpeedupRow, ...]
    path: tuple[str, ...]
    path_seconds: float
    enough: int
    unknown: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{'workers':>7}  {'wall time':>9}  {'speedup':>7}  {'efficiency':>10}  binds"]
        lines += [
            f"{row.workers:>7}  {duration(row.seconds):>9}  {row.speedup:>7.2f}  {row.efficiency:>10.0%}  {row.binds}"
            for row in self.rows
        ]
        return "\n".join([*lines, *self._notes])

    def to_dict(self) -> dict[str, object]:
        """Give it as plain data."""
        return asdict(self)

    def _repr_html_(self) -> str:
        rows = [
            [str(row.workers), duration(row.seconds), f"{row.speedup:.2f}", f"{row.efficiency:.0%}", row.binds]
            for row in self.rows
        ]
        headings = [">workers", ">wall time", ">speedup", ">efficiency", "binds"]
        notes = "".join(f'<div style="opacity:.7">{escaped(note, _LONGEST)}</div>' for note in self._notes)
        return f"<div>{table(heading(self.flow, 'forecast by workers'), headings, rows)}{notes}</div>"

    @property
    def _notes(self) -> Iterator[str]:
        if self.path:
            shown = " -> ".join(shorten(name, 40) for name in self.path[:_CHAIN])
            more = f" -> ... ({len(self.path)} nodes)" if len(self.path) > _CHAIN else ""
            yield f"critical path: {shown}{more}, {duration(self.path_seconds)}; it binds from {self.enough} workers on"
        if self.unknown:
            more = f" and {len(self.unknown) - _CHAIN} more" if len(self.unknown) > _CHAIN else ""
            yield f"nobody knows how long these take: {', '.join(self.unknown[:_CHAIN])}{more}"


class Prospect:
    """Makes forecasts of one planned run.

    Parameters
    ----------
    loads : sequence of Load
        Each after those that feed it.
    wanted : mapping of int to sequence of int, or None
        The targets, and their cells.
    names : mapping of int to str
        What the nodes are called.
    unknown : tuple of str
        Nodes of which nobody knows how long they take.
    memory : int
        Bytes that cells may need at once on this machine; 0: any number.
    """

    def __init__(
        self, loads: Sequence[Load], wanted: Mapping[int, Sequence[int] | None], names: Mapping[int, str],
        unknown: tuple[str, ...] = (), memory: int = 0,
    ) -> None:  # fmt: skip
        self._loads = loads
        self._wanted = wanted
        self._names = names
        self._known: dict[tuple[int, Cluster | None], Forecast] = {}
        self._memory = memory
        self.unknown = unknown

    def forecast(self, workers: int, cluster: Cluster | None = None) -> Forecast:
        """Say when the run would end on so many workers, of this machine or of a cluster."""
        known = workers, cluster
        if known not in self._known:
            given = self._loads, self._wanted
            self._known[known] = (
                forecast(*given, workers=workers, memory=self._memory) if cluster is None else
                forecast_cluster(*given, workers=workers, cluster=cluster)
            )  # fmt: skip
        return self._known[known]

    def speedup(self, flow: str, workers: Sequence[int], cluster: Cluster | None = None) -> Speedup:
        """Compare numbers of workers."""
        for count in workers:
            if type(count) is not int or count < 1:
                raise BadOption(option="workers", found=repr(count), expected="whole numbers from 1 on", at=user_site())
        chain, longest = critical_path(self._loads, self._wanted)
        alone = self.forecast(1, cluster)
        return Speedup(
            flow=flow, rows=tuple(_row(self.forecast(count, cluster), alone, longest) for count in workers),
            path=tuple(self._names[node] for node in chain), path_seconds=longest,
            enough=max(1, ceil(alone.process_work / longest)) if longest else 1, unknown=self.unknown,
        )  # fmt: skip


def _row(found: Forecast, alone: Forecast, longest: float) -> SpeedupRow:
    compute, workers = alone.process_work, found.workers
    bounds = {
        "work": compute / workers, "critical path": longest, "driver": found.driver, "filesystem": found.filesystem,
    }  # fmt: skip
    binds = max(bounds, key=bounds.__getitem__)
    return SpeedupRow(
        workers=workers, seconds=found.seconds, speedup=alone.seconds / found.seconds if found.seconds else 1.0,
        efficiency=compute / (workers * found.seconds) if found.seconds else 0.0,
        binds=binds if found.seconds <= _CLOSE * bounds[binds] else "waiting",
        messages=found.messages, driver=found.driver, filesystem=found.filesystem,
    )  # fmt: skip
