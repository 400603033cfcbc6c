"""Claims about ``flowcore runs`` and ``flowcore show``, each through a real process."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Terminal

ARRAYS = """
import flowcore as fc
import numpy as np

@fc.compute
def field(rate: float):
    print("rate", rate, "\\x1b[2J")
    return np.full((2, 3), 1 / rate)

@fc.flow
def fields(rates: list[float]):
    return field(fc.each(rate=rates))
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """Give a folder with two runs: one done, one with a failed cell. Nothing here adds to it."""
    flowcore = Terminal(tmp_path_factory.mktemp("ran"))
    flowcore.write("fields.py", ARRAYS)
    assert 0 == flowcore("run", "fields.py", "--rates", "2.0,inf", "-q").code
    assert 1 == flowcore("run", "fields.py", "--rates", "2.0,0", "--on-error", "continue", "-q").code
    return flowcore


def test_runs_are_listed(ran: Terminal) -> None:
    """The newest first, with what came of them, as text and as JSON."""
    text, data = ran("runs").out.splitlines(), ran("runs", "--json").json
    statuses = [run["status"] for run in data["runs"]]

    assert ["run", "flow", "status", "began", "took", "cells", "ran", "stored", "failed", "workers"] == text[0].split()
    assert (1, ["failed", "done"]) == (data["schema"], statuses)
    assert [run["id"] for run in data["runs"]] == [line.split()[0] for line in text[1:]]
    assert {"cells": 2, "done": 0, "hit": 1, "failed": 1}.items() <= data["runs"][0]["cells"].items()
    assert {"id", "flow", "status", "began", "seconds", "cells", "workers"} == set(data["runs"][0])


def test_so_many_runs(ran: Terminal) -> None:
    """The newest ones, and how to see the others."""
    told = ran("runs", "-n", "1").out

    assert (3, "... and 1 older ones: flowcore runs -n 0") == (len(told.splitlines()), told.splitlines()[-1])
    assert 2 == len(ran("runs", "-n", "0", "--json").json["runs"])
    assert 2 == ran("runs", "-n", "few").code


def test_no_runs(flowcore: Terminal) -> None:
    """A store that is not there has none, and is not made."""
    assert (0, "There are no runs in .flowcore.\n") == (flowcore("runs").code, flowcore("runs").out)
    assert [] == flowcore("runs", "--json").json["runs"]
    assert 2 == flowcore("show", "last").code
    assert [] == list(flowcore.folder.iterdir())


def test_a_run_is_shown(ran: Terminal) -> None:
    """Its summary, its options, and each failure with the user's frames."""
    told, data = ran("show", "last").out, ran("show", "last", "--json").json
    (failure,) = data["failures"]

    assert f"run {data['run']['id']} of fields: failed in" in told
    assert "field[rate=0.0] failed: ZeroDivisionError: " in told
    assert "called with rate=0.0" in told
    assert ("field[rate=0.0]", {"rate": 0.0}, "ZeroDivisionError") == (
        failure["cell"],
        failure["labels"],
        failure["type"],
    )
    assert 'fields.py", line 8, in field' in failure["traceback"]
    assert [("field", ["rate"], 0, 1, 1)] == [
        (node["name"], node["axes"], node["done"], node["hit"], node["failed"]) for node in data["nodes"]
    ]
    assert {"run", "settings", "nodes", "failures", "loops", "schema"} == set(data)


def test_a_node_is_shown(ran: Terminal) -> None:
    """A line a cell; a label that JSON has no number for is text."""
    first = ran("runs", "--json").json["runs"][1]["id"]
    told, data = ran("show", first, "field").out.splitlines(), ran("show", first, "field", "--json").json

    assert ["field[rate=2.0]", "field[rate=inf]"] == [line.split()[0] for line in told[1:]]
    assert [("done", {"rate": 2.0}), ("done", {"rate": "inf"})] == [(c["state"], c["labels"]) for c in data["cells"]]


def test_a_cell_is_shown(ran: Terminal) -> None:
    """Its value with kind, dtype and shape, and what it printed; escapes are harmless in text, and whole in JSON."""
    first = ran("runs", "--json").json["runs"][1]["id"]
    told, data = ran("show", first, "field[rate=2.0]").out, ran("show", first, "field[rate=2.0]", "--json").json

    assert "value: ndarray of float64, shape (2, 3)\narray([[0.5, 0.5, 0.5]," in told
    assert "printed:\nrate 2.0 \\x1b[2J" in told
    assert "rate 2.0 \x1b[2J\n" == data["output"]
    assert ("numpy.ndarray", "float64", [2, 3], "") == tuple(
        data["value"][k] for k in ("kind", "dtype", "shape", "gone")
    )
    assert ("done", 1, 64) == (data["cell"]["state"], data["cell"]["attempts"], len(data["cell"]["key"]))


def test_a_failed_cell_is_shown(ran: Terminal) -> None:
    """Its error in place of a value."""
    told = ran("show", "last", "field[rate=0.0]")

    assert 0 == told.code
    assert "field[rate=0.0] failed: ZeroDivisionError" in told.out
    assert "printed:\nrate 0.0" in told.out
    assert "value:" not in told.out
    assert None is ran("show", "last", "field[rate=0.0]", "--json").json["value"]["kind"]


@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["show"], "required: RUN"),
        (["show", "1999"], "has no run '1999'"),
        (["show", "2"], "begin with '2'"),
        (["show", "last", "feild"], "has no node 'feild'. Did you mean 'field'"),
        (["show", "last", "field[rate=7]"], "has no cell 'field[rate=7]'"),
    ],
)
def test_wrong_names_are_2(ran: Terminal, arguments: list[str], told: str) -> None:
    """Of runs, nodes and cells: on stderr, with what was probably meant."""
    wrong = ran(*arguments)

    assert (2, "") == (wrong.code, wrong.out)
    assert told in wrong.err


PLACES = """
import flowcore as fc

@fc.compute
def level(place: str, year: int) -> int:
    return len(place) + year

@fc.flow
def levels(places: list[str], years: list[int]):
    return level(fc.each(place=places), fc.each(year=years))
"""


def test_some_labels_name_several_cells(flowcore: Terminal) -> None:
    """As for `why` and for targets: an axis that is left out stands for all of its labels."""
    flowcore.write("levels.py", PLACES)
    flowcore("run", "levels.py", "--places", '["a", "b, c"]', "--years", "1,2", "-q")

    several = flowcore("show", "last", "level[year=2]", "--json").json["cells"]
    one = flowcore("show", "last", "level[place='b, c', year=2]", "--json").json["cell"]
    none = flowcore("show", "last", "level[year=3]")

    assert ["level[place='a', year=2]", "level[place='b, c', year=2]"] == [cell["cell"] for cell in several]
    assert several[1] == one
    assert 2 == none.code
