"""Numbers with a unit. This class stands for one of a library that knows nothing of flowcore."""

import numpy as np
from numpy.typing import ArrayLike


class Quantity:
    """An array of numbers and the unit that they are in, such as ``Quantity([1.0, 2.0], "m/s")``."""

    def __init__(self, numbers: ArrayLike, unit: str) -> None:
        self.numbers = np.asarray(numbers, dtype=float)
        self.unit = unit

    def __mul__(self, factor: float) -> "Quantity":
        return Quantity(self.numbers * factor, self.unit)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Quantity):
            return NotImplemented
        return self.unit == other.unit and np.array_equal(self.numbers, other.numbers)

    def __hash__(self) -> int:
        return hash((self.unit, self.numbers.tobytes()))

    def __repr__(self) -> str:
        return f"Quantity({self.numbers!r}, {self.unit!r})"
