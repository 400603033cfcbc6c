"""The comparison as a table: what was found, what is allowed, whether it is met. Pure.

Owns: rows, budgets, and their three forms: text, markdown, JSON.
Promises: the JSON has all that the other two are made from. A row is met if each of its
budgets that could be judged is, and one could. Never: measures.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from tests.bench.rounds import Samples

OURS = "flowcore"
Verdict = Literal["met", "not met", "not judged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What is allowed: so many times a peer's figure, or, without a peer, so much."""

    allowed: float
    peer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One work, and what each contender came to, in `unit`.

    Parameters
    ----------
    meaning : float, optional
        What the budgets mean on two quiet cores, in `unit`; not judged.
    sizes : dict
        Items that a contender was given, where figures are per item.
    """

    name: str
    unit: str
    samples: dict[str, Samples]
    budgets: tuple[Budget, ...] = ()
    meaning: float | None = None
    sizes: dict[str, int] = field(default_factory=dict)

    def best(self, name: str) -> float | None:
        """Give a contender's figure, if it has one."""
        samples = self.samples.get(name)
        return samples.best if samples is not None and samples.figures else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One budget, judged: ratio to a peer, or the figure itself."""

    budget: Budget
    found: float | None
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A whole comparison, and where and when it was made."""

    facts: dict[str, Any]
    rows: list[Row]

    @property
    def met(self) -> bool:
        """Whether no budget is missed."""
        return all(verdict(row) != "not met" for row in self.rows)


def judge(row: Row) -> list[Judged]:
    """Judge each budget of a row."""
    ours, judged = row.best(OURS), []
    for budget in row.budgets:
        theirs = row.best(budget.peer) if budget.peer else 1.0
        if ours is None:
            judged.append(Judged(budget=budget, found=None, verdict="not met"))
        elif not theirs:
            judged.append(Judged(budget=budget, found=None, verdict="not judged"))
        else:
            found = ours / theirs
            judged.append(Judged(budget=budget, found=found, verdict="met" if found <= budget.allowed else "not met"))
    return judged


def verdict(row: Row) -> Verdict:
    """Judge a row."""
    verdicts = {judged.verdict for judged in judge(row)}
    if "not met" in verdicts:
        return "not met"
    return "met" if "met" in verdicts else "not judged"


def text(table: Table) -> str:
    """Write the table for a terminal."""
    lines: list[str] = []
    for row in table.rows:
        unit = f"{row.unit}, about {row.meaning:g} meant" if row.meaning is not None else row.unit
        lines.append(f"{row.name} ({unit}): {verdict(row).upper()}")
        lines += [f"    {name:32} {_figure(row, name)}" for name in row.samples]
        lines += [f"    {_sentence(judged, row.unit)}" for judged in judge(row)]
    missed = [row.name for row in table.rows if verdict(row) == "not met"]
    lines.append(f"{len(table.rows)} works, {len(missed)} above budget" + (f": {', '.join(missed)}" if missed else ""))
    return "\n".join(lines)


def _figure(row: Row, name: str) -> str:
    samples = row.samples[name]
    if not samples.figures:
        return f"{'-':>10}  {samples.refusal}"
    size = f", {row.sizes[name]} items" if name in row.sizes else ""
    return f"{samples.best:>10.4g}  best of {len(samples.figures)}, spread {samples.spread:.2f}{size}"


def _sentence(judged: Judged, unit: str) -> str:
    budget = judged.budget
    allowed = f"{budget.allowed:.3g} x {budget.peer}" if budget.peer else f"{budget.allowed:g} {unit}"
    found = "-" if judged.found is None else f"{judged.found:.3g}"
    return f"allowed {allowed}; found {found}: {judged.verdict}"


def markdown(table: Table) -> str:
    """Write the table for the manual: a line a peer, and one for a budget that is a figure."""
    head = "| work | unit | flowcore | beside | its figure | ratio | allowed | |"
    lines = [head, "|---|---|--:|---|--:|--:|--:|---|"]
    for row in table.rows:
        shown = _cell(row.best(OURS))
        judged = {one.budget.peer: one for one in judge(row)}
        names = [name for name in row.samples if name != OURS]
        if "" in judged:
            one = judged[""]
            lines.append(f"| {row.name} | {row.unit} | {shown} | | | | {one.budget.allowed:g} | {one.verdict} |")
        names += [peer for peer in judged if peer and peer not in names]
        lines += [_line(row, name, shown, judged.get(name)) for name in names]
    return "\n".join(lines)


def _line(row: Row, name: str, shown: str, judged: Judged | None) -> str:
    ours, theirs = row.best(OURS), row.best(name)
    ratio = _cell(ours / theirs) if ours is not None and theirs else "-"
    allowed = f"{judged.budget.allowed:.3g}" if judged is not None else ""
    end = judged.verdict if judged is not None else ""
    return f"| {row.name} | {row.unit} | {shown} | {name} | {_cell(theirs)} | {ratio} | {allowed} | {end} |"


def _cell(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.3g}"


def to_json(table: Table) -> str:
    """Write all of a table."""
    return json.dumps(asdict(table), indent=1)


def from_json(written: str) -> Table:
    """Read a table back."""
    fields = json.loads(written)
    return Table(facts=fields["facts"], rows=[_row(row) for row in fields["rows"]])


def _row(fields: dict[str, Any]) -> Row:
    samples = {name: Samples(**one) for name, one in fields.pop("samples").items()}
    budgets = tuple(Budget(**one) for one in fields.pop("budgets"))
    return Row(samples=samples, budgets=budgets, **fields)
