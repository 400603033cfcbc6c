"""Claims about the command line as a whole, and its small verbs, each through a real process."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import timeit

import networkx as nx
import pytest

from flowcore.cli import VERBS, overview
from flowcore.cli.graph import node_link, tree
from flowcore.settings import OPTION_NAMES
from tests.cli.conftest import ENVIRON, Terminal

CHAIN = 5_000  # nodes; more than Python's stack is deep


def test_help_lists_the_verbs(flowcore: Terminal) -> None:
    """Each verb with what it takes, each one there."""
    told = flowcore("--help")

    assert (0, overview() + "\n", "") == (told.code, told.out, told.err)
    assert [] == [verb for verb in VERBS if importlib.util.find_spec(f"flowcore.cli.{verb}") is None]
    assert [] == [verb for verb in VERBS if f"\n  {verb} " not in told.out]


def test_help_loads_next_to_nothing() -> None:
    """What a whole `flowcore --help` imports is counted, since that is what its time depends on."""
    code = "import sys; before = set(sys.modules)\nfrom flowcore.cli import main\nmain(['--help'])\n"
    code += "print('LOADED', *sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRON, capture_output=True, text=True, check=True)

    loaded = set(done.stdout.split("LOADED ")[1].split())

    assert {"flowcore", "flowcore.cli"} == {name for name in loaded if name.startswith("flowcore")}
    assert loaded <= {
        "flowcore",
        "flowcore.cli",
        "__future__",
        "importlib",
        "importlib._bootstrap",
        "importlib._bootstrap_external",
        "types",
        "warnings",
    }


@pytest.mark.bench
def test_help_is_quick() -> None:
    """A whole `flowcore --help` takes less than 100 ms where Python itself takes half of that."""
    command = [sys.executable, "-m", "flowcore", "--help"]
    took = min(timeit.repeat(lambda: subprocess.run(command, env=ENVIRON, capture_output=True, check=True), number=1))

    assert took < 0.1


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help(flowcore: Terminal, verb: str) -> None:
    """On stdout, with 0, and its first line says what it does."""
    told = flowcore(verb, "--help")

    assert (0, "") == (told.code, told.err)
    assert told.out.startswith(f"usage: flowcore {verb} ")
    assert verb == "cache" or "for example: " in told.out


@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["rnu"], "there is no verb 'rnu'. Did you mean 'run'"),
        (["--verison"], "there is no option '--verison'"),
        (["config", "--jsn"], "there is no option --jsn. Did you mean '--json'"),
        (["config", "left"], "there is no place for 'left'"),
        (["do\x1b[2Jctor"], "do\\\\x1b[2Jctor"),
    ],
)
def test_wrong_words_are_2(flowcore: Terminal, arguments: list[str], told: str) -> None:
    """With what was probably meant, on stderr."""
    ran = flowcore(*arguments)

    assert (2, "") == (ran.code, ran.out)
    assert told in ran.err


def test_nothing_said_is_2(flowcore: Terminal) -> None:
    """The verbs are listed all the same."""
    assert (2, overview() + "\n") == (flowcore().code, flowcore().out)


def test_the_version(flowcore: Terminal) -> None:
    """One line."""
    assert flowcore("--version").out.startswith("flowcore ")


def test_a_reader_that_leaves(flowcore: Terminal) -> None:
    """`flowcore config | head -0` is no failure, and nothing is printed about it."""
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m flowcore config | true; echo ${{PIPESTATUS[0]}}"],
        cwd=flowcore.folder, env=ENVIRON, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert ("0\n", "") == (done.stdout, done.stderr)


def test_config_shows_origins(flowcore: Terminal) -> None:
    """Each option with its value and where that comes from, as text and as JSON."""
    file = flowcore.write("flowcore.toml", "seed = 5\n")
    flowcore.environ = {"FLOWCORE_WORKERS": "3", "FLOWCORE_TOKEN": "x"}
    text, data = flowcore("config", "--store", "here").out, flowcore("config", "--store", "here", "--json").json
    options = {row["name"]: (row["value"], row["origin"]) for row in data["options"]}

    assert (1, ["FLOWCORE_TOKEN"], list(OPTION_NAMES)) == (data["schema"], data["unknown_variables"], list(options))
    assert (3, "FLOWCORE_WORKERS") == options["workers"]
    assert (5, str(file)) == options["seed"]
    assert ("here", "argument") == options["store"]
    assert [["seed", "5", str(file)]] == [line.split() for line in text.splitlines() if line.startswith("seed")]
    assert "FLOWCORE_TOKEN is set, and is no option." in text


@pytest.mark.contract("E2")
def test_a_wrong_file_is_2(flowcore: Terminal) -> None:
    """Several mistakes are told together."""
    file = flowcore.write("flowcore.toml", "sede = 5\nworkers = 0\n")
    ran = flowcore("config")

    assert (2, "") == (ran.code, ran.out)
    assert f"({file}). Did you mean 'seed'?" in ran.err
    assert f"Option 'workers' is 0, not a whole number, 1 or more ({file})." in ran.err


def test_a_graph_as_a_tree(swept: Terminal) -> None:
    """Each node under what feeds it, with its cells and axes; nothing runs."""
    ran = swept("graph", "sweep.py", "--rates", "0.1,0.2")

    assert [
        "sweep: 3 nodes, 5 cells",
        "└─ erode  compute, 2 cells over rate",
        "   └─ height  compute, 2 cells over rate",
        "      └─ total  compute, 1 cell",
    ] == ran.out.splitlines()
    assert 0 == swept.tally()


def test_a_graph_as_json_is_networkx_s(swept: Terminal) -> None:
    """Networkx reads it back as the same graph."""
    data = swept("graph", "sweep.py", "--rates", "0.1,0.2", "--json").json
    graph = nx.node_link_graph(data, edges="edges")

    assert 1 == data["schema"]
    assert [("erode", "height"), ("height", "total")] == list(graph.edges)
    assert ("compute", 2, ["rate"]) == tuple(graph.nodes["erode"][key] for key in ("kind", "cells", "axes"))


def test_node_link_data_is_as_networkx_gives_it() -> None:
    """Made by hand, since the name of the edges differs between versions of networkx."""
    graph = nx.DiGraph([("a", "b", {"after": False})], name="g")

    assert nx.node_link_data(graph, edges="edges") == node_link(graph)


def test_a_graph_for_other_programs(swept: Terminal) -> None:
    """As DOT and Mermaid; names are quoted."""
    swept.write(
        "odd.py",
        "import flowcore as fc\nflow = fc.Flow('f')\nflow.add(abs, flow.add(len, '', name='a\"b'))\n",
    )
    ran = swept("graph", "odd.py", "--format", "dot")

    assert 'digraph "f" {' == ran.out.splitlines()[0]
    assert '"a\\"b" -> "abs"' in ran.out
    assert 'n0["a#34;b"]' in swept("graph", "odd.py", "--format", "mermaid").out


def test_a_graph_is_written_as_its_path_ends(swept: Terminal) -> None:
    """A picture, and all other forms; the path is printed. With --cells, JSON has a node for each cell."""
    endings = ("svg", "dot", "mmd", "json", "txt")
    told = [swept("graph", "sweep.py", "--rates", "0.1,0.2", "-o", f"x.{end}").out for end in endings]
    found = [(swept.folder / f"x.{end}").read_text().split(maxsplit=1)[0] for end in endings]
    cells = swept("graph", "sweep.py", "--rates", "0.1,0.2", "--json", "--cells").json

    assert [f"x.{end}\n" for end in endings] == told
    assert ["<svg", "digraph", "flowchart", "{", "sweep:"] == found
    assert "erode[rate=0.2]" in [node["id"] for node in cells["nodes"]]


def test_a_form_that_is_none_is_refused(swept: Terminal) -> None:
    """An ending or a form that nobody knows, two forms at once, a place that is not there: usage, and one sentence."""
    asked = (["-o", "x.png"], ["--format", "sgv"], ["--json", "--format", "dot"], ["--cells"], ["-o", "no/x.svg"])
    seen = [swept("graph", "sweep.py", "--rates", "0.1", *more) for more in asked]

    assert [2] * 5 == [ran.code for ran in seen]
    assert "end it in .svg" in seen[0].err
    assert "Did you mean 'svg'" in seen[1].err
    assert "no/x.svg cannot be written: No such file or directory." in seen[4].err


def test_trees_of_any_depth_and_shape() -> None:
    """Each node once, under the last that feeds it; long chains are no recursion."""
    facts = {"kind": "compute", "cells": 1, "axes": []}
    chain = nx.path_graph(CHAIN, create_using=nx.DiGraph)
    chain = nx.relabel_nodes(chain, str)
    nx.set_node_attributes(chain, dict.fromkeys(chain, facts))
    chain.graph["name"] = "chain"
    diamond = nx.DiGraph([("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")], name="diamond")
    nx.set_node_attributes(diamond, {node: {**facts, "cells": None} for node in diamond})
    empty = nx.DiGraph(name="empty")

    assert CHAIN + 1 == len(list(tree(chain)))
    assert ["empty: 0 nodes, 0 cells"] == list(tree(empty))
    assert [
        "diamond: 4 nodes, 0+ cells",
        "└─ a  compute, cells known in the run",
        "   ├─ b  compute, cells known in the run",
        "   └─ c  compute, cells known in the run",
        "      └─ d  compute, cells known in the run  (also from b)",
    ] == list(tree(diamond))
