"""The works that are compared, and what each may cost.

Budgets are those of the issues and of the survey of peers: ratios where a peer does the
same work, figures where none does.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.bench.rows import kept, overlap, stored, taskbench, whole
from tests.bench.rows.arena import Arena
from tests.bench.table import Row

# In the order of the table.
ROWS: dict[str, Callable[[Arena], list[Row]]] = {
    "fan-out": taskbench.fan_out_row,
    "chain": taskbench.chain_row,
    "stencil": taskbench.stencil_row,
    "tree": taskbench.tree_row,
    "fft": taskbench.fft_row,
    "random": taskbench.random_row,
    "metg": taskbench.metg_row,
    "line": overlap.line_row,
    "mixed": overlap.mixed_row,
    "coroutines": overlap.coroutines_row,
    "cached-small": kept.small_rows,
    "cached-large": kept.large_rows,
    "judged": stored.judged_rows,
    "array-kept": stored.array_kept_rows,
    "opened": stored.opened_rows,
    "warm": stored.warm_rows,
    "million": whole.million_rows,
    "import": whole.import_row,
    "process": whole.process_row,
}
