"""Random streams: what ``fc.rng()`` means, and how 32 bytes become a generator.

Promises: the bit generator is PCG64DXSM, by name, so the numbers of a cell stay the same
when numpy chooses another default (contract K21).
Never: keeps a stream; numpy is loaded when the first one is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Never, cast

from flowcore.declare.site import user_site
from flowcore.errors import NoValueYet

if TYPE_CHECKING:
    import numpy as np

RNG = "rng"


class StreamWanted:
    """Stands for the random stream of a cell, as the default of a parameter."""

    __slots__ = ()
    __injects__: ClassVar[str] = RNG

    def __options__(self) -> dict[str, object]:
        return {}

    def __alone__(self) -> object:
        return fresh_generator()

    def __repr__(self) -> str:
        return "fc.rng()"

    def __reduce__(self) -> tuple[type[StreamWanted], tuple[()]]:
        return StreamWanted, ()

    def __getattr__(self, name: str) -> Never:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NoValueYet(
            node="fc.rng()", expression=f"rng.{name}", at=user_site(),
            remedy="Only a task's own parameter is supplied: make this one a task (@fc.compute), or pass a stream.",
        )  # fmt: skip


def rng() -> np.random.Generator:
    """Ask, as the default of a task's parameter, for a random stream of the cell's own.

    The stream depends on the run's ``seed=``, the task's name and the cell's arguments, and
    on nothing else: neither on workers, batches, order, nor on retries and resuming. The
    seed enters the key of the task, so another seed computes it anew.

    Called plainly, outside a run, a task gets a fresh stream; one called inside a cell
    gets a stream spawned from that cell's.

    Returns
    -------
    numpy.random.Generator
        For type checkers; each cell gets one on PCG64DXSM.

    Notes
    -----
    Cells with equal arguments have one stream, and are told (`RepeatedStream`). To draw
    several samples with one set of arguments give them an axis: a parameter ``replica``,
    and ``fc.each(replica=range(10))``.

    References
    ----------
    M. E. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good
    Algorithms for Random Number Generation", HMC-CS-2014-0905, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> import flowcore as fc
    >>> @fc.compute
    ... def throw(dice: int, rng: np.random.Generator = fc.rng()) -> int:
    ...     return int(rng.integers(1, 7, size=dice).sum())
    >>> 2 <= throw(2) <= 12
    True
    >>> throw(2, rng=np.random.default_rng(1)) == throw(2, rng=np.random.default_rng(1))
    True
    """
    return cast("np.random.Generator", StreamWanted())


def generator(entropy: bytes) -> np.random.Generator:
    """Make the stream that 32 bytes stand for."""
    import numpy as np

    return np.random.Generator(np.random.PCG64DXSM(int.from_bytes(entropy, "little")))


def fresh_generator() -> np.random.Generator:
    """Make a stream that nothing determines."""
    import numpy as np

    return np.random.Generator(np.random.PCG64DXSM())
