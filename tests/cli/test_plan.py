"""Claims about ``flowcore plan`` and ``flowcore why``, each through a real process."""

from __future__ import annotations

from tests.cli.conftest import SWEEP, Terminal


def test_a_plan_is_that_of_the_run_with_these_options(swept: Terminal) -> None:
    """What was run is cached, what is new will run; and nothing has run for it."""
    swept("run", "sweep.py", "--rates", "0.1,0.2", "-q")
    ran = swept.tally()
    plan = swept("plan", "sweep.py", "--rates", "0.1,0.2,0.4", "--json")
    rows = {row["node"]: row for row in plan.json["plan"]["nodes"]}

    assert (0, "", ran) == (plan.code, plan.err, swept.tally())
    assert {"cached": 4, "runs": 1, "depends": 2} == plan.json["plan"]["counts"]
    assert (2, 1, "will run") == (rows["erode"]["cached"], rows["erode"]["runs"], rows["erode"]["verdict"])


def test_a_plan_lists_the_cells_of_a_node(swept: Terminal) -> None:
    """Each cell with its verdict, for people and for programs."""
    swept("run", "sweep.py", "--rates", "0.1", "-q")
    told = swept("plan", "sweep.py", "--rates", "0.1,0.2", "--cells", "erode")
    facts = swept("plan", "sweep.py", "--rates", "0.1,0.2", "--cells", "erode", "--json")

    assert [["cell", "verdict"], ["erode[rate=0.1]", "cached"], ["erode[rate=0.2]", "will", "run"]] == [
        line.split() for line in told.out.splitlines()
    ]
    assert {"cell": "erode[rate=0.1]", "verdict": "cached", "labels": {"rate": 0.1}} == facts.json["cells"][0]


def test_a_plan_knows_what_is_asked_anew(swept: Terminal) -> None:
    """Options that overrule count as they do in a run."""
    swept("run", "sweep.py", "--rates", "0.1", "-q")
    plan = swept("plan", "sweep.py", "--rates", "0.1", "--refresh", "erode")

    assert "refresh= asks for it anew" in plan.out


def test_an_edit_is_told_with_its_diff(swept: Terminal) -> None:
    """The file is the script itself, and its helpers are told by name."""
    swept("run", "sweep.py", "--rates", "0.1", "-q")
    swept.write("sweep.py", SWEEP.replace("land.rate * land.years", "land.rate * land.years * 2"))
    why = swept("why", "sweep.py", "height", "--rates", "0.1")

    assert 0 == why.code
    assert "height[rate=0.1]: will run (compared with run " in why.out
    assert "  its body changed\n" in why.out
    assert "    +    return land.rate * land.years * 2\n" in why.out


def test_a_reason_is_data_as_well(swept: Terminal) -> None:
    """Kind, words and fields of each reason."""
    swept("run", "sweep.py", "--rates", "0.1", "-q")
    why = swept("why", "sweep.py", "erode[rate=0.1]", "--rates", "0.1", "--years", "900", "--json")
    changed = {"kind": "ArgumentChanged", "text": "argument years: 500 -> 900"}

    assert ("erode[rate=0.1]", "will run") == (why.json["cell"], why.json["verdict"])
    assert [changed | {"name": "years", "old": "500", "new": "900"}] == why.json["changes"]


def test_a_cell_that_is_not_there_is_used_wrongly(swept: Terminal) -> None:
    """Exit code 2, and what was probably meant."""
    why = swept("why", "sweep.py", "erode[rate=0.3]", "--rates", "0.1")
    plan = swept("plan", "sweep.py", "--rates", "0.1", "--cells", "erod")
    nothing = swept("why", "sweep.py")

    assert (2, 2, 2) == (why.code, plan.code, nothing.code)
    assert "Did you mean 'erode[rate=0.1]'?" in why.err
    assert "Did you mean 'erode'?" in plan.err
    assert "CELL" in nothing.err


def test_memory_is_an_option(swept: Terminal) -> None:
    """Of a run and of its plan, read as everywhere."""
    ran = [swept(verb, "sweep.py", "--rates", "0.1", "--memory", "much") for verb in ("plan", "run")]

    assert [2, 2] == [one.code for one in ran]
    assert all("Option 'memory' is 'much'" in one.err for one in ran)
