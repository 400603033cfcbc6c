"""What a run tells of itself once it is looked at: the part that live and recorded runs share.

Owns the methods, and nothing of what they give: those rooms, and numpy with them, are
imported by whoever looks.
"""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from flowcore.errors import BadOption
from flowcore.store.handout import hand_out

if TYPE_CHECKING:
    import networkx as nx

    from flowcore.inspect.failures import FailedCell
    from flowcore.inspect.recordings.recorded import Recorded
    from flowcore.inspect.timing.critical import CriticalPath
    from flowcore.inspect.timing.timeline import Timeline


Format: TypeAlias = Literal["chrome", "wfformat", "rocrate"]


class _Read(Protocol):
    @property
    def seconds(self) -> float: ...
    @property
    def graph(self) -> nx.DiGraph[str]: ...
    @property
    def failures(self) -> tuple[FailedCell, ...]: ...
    @property
    def _now(self) -> Recorded: ...


class Inspected:
    """A run that can be looked at, by its journal."""

    __slots__ = ()

    def timeline(self: _Read) -> Timeline:
        """Give when which cell ran where, how busy workers were, and what cells waited for.

        From the journal alone, so of a run that goes on it is as of now. What runs at this
        moment is not in it: a cell is written down when it ends.

        Examples
        --------
        >>> import flowcore as fc
        >>> with fc.Flow("sums") as flow:
        ...     total = flow.add(sum, [1, 2, 3], kind="compute", name="total")
        >>> run = flow.run(store=getfixture("tmp_path"), executor="inline", progress=False)
        >>> [span.cell for span in run.timeline()]
        ['total']
        """
        from flowcore.inspect.timing.timeline import Timeline

        return Timeline(self._now, self.seconds)

    def critical_path(self: _Read) -> CriticalPath:
        """Give the chain of cells that decided how long the run took, and what each waited for."""
        from flowcore.inspect.timing.timeline import Timeline

        return Timeline(self._now, self.seconds).critical_path

    def export(self: _Read, path: str | PathLike[str], *, format: Format) -> None:  # noqa: A002 - as in the command
        """Write the run for other programs.

        Parameters
        ----------
        path : path
            Where to write it; for an RO-Crate a folder, made if need be.
        format : {"chrome", "wfformat", "rocrate"}
            A trace for Perfetto and chrome://tracing; an instance for WfCommons, whose tasks are
            cells; a Workflow Run RO-Crate in the Provenance Run Crate profile.

        Raises
        ------
        ValueError
            If the format asks for a cell with a value at least, and there is none.
        """
        from flowcore.inspect.exports.rocrate import write_rocrate
        from flowcore.inspect.exports.wfformat import write_wfformat
        from flowcore.inspect.timing.timeline import Timeline

        timeline = Timeline(self._now, self.seconds)
        match format:
            case "chrome":
                timeline.to_chrome(path)
            case "wfformat":
                write_wfformat(self._now, timeline, path)
            case "rocrate":
                write_rocrate(self._now, timeline, self.graph, path)
            case _:
                raise BadOption(option="format", found=repr(format), expected="chrome, wfformat or rocrate")

    def report(self: _Read, path: str | PathLike[str]) -> str:
        """Write the run as one page of HTML, to be looked at in any browser; give its path.

        The graph, what each node was made of and gave, the timeline, what failed and why, and
        where the time went. The page needs no network, and loads nothing. Of a run that goes
        on it is as of now.

        Parameters
        ----------
        path : path
            Where to write it; what is there is replaced.

        Examples
        --------
        >>> import flowcore as fc
        >>> with fc.Flow("sums") as flow:
        ...     total = flow.add(sum, [1, 2, 3], kind="compute", name="total")
        >>> folder = getfixture("tmp_path")
        >>> run = flow.run(store=folder / "store", executor="inline", progress=False)
        >>> run.report(folder / "run.html").endswith("run.html")
        True
        """
        from flowcore.inspect.report.page import page

        return hand_out(path, page(self._now, seconds=self.seconds, graph=self.graph, failures=self.failures))
