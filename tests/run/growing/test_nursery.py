"""Claims about run/growing/nursery.py: what leaves the process that drew a flow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest

import flowcore as fc
from flowcore.plan.encode import references
from flowcore.plan.extension import KEPT, SPOOLED
from flowcore.run.growing.grown import DrawnFlow, DrawnNode, Grown
from flowcore.run.growing.nursery import Nursery
from flowcore.run.job import pack_result, unpack_result
from flowcore.store.codecs import Codec
from flowcore.store.directory import open_store
from tests.run.growing import flows as growing

pytestmark = pytest.mark.contract("K30")


@pytest.fixture
def codec(store: Path) -> Iterator[Codec]:
    """Give the codec of a run."""
    run = open_store(store).begin()
    yield Codec(kept=run.blobs, passed=run.spool, files=run.files)
    run.close("done")
    run.release()


def left(flow: fc.Flow, codec: Codec, *, here: bool = False) -> Grown:
    """Let a flow leave."""
    return Nursery(codec, here=here).grown(flow, attempt=7, seconds=0.5, began=1.0, changed="")


def places(grown: Grown) -> list[int]:
    """Give where the arrays among the arguments are."""
    nodes = [DrawnNode.unpack(node) for node in DrawnFlow.unpack(grown.flow).nodes]
    return [place for node in nodes for record in node.held for _, _, place in references(record)]


def drawn(field: Any) -> fc.Flow:
    """Draw a step with an array."""
    with fc.Flow() as flow:
        flow.result = growing.moved(field)
    return flow


def test_an_array_of_the_store_is_referred_to(codec: Codec) -> None:
    """One that it does not have goes to the spool, for the time of the run."""
    here, elsewhere = np.arange(5000.0), np.arange(5001.0)
    codec.encode(here, keep=True)

    assert ([KEPT], [SPOOLED]) == (places(left(drawn(here), codec)), places(left(drawn(elsewhere), codec)))


def test_arrays_along_an_axis_come_along(codec: Codec) -> None:
    """They are called by their positions, and are not compared with these."""
    with fc.Flow() as flow:
        flow.result = growing.moved(fc.each(field=[np.arange(5000.0), np.arange(5001.0)]))

    assert [SPOOLED, SPOOLED] == places(left(flow, codec))


def test_it_crosses_the_border_as_plain_lists(codec: Codec) -> None:
    """Numbers, text and bytes, as all messages."""
    with fc.Flow() as flow:
        flow.result = {"grid": growing.better(fc.each(x=[1.0, 2.0])), "sum": growing.total([growing.add(1, 2)])}
    grown = left(flow, codec)
    message = msgpack.packb(pack_result(grown))
    crossed = unpack_result(msgpack.unpackb(message, strict_map_key=False))

    assert message == msgpack.packb(pack_result(crossed))
    assert "better" in str(DrawnFlow.unpack(grown.flow).nodes)


def test_nodes_of_one_task_share_a_recipe(codec: Codec) -> None:
    """It is the same bytes in every flow, so that their cells may travel together."""
    nursery = Nursery(codec, here=False)
    recipes = []
    for first in (1, 2):
        with fc.Flow() as flow:
            flow.result = growing.add(growing.add(first, 2), growing.add(first, 3))
        grown = nursery.grown(flow, attempt=1, seconds=0.0, began=0.0, changed="")
        recipes.append(DrawnFlow.unpack(grown.flow).recipes)

    assert recipes[0] == recipes[1]
    assert 2 == len(recipes[0]), "of two numbers, and of two nodes"


def test_functions_come_along_only_within_a_process(codec: Codec) -> None:
    """Else they are a path, or bytes."""
    with fc.Flow() as flow:
        flow.result = growing.add(1, 2)

    assert ((), (growing.add.function, None)) == (left(flow, codec).live, left(flow, codec, here=True).live)


def test_what_cannot_travel_is_named(codec: Codec) -> None:
    """With the node, before it is sent."""
    with fc.Flow() as flow:
        flow.result = flow.add(lambda: growing.HERE.locked() or flow, name="locks")
    with pytest.raises(fc.NotPicklable) as refused:
        left(flow, codec)

    assert "locks" == refused.value.node
