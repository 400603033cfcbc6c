"""Which key a computation has: one, and no other has it, in whatever run they are met."""

from __future__ import annotations

from dataclasses import dataclass, field

from flowcore.history import RecordedRun
from tests.drawings import Computation, Model
from tests.vocabulary import FUNCTIONS


@dataclass
class Ledger:
    """Computations and keys, as met so far."""

    keys: dict[Computation, bytes] = field(default_factory=dict)
    names: dict[bytes, Computation] = field(default_factory=dict)

    def learn(self, recorded: RecordedRun, model: Model, *, prefix: str) -> list[str]:
        """Meet the keys of a run's cells; say where they are not what they were."""
        problems = []
        for number, step in enumerate(model.steps):
            name = f"{prefix}{number}"
            if step.function not in FUNCTIONS or name not in recorded:
                continue
            for cell in recorded.cells(name):
                computation = model.computed.get((number, tuple(cell.labels.values())))
                if computation is None or not cell.key:
                    continue
                key = bytes.fromhex(cell.key)
                if key != self.keys.setdefault(computation, key):
                    problems.append(f"another key than before: {cell}")
                if computation != self.names.setdefault(key, computation):
                    problems.append(f"the key of another computation: {cell}")
        return problems
