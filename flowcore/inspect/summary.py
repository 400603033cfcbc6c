"""A run in words: what became of its cells, a line a node."""

from __future__ import annotations

from collections.abc import Sequence

from flowcore.events import CellsParked
from flowcore.run.books import Counts


def summary(
    *,
    run: str,
    flow: str,
    status: str,
    seconds: float,
    counts: Sequence[tuple[str, int | None, Counts]],
    parked: CellsParked,
) -> str:
    """Tell what a run did, a line a node.

    Parameters
    ----------
    counts : sequence of (name, cells, Counts)
        For each node; cells is None where the number was never known.
    parked : CellsParked
        The cells that wait for other runs.
    """
    total = [sum(values) for values in zip(*((c.done, c.hit, c.failed, c.skipped) for _, _, c in counts), strict=True)]
    done, hit, failed, skipped = total or [0, 0, 0, 0]
    lines = [f"run {run} of {flow}: {status} in {seconds:.2f} s"]
    lines.append(f"  {_told(done, hit, failed, skipped)}")
    lines += [f"  {parked.told}"] if parked.told else []
    width = max((len(name) for name, _, _ in counts), default=0)
    for name, cells, c in counts:
        of = f"{cells:>6} cell{'s' if cells != 1 else ' '}" if cells is not None else "     ? cells"
        lines.append(f"  {name:<{width}} {of}: {_told(c.done, c.hit, c.failed, c.skipped)}")
        if c.doubled:
            lines.append(f"  {'':<{width}} {c.doubled} of them gave another value than is recorded for the same key")
    return "\n".join(lines)


def _told(done: int, hit: int, failed: int, skipped: int) -> str:
    parts = [f"{done} ran", f"{hit} from the store"]
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{skipped} skipped"] if skipped else []
    return ", ".join(parts)
