"""A run in words: its counts, and its failures on one screen, root causes first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flowcore.errors import FlowcoreError, shorten
from flowcore.run.books import CellFailure, Counts
from flowcore.run.job import Failure

_SHOWN = 3  # kinds of failure that are shown in full
_FRAMES = 6  # lines of traceback of each

Name = Callable[[int, int], str]


def summary(
    *, run: str, flow: str, status: str, seconds: float, counts: Sequence[tuple[str, int | None, Counts]]
) -> str:
    """Tell what a run did, a line a node.

    Parameters
    ----------
    counts : sequence of (name, cells, Counts)
        For each node; cells is None where the number was never known.
    """
    total = [sum(values) for values in zip(*((c.done, c.hit, c.failed, c.skipped) for _, _, c in counts), strict=True)]
    done, hit, failed, skipped = total or [0, 0, 0, 0]
    lines = [f"run {run} of {flow}: {status} in {seconds:.2f} s"]
    lines.append(f"  {_told(done, hit, failed, skipped)}")
    width = max((len(name) for name, _, _ in counts), default=0)
    for name, cells, c in counts:
        of = f"{cells:>6} cell{'s' if cells != 1 else ' '}" if cells is not None else "     ? cells"
        lines.append(f"  {name:<{width}} {of}: {_told(c.done, c.hit, c.failed, c.skipped)}")
    return "\n".join(lines)


def failures_told(failures: Sequence[CellFailure], *, name: Name, not_run: int, resume: str) -> str:
    """Tell what failed: each kind once, the first of its cells, what did not run, and how to go on."""
    kinds: dict[tuple[str, str], list[CellFailure]] = {}
    for failure in failures:
        kinds.setdefault(_kind(failure), []).append(failure)
    lines = [f"{len(failures)} cell{'s' if len(failures) != 1 else ''} failed; {not_run} did not run because of that."]
    for group in list(kinds.values())[:_SHOWN]:
        lines.extend(_one_kind(group, name))
    if len(kinds) > _SHOWN:
        lines.append(f"... and {len(kinds) - _SHOWN} more kinds of failure: see run.failures")
    lines.append(resume)
    return "\n  ".join(lines)


def _one_kind(group: Sequence[CellFailure], name: Name) -> list[str]:
    first = group[0]
    cell = shorten(name(first.node, first.number))
    more = f" and {len(group) - 1} like it" if len(group) > 1 else ""
    tried = f" (attempt {first.attempts})" if first.attempts > 1 else ""
    error = first.error
    if isinstance(error, FlowcoreError):
        return [f"{cell}{more}{tried}:", *(f"  {line}" for line in str(error).splitlines())]
    if error.type.startswith("flowcore.errors."):  # raised where the cell ran: its text says it all
        return [f"{cell}{more}{tried}:", *(f"  {shorten(line)}" for line in error.text.splitlines())]
    return [f"{cell}{more}{tried}: {error.type}: {shorten(error.text)}", *_frames(error)]


def _frames(failure: Failure) -> list[str]:
    lines = [f"  {line.rstrip()}" for line in failure.traceback.splitlines()[-_FRAMES:]]
    lines += [f"  note: {shorten(note)}" for note in failure.notes[:2]]
    lines += [f"  because of {cause.type}: {shorten(cause.text)} ({cause.at})" for cause in failure.causes[:2]]
    return lines


def _kind(failure: CellFailure) -> tuple[str, str]:
    error = failure.error
    return (type(error).__name__, "") if isinstance(error, FlowcoreError) else (error.type, error.at)


def _told(done: int, hit: int, failed: int, skipped: int) -> str:
    parts = [f"{done} ran", f"{hit} from the store"]
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{skipped} skipped"] if skipped else []
    return ", ".join(parts)
