"""What this codec promises, and one flow with it."""

from pathlib import Path

import flowcore as fc
from flowcore.testing import check_codec
from flowcore_units import Quantity
from flowcore_units.codec import register


def test_conformance() -> None:
    """Equal values are kept alike and come back equal, others differ: small ones and large ones."""
    register()
    check_codec(
        Quantity([1.0, 2.0], "m"), Quantity([1.0, 2.0], "km"), Quantity([2.0, 1.0], "m"), Quantity(range(5000), "m")
    )


@fc.compute(cache="required")
def doubled(length: Quantity) -> Quantity:
    """Give twice a length."""
    return length * 2


def test_by_name(tmp_path: Path) -> None:
    """A flow that names the codec keeps such values: the second run computes nothing."""
    flow = fc.Flow("lengths")
    node = flow.add(doubled, Quantity(range(5000), "m"))
    first = flow.run(codecs=["units"], store=tmp_path, progress=False)
    flow.options(runner="refuse")
    again = flow.run(codecs=["units"], store=tmp_path, progress=False)

    assert Quantity(range(0, 10000, 2), "m") == first[node] == again[node]
