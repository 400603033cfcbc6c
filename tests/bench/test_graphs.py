"""Claims about graphs.py: the graphs are Task Bench's, and every system has to come to what a plain loop does."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench import tasks
from tests.bench.graphs import PATTERNS, RADIX, Graph, chain, drawn, fan_out, solve
from tests.bench.peers import adapter
from tests.bench.peers.protocol import Peer

WORKERS = 2
SMALL = [fan_out(40), chain(6), *(drawn(pattern, width=8, steps=5) for pattern in PATTERNS)]


def by_definition(graph: Graph) -> list[int]:
    """Compute the sinks from what the patterns mean, cell by cell, on demand."""

    def value(step: int, column: int) -> int:
        total = step * 1_000_003 + column
        for read in graph.inputs[step][column]:
            total = (total * 31 + value(step - 1, read)) % (2**61 - 1)
        return total

    return [value(step, column) for step, column in graph.sinks]


def test_stencil_reads_neighbours() -> None:
    """Three of the row before, two at an edge."""
    graph = drawn("stencil", width=4, steps=3)

    assert ((), (), (), ()) == graph.inputs[0]
    assert ((0, 1), (0, 1, 2), (1, 2, 3), (2, 3)) == graph.inputs[1] == graph.inputs[2]


def test_fft_reads_ever_farther() -> None:
    """A butterfly: distances 1, 2, 4, and again 1."""
    graph = drawn("fft", width=8, steps=5)

    assert [(2, 3, 4), (1, 3, 5), (3, 7), (2, 3, 4)] == [row[3] for row in graph.inputs[1:]]


def test_tree_doubles_until_it_is_wide() -> None:
    """One cell, two, four, and no more than the width; each reads its parent."""
    graph = drawn("tree", width=4, steps=4)

    assert [1, 2, 4, 4] == [len(row) for row in graph.inputs]
    assert ((0,), (0,), (1,), (1,)) == graph.inputs[2] == graph.inputs[3]
    assert [(2, 2), (2, 3)] == [sink for sink in graph.sinks if sink[0] == 2]


def test_random_neighbours_are_near_and_stay() -> None:
    """Each reads itself and some within the radius; drawing again gives the same, whatever the state of `random`."""
    graph = drawn("random", width=30, steps=9)
    reach = [{c - r for r in columns} for row in graph.inputs[1:] for c, columns in enumerate(row)]

    assert all(0 in offsets for offsets in reach)
    assert set(range(-(RADIX // 2), RADIX // 2 + 1)) == set().union(*reach)
    random.seed(1)
    assert graph == drawn("random", width=30, steps=9)


@given(st.sampled_from(sorted(PATTERNS)), st.integers(1, 9), st.integers(1, 5))
def test_oracle(pattern: str, width: int, steps: int) -> None:
    """Row by row, and on demand from the sinks, give the same; all inputs are there."""
    graph = drawn(pattern, width=width, steps=steps)
    rows = graph.inputs

    assert all(set(cs) <= set(range(len(rows[s - 1]))) for s, row in enumerate(rows) for cs in row if cs)
    assert by_definition(graph) == solve(graph)


def test_a_value_tells_what_was_read_in_which_order() -> None:
    """Swapped, missing and doubled inputs all show."""
    values = {tasks.point(3, 1, 0, inputs) for inputs in ((5, 7), (7, 5), (5,), (5, 7, 7), ())}

    assert 5 == len(values)


@pytest.mark.parametrize("name", ["flowcore", "concurrent.futures"])
def test_adapters_come_to_what_the_oracle_does(name: str) -> None:
    """Every pattern, and a kernel that does not change a value."""
    with adapter(name, WORKERS) as peer:
        for graph in [*SMALL, drawn("stencil", width=4, steps=3, iterations=10)]:
            assert solve(graph) == list(peer.graph(graph).values), graph.pattern


@pytest.mark.parametrize("name", ["flowcore", "concurrent.futures"])
def test_adapters_hand_arrays_over(name: str) -> None:
    """Each stage adds one to every element."""
    with adapter(name, WORKERS) as peer:
        assert [2.0 * 4] == list(peer.line(4, 2 * 4096).values)


@pytest.mark.bench
@pytest.mark.parametrize(
    "name", ["joblib", "dask threads", "dask processes", "dask distributed", "dask distributed on one worker"]
)
def test_peers_come_to_what_the_oracle_does(name: str) -> None:
    """As above, for peers that the bench extra brings."""
    with adapter(name, WORKERS) as peer:
        assert [solve(graph) for graph in SMALL] == [list(peer.graph(graph).values) for graph in SMALL]
        assert [2.0 * 4] == list(peer.line(4, 2 * 4096).values)


@pytest.mark.bench
@pytest.mark.parametrize("name", ["pipefunc", "chunked map"])
def test_mapping_peers_come_to_what_the_oracle_does(name: str) -> None:
    """Those that have one row."""
    with adapter(name, WORKERS) as peer:
        assert solve(SMALL[0]) == list(peer.graph(SMALL[0]).values)


def test_every_peer_is_a_peer() -> None:
    """What an adapter leaves out, it refuses by the protocol."""
    assert all(isinstance(adapter(name, WORKERS), Peer) for name in ("flowcore", "concurrent.futures", "chunked map"))
