"""What hypothesis draws, from a seed: the strategies of the model tests serve the soak as well."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis.internal.conjecture.data import ConjectureData


class Chance:
    """Draws from strategies. `random` is for everything else.

    Parameters
    ----------
    seed : str
        Equal ones draw equally.
    """

    def __init__(self, seed: str) -> None:
        self.random = Random(seed)

    def __call__(self, strategy: Any) -> Any:
        return ConjectureData(random=self.random).draw(strategy)

    def often(self, share: float) -> bool:
        """Tell whether something happens that happens in this share of all cases."""
        return self.random.random() < share

    def about(self, most: int) -> int:
        """Give a number from 1 to `most`, small ones as often as large ones."""
        return max(1, round(most ** self.random.random()))
