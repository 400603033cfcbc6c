"""Why the cells of a node ran, as far as this run's journal and the one before tell.

Owns the comparison with the flow's run before: what the keys of a node's cells share is
in both journals, part by part (contract K33). What differs from cell to cell is not
gone through: `flow.why` does that for one cell.
"""

from __future__ import annotations

from flowcore.errors import shorten
from flowcore.inspect.causes.differences import changes, text_diff
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.store.history import read_beginning, run_paths
from flowcore.store.sources import read_source

_LOOKED_AT = 30  # older runs
_TOLD = 3  # reasons
_DIFF = 3000  # characters of a difference


def run_before(recorded: Recorded) -> Recorded | None:
    """Give the newest older run of the same flow in the same store, if one of the last is."""
    store, flow = recorded.store, recorded.facts.get("flow")
    paths = run_paths(store.root, disk=store.disk)
    older = sorted((run_id for run_id in paths if run_id < recorded.id), reverse=True)
    for run_id in older[:_LOOKED_AT]:
        beginning = read_beginning(paths[run_id], disk=store.disk)
        if beginning is not None and beginning.facts.get("flow") == flow and "accepted" not in beginning.facts:
            found = Recorded(store, run_id)
            found.catch_up()
            return found
    return None


def grounds(recorded: Recorded, before: Recorded | None, node: int) -> tuple[str, str]:
    """Tell why cells of a node ran, or why not, and what changed in the text of its code."""
    info, ledger = recorded.nodes[node], recorded.ledgers[node]
    counts = ledger.counts
    if node in recorded.facts.get("given", ()):
        return "its value was given", ""
    if counts.hit and not counts.done + counts.failed:
        return "answered by the store: nothing that its value depends on has changed", ""
    if info.kind not in ("compute", "io") or not counts.done + counts.failed:
        return "", ""
    if not ledger.common:
        return "it runs each time: its results are not kept", ""
    old = next((n for n, other in before.nodes.items() if other.name == info.name), None) if before else None
    if before is None or old is None:
        return "no earlier run of this flow here has it", ""
    return _compared(recorded, before, node, old)


def _compared(recorded: Recorded, before: Recorded, node: int, old: int) -> tuple[str, str]:
    store, now, then = recorded.store, recorded.ledgers[node], before.ledgers[old]
    varied = {f"argument {name}" for name in (*now.own, *then.own)}

    def diff(one: bytes, other: bytes) -> str:
        texts = (read_source(store.layout, digest, disk=store.disk) for digest in (one, other))
        return text_diff(*texts)

    found = changes(
        {name: part for name, part in then.common.items() if name not in varied},
        {name: part for name, part in now.common.items() if name not in varied},
        sketches=then.sketches | now.sketches, diff=diff,
    )  # fmt: skip
    if not found:
        hit = f"; {now.counts.hit} were answered by the store" if now.counts.hit else ""
        return f"these cells, or what they are given, are not those of run {before.id}{hit}", ""
    told = "; ".join(shorten(str(reason), 200) for reason in found[:_TOLD])
    more = f"; and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    texts = [text for reason in found if (text := getattr(reason, "diff", ""))]
    return f"since run {before.id}: {told}{more}", "\n".join(texts)[:_DIFF]
