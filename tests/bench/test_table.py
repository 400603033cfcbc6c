"""Claims about table.py: a budget is judged as it is written, and the JSON has all that is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.__main__ import main
from tests.bench.rounds import Samples
from tests.bench.table import Budget, Row, Table, from_json, markdown, text, to_json, verdict

DOCS = Path(__file__).parents[2] / "docs"


def row(ours: float | None, *budgets: Budget, **peers: float) -> Row:
    """Make a row of single figures."""
    samples = {"flowcore": Samples(refusal="it broke") if ours is None else Samples(figures=[ours, 2 * ours])}
    samples |= {name: Samples(figures=[figure]) for name, figure in peers.items()}
    return Row(name="work", unit="us a cell", samples=samples, budgets=budgets, meaning=8, sizes={"flowcore": 10})


@pytest.mark.parametrize(
    ("ours", "peers", "expected"),
    [
        (10.0, {"peer": 20.0}, "met"),
        (10.1, {"peer": 20.0}, "not met"),
        (10.0, {}, "not judged"),
        (None, {"peer": 20.0}, "not met"),
    ],
)
def test_ratio_is_judged_by_best_figures(ours: float | None, peers: dict[str, float], expected: str) -> None:
    """At most so many times the peer's; without the peer nothing is judged, without ours it is missed."""
    assert expected == verdict(row(ours, Budget(peer="peer", allowed=0.5), **peers))


def test_a_budget_without_a_peer_is_a_figure() -> None:
    """At most so much."""
    assert "met" == verdict(row(15.0, Budget(allowed=15.0)))
    assert "not met" == verdict(row(15.1, Budget(allowed=15.0)))


def test_each_budget_that_can_be_judged_counts() -> None:
    """One missed is all missed; what could not be judged does not hide one that is met."""
    met, missed, absent = Budget(peer="a", allowed=1), Budget(peer="b", allowed=1), Budget(peer="c", allowed=1)

    assert "not met" == verdict(row(5.0, met, missed, a=6.0, b=4.0))
    assert "met" == verdict(row(5.0, met, absent, a=6.0))


def whole() -> Table:
    """Make a table with every kind of row."""
    ratio, absent = Budget(peer="peer", allowed=0.5), Budget(peer="absent", allowed=2.0)
    rows = [row(10.0, ratio, absent, peer=40.0, other=3.0), row(None, ratio, peer=1.0), row(9.0, Budget(allowed=15.0))]
    return Table(facts={"date": "2026-01-01", "cores": 2}, rows=rows)


def test_json_has_all_of_it() -> None:
    """Written and read back, the table is the same."""
    assert whole() == from_json(to_json(whole()))


def test_text_shows_figures_budgets_and_who_is_above() -> None:
    """Also of a contender that broke."""
    shown = text(whole())

    assert "work (us a cell, about 8 meant): MET" in shown
    assert "10  best of 2, spread 2.00, 10 items" in shown
    assert "allowed 0.5 x peer; found 0.25: met" in shown
    assert "it broke" in shown
    assert shown.endswith("3 works, 1 above budget: work")


def test_markdown_has_a_line_a_peer() -> None:
    """Ratio, what is allowed, and the verdict; a peer that was not there has a line if a budget names it."""
    lines = markdown(whole()).splitlines()

    assert "| work | us a cell | 10 | peer | 40 | 0.25 | 0.5 | met |" in lines
    assert "| work | us a cell | 10 | other | 3 | 3.33 |  |  |" in lines
    assert "| work | us a cell | 10 | absent | - | - | 2 | not judged |" in lines
    assert "| work | us a cell | 9 | | | | 15 | met |" in lines


def test_exit_status_says_whether_all_are_met(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And the table is printed either way."""
    bad, good = tmp_path / "bad.json", tmp_path / "good.json"
    bad.write_text(to_json(whole()))
    good.write_text(to_json(Table(facts={}, rows=[row(9.0, Budget(allowed=15.0))])))

    assert (1, 0) == (main(["--show", str(bad)]), main(["--show", str(good)]))
    assert 2 == capsys.readouterr().out.count("above budget")


def test_a_wrong_option_is_not_a_missed_budget() -> None:
    """Its status is another one."""
    with pytest.raises(SystemExit) as refused:
        main(["--rows", "nonsense"])

    assert 2 == refused.value.code


def test_page_shows_the_table_that_was_measured() -> None:
    """What docs/performance.md says is what its JSON makes."""
    table = from_json((DOCS / "performance.json").read_text())

    assert markdown(table) in (DOCS / "performance.md").read_text()
