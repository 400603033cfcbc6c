"""A cell that has two values, and how far they are apart: of two runs, or kept and computed again."""

from __future__ import annotations

from typing import Self

from flowcore.dataclass import dataclass
from flowcore.plan.closeness import Deviation


@dataclass(frozen=True, slots=True, kw_only=True)
class CellDifference:
    """A cell with two values.

    Attributes
    ----------
    cell : str
        Its readable id.
    absolute, relative : float
        The largest difference of two numbers, relative to the first value, the kept one;
        0 where nothing that is a number differs.
    told : str
        What differs besides: "shape (3,) and (4,)", "done and failed".
    """

    cell: str
    absolute: float = 0.0
    relative: float = 0.0
    told: str = ""

    @classmethod
    def of(cls, cell: str, found: Deviation) -> Self:
        """Make it from what comparing its values has found."""
        told = f"{found.where}: {found.what}" if found.what and found.where != "value" else found.what
        return cls(cell=cell, absolute=found.absolute, relative=found.relative, told=told)

    def __str__(self) -> str:
        numbers = f"{self.absolute:.3g} absolute, {self.relative:.3g} relative" if self.absolute else ""
        return f"{self.cell}: {', '.join(filter(None, (numbers, self.told))) or 'another value'}"
