"""What a flow and a run have in common for whoever looks at them: a graph, and pictures of it.

Owns :class:`Pictured` and :class:`Picture`. Never looks into a graph itself.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import TYPE_CHECKING

from flowcore.dataclass import dataclass
from flowcore.declare.site import user_site
from flowcore.errors import BadOption
from flowcore.store.handout import hand_out

if TYPE_CHECKING:
    import networkx as nx

FORMATS = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, which notebooks show; ``str(picture)`` is its SVG.

    Attributes
    ----------
    svg : str
    """

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def __str__(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Picture: {len(self.svg)} characters of SVG>"


class Pictured:
    """Something with a graph."""

    __slots__ = ()

    @abstractmethod
    def _network(self, *, cells: bool) -> nx.DiGraph[str]:
        """Give the graph of nodes, or of cells."""

    @property
    def graph(self) -> nx.DiGraph[str]:
        """The nodes and edges as a networkx graph, of a run with how far each came; see :meth:`to_networkx`."""
        return self._network(cells=False)

    def to_networkx(self, *, cells: bool = False) -> nx.DiGraph[str]:
        """Give a ``networkx.DiGraph`` with attributes that JSON takes.

        What a node's attributes are is told in `flowcore.inspect.networks.network`, those of runs in
        `flowcore.inspect.networks.run_network`, those of cells in `flowcore.inspect.networks.cell_network`.

        Parameters
        ----------
        cells : bool
            A node for each cell, called by its id, instead of one for each node of the
            flow. Cells whose axes have a length only in the run are one node together,
            with the attribute ``cells`` None.

        Examples
        --------
        >>> import math
        >>> import flowcore as fc
        >>> flow = fc.Flow("roots")
        >>> root = flow.add(math.sqrt, fc.each(x=[1.0, 4.0]), name="root")
        >>> list(flow.to_networkx()), list(flow.to_networkx(cells=True))
        (['root'], ['root[x=1.0]', 'root[x=4.0]'])
        """
        return self._network(cells=cells)

    def draw(self, path: str | os.PathLike[str] | None = None) -> Picture:
        """Draw the nodes and what feeds what.

        Of a run, states and times as well. No other program is needed.

        Parameters
        ----------
        path : path, optional
            Where to write it: ``.svg``, ``.dot`` or ``.gv`` (Graphviz), ``.mmd`` (Mermaid).

        Returns
        -------
        Picture
            Notebooks show it.

        Raises
        ------
        BadOption
            If the path ends in nothing of these.

        Examples
        --------
        >>> import math
        >>> import flowcore as fc
        >>> flow = fc.Flow("roots")
        >>> root = flow.add(math.sqrt, 2.0, name="root")
        >>> str(flow.draw())[:4]
        '<svg'
        """
        from flowcore.inspect.pictures.draw import picture  # most flows are not looked at

        form = "" if path is None else _format(path)
        drawn = Picture(picture(self.graph))
        if path is not None:
            hand_out(path, {"svg": drawn.svg, "dot": self.to_dot(), "mermaid": self.to_mermaid()}[form])
        return drawn

    def to_dot(self) -> str:
        """Give the graph in the language of Graphviz.

        Examples
        --------
        >>> import math
        >>> import flowcore as fc
        >>> flow = fc.Flow("roots")
        >>> root = flow.add(math.sqrt, 2.0, name="root")
        >>> print(flow.to_dot().splitlines()[0])
        digraph "roots" {
        """
        from flowcore.inspect.pictures.dot import dot  # as above

        return "\n".join(dot(self.graph)) + "\n"

    def to_mermaid(self) -> str:
        """Give the graph in the language of Mermaid, which many wikis and code hosts draw.

        Examples
        --------
        >>> import math
        >>> import flowcore as fc
        >>> flow = fc.Flow("roots")
        >>> root = flow.add(math.sqrt, 2.0, name="root")
        >>> print(flow.to_mermaid().splitlines()[0])
        flowchart TD
        """
        from flowcore.inspect.pictures.mermaid import mermaid  # as above

        return "\n".join(mermaid(self.graph)) + "\n"


def _format(path: str | os.PathLike[str]) -> str:
    ending = os.path.splitext(os.fspath(path))[1].lower()
    if ending not in FORMATS:
        raise BadOption(option="path", found=repr(os.fspath(path)), expected=f"one that ends in {', '.join(FORMATS)}",
                        at=user_site())  # fmt: skip
    return FORMATS[ending]
