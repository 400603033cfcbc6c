"""What all works share: sizes, rounds, and the peers that take part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

from tests.bench.graphs import Graph, solve
from tests.bench.peers import ASKED, PEERS, opened
from tests.bench.peers.protocol import Answer, Peer
from tests.bench.rounds import Refused, Samples, alternate

Size = Literal["short", "full"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """How large, how often, with whom.

    Parameters
    ----------
    names : sequence of str
        Peers that take part, flowcore among them.
    """

    size: Size = "full"
    rounds: int = 3
    workers: int = 2
    names: Sequence[str] = tuple(name for name in PEERS if name not in ASKED)

    def pick(self, full: int, short: int) -> int:
        """Give the size of a work."""
        return full if self.size == "full" else short

    def compete(
        self, names: Sequence[str], work: Callable[[str, Peer], float], *, times: int | None = None
    ) -> dict[str, Samples]:
        """Let those of the named peers that take part do a work in turn; each call gives its figure."""
        present = [name for name in names if name in self.names]
        with ExitStack() as stack:
            contenders = {
                name: self._contender(stack, name, peer, work) for name, peer in opened(present, self.workers)
            }
            return alternate(contenders, times=times or self.rounds)

    def _contender(
        self, stack: ExitStack, name: str, peer: Peer | ImportError, work: Callable[[str, Peer], float]
    ) -> Callable[[], float]:
        if isinstance(peer, ImportError):
            why = f"not installed: {peer}"

            def refuse() -> float:
                raise Refused(why)

            return refuse
        there = stack.enter_context(peer)
        return lambda: work(name, there)


def checked(answer: Answer, expected: Sequence[object]) -> Answer:
    """Give the answer back if it is right."""
    if list(answer.values) != list(expected):
        raise AssertionError("what it computed is wrong")
    return answer


def per_cell(graphs: Callable[[str], Graph]) -> Callable[[str, Peer], float]:
    """Make the work of a task graph: microseconds a cell, of a graph that may differ in size by peer."""
    expected: dict[int, list[int]] = {}

    def work(name: str, peer: Peer) -> float:
        graph = graphs(name)
        if id(graph) not in expected:
            expected[id(graph)] = solve(graph)
        return checked(peer.graph(graph), expected[id(graph)]).seconds / graph.cells * 1e6

    return work
