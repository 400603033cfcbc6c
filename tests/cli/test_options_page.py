"""Claims about docs/options.md: its table has every option that there is, and what it says of each is so."""

from __future__ import annotations

import re

from flowcore.cli.run import run_parser
from flowcore.settings import OPTION_NAMES, Settings, unknown_variables
from tests.house.rooms import ROOT

PAGE = (ROOT / "docs" / "options.md").read_text()
HEAD = "| option | default | elsewhere | on the command line | what it says |\n|---|---|---|---|---|\n"
OF_NO_OPTION = {"-h", "--help", "--only"}  # of the command line alone


def rows() -> dict[str, list[str]]:
    """Give what the table says of each option."""
    table = PAGE.partition(HEAD)[2].partition("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {name.strip(" `"): rest for name, *rest in cells}


def test_the_table_has_all_options() -> None:
    """No more, no fewer; and each has all its columns."""
    assert sorted(OPTION_NAMES) == sorted(rows())
    assert {4} == {len(row) for row in rows().values()}


def test_where_an_option_can_be_given() -> None:
    """As a variable and in a file if the table says so, and else not."""
    told = {name for name, (_, elsewhere, *_) in rows().items() if elsewhere == "yes"}

    assert told == {name for name in OPTION_NAMES if not unknown_variables({f"FLOWCORE_{name.upper()}": "1"})}
    assert {"yes", "no"} == {row[1] for row in rows().values()}


def test_the_command_line_of_each_option() -> None:
    """Every option of `flowcore run` that is one of the run stands in the table."""
    told = {flag for *_, flags, _ in rows().values() for flag in re.findall(r"--?[\w-]+", flags)}

    assert told == set(run_parser()._option_string_actions) - OF_NO_OPTION


def test_defaults_are_as_told() -> None:
    """Where the table gives a value, and not a rule."""
    told = {name: default for name, (default, *_) in rows().items() if default.startswith("`")}
    defaults = {name: repr(getattr(Settings(), name)).replace("'", '"') for name in told}

    assert told == {name: f"`{value}`" for name, value in defaults.items()}
