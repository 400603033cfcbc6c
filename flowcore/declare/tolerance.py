"""How far a value may lie from another one and still count as the same (``same=``)."""

from __future__ import annotations

import math

from flowcore.dataclass import dataclass
from flowcore.declare.site import at_users_line, user_site
from flowcore.errors import BadOption


@dataclass(frozen=True, slots=True, kw_only=True)
class AllClose:
    """A tolerance; made by :func:`allclose`.

    Attributes
    ----------
    rtol, atol : float
        A number x agrees with the kept one, c, where ``abs(x - c) <= atol + rtol * abs(c)``.
    equal_nan : bool
        Whether NaN agrees with NaN.
    """

    rtol: float
    atol: float
    equal_nan: bool

    @property
    def plain(self) -> tuple[float, float, bool]:
        """The fields, in the form that crosses borders."""
        return self.rtol, self.atol, self.equal_nan

    def __repr__(self) -> str:
        return f"fc.allclose(rtol={self.rtol:g}, atol={self.atol:g}, equal_nan={self.equal_nan})"


@at_users_line
def allclose(*, rtol: float = 1e-7, atol: float = 0.0, equal_nan: bool = True) -> AllClose:
    """Say, as a task's ``same=``, when a rerun gives the same result as before.

    When a cell is computed anew, because code or arguments have changed, its result is
    compared with the one that is kept. If each number is close enough and all else is
    equal, the kept result stays, and nothing below runs again. Deviations are always
    measured from that kept result, so that they cannot add up over many edits.

    Parameters
    ----------
    rtol, atol : float
        A number x agrees with the kept one, c, where ``abs(x - c) <= atol + rtol * abs(c)``.
        The defaults are those of `numpy.testing.assert_allclose`.
    equal_nan : bool
        Whether NaN agrees with NaN.

    Raises
    ------
    BadOption
        If a tolerance is negative, or not a number.

    Examples
    --------
    >>> import flowcore as fc
    >>> @fc.compute(same=fc.allclose(rtol=1e-12))
    ... def mean(xs: list[float]) -> float:
    ...     return sum(xs) / len(xs)
    >>> mean.declared.same
    fc.allclose(rtol=1e-12, atol=0, equal_nan=True)
    """
    tolerances: dict[str, object] = {"rtol": rtol, "atol": atol}
    for name, value in tolerances.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise BadOption(option=name, found=repr(value), expected="a number that is not negative", at=user_site())
    return AllClose(rtol=float(rtol), atol=float(atol), equal_nan=bool(equal_nan))
