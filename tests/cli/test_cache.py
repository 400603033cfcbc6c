"""Claims about ``flowcore cache``: what its verbs print, remove and answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import SWEEP, Terminal


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder in which a sweep has run, and run again."""
    terminal = Terminal(tmp_path_factory.mktemp("swept"))
    terminal.write("sweep.py", SWEEP)
    for _ in range(2):
        assert 0 == terminal("run", "sweep.py", "--rates", "0.1,0.2").code
    return terminal.folder


@pytest.fixture
def run_twice(once: Path, tmp_path: Path) -> Terminal:
    """Give a copy of it."""
    shutil.copytree(once, tmp_path / "copy")
    return Terminal(tmp_path / "copy")


def test_tasks_and_their_results_are_listed(run_twice: Terminal) -> None:
    """Task by task, and the results of one."""
    tasks = {task["task"]: task for task in run_twice("cache", "ls", "--json").json["tasks"]}
    results = run_twice("cache", "ls", "erode", "--json").json["results"]
    words = run_twice("cache", "ls").out.splitlines()

    assert {"__main__.erode": 2, "__main__.height": 2, "__main__.total": 1} == {
        t: f["results"] for t, f in tasks.items()
    }
    assert {"__main__.erode"} == {result["task"] for result in results}
    assert 2 == len({result["key"] for result in results})
    assert ["task", "results", "size", "took"] == words[0].split()
    assert 4 == len(words)


def test_sizes_by_kind(run_twice: Terminal) -> None:
    """They add up."""
    found = run_twice("cache", "du", "--json").json

    assert found["bytes"] == sum(kind["bytes"] for kind in found["kinds"].values())
    assert 2 <= found["kinds"]["journals"]["files"]
    assert "journals" in run_twice("cache", "du").out


@pytest.mark.contract("E10")
def test_damage_is_found_told_and_put_aside(run_twice: Terminal) -> None:
    """Exit code 1 names what is damaged; afterwards all is sound and the cells run again."""
    sound = run_twice("cache", "verify")
    journal = min((run_twice.folder / ".flowcore" / "v1" / "journals").glob("*.journal"))
    content = bytearray(journal.read_bytes())
    content[len(content) // 2] ^= 1
    journal.write_bytes(content)
    foretold = run_twice("cache", "verify", "--read-only", "--json")
    found = run_twice("cache", "verify")
    again = run_twice("cache", "verify")

    assert (0, "All is sound.") == (sound.code, sound.out.splitlines()[-1])
    assert (1, [""], False) == (
        foretold.code, [flaw["moved"] for flaw in foretold.json["flaws"]], foretold.json["sound"],
    )  # fmt: skip
    assert "Without --read-only" in foretold.json["advice"]
    assert 1 == found.code
    assert f"damaged: journal {journal.name}" in found.out
    assert "moved to " in found.out
    assert "run the flow again" in found.out.splitlines()[-1]
    assert 0 == again.code
    assert 0 == run_twice("run", "sweep.py", "--rates", "0.1,0.2").code


def test_room_is_made(run_twice: Terminal) -> None:
    """A dry run foretells it; results stay unless they are given up for the size that was asked for."""
    before = run_twice("cache", "du", "--json").json["bytes"]
    foretold = run_twice("cache", "gc", "--to", "0", "--keep-runs", "0", "--dry-run", "--json").json
    packed = run_twice("cache", "gc", "--keep-runs", "0")
    kept = run_twice("run", "sweep.py", "--rates", "0.1,0.2")
    executed = run_twice.tally()
    given_up = run_twice("cache", "gc", "--to", "1 kB", "--keep-runs", "0", "--json").json

    assert (5, True) == (foretold["results"], foretold["dry_run"])
    assert before > run_twice("cache", "du", "--json").json["bytes"]
    assert "packed: 2 journals into one" in packed.out
    assert (0, 2) == (kept.code, executed)
    assert 5 == given_up["results"]


def test_results_are_cleared(run_twice: Terminal) -> None:
    """Of one task, by its name; of all; and what has none says so."""
    one = run_twice("cache", "clear", "--task", "erode")
    run_twice("run", "sweep.py", "--rates", "0.1,0.2")
    executed = run_twice.tally()
    nothing = [run_twice("cache", *verb, "erod") for verb in (("clear", "--task"), ("ls",))]
    run_twice("cache", "clear", "--all")

    assert "given up: 2 results" in one.out
    assert 4 == executed
    assert [2, 2] == [told.code for told in nothing]
    assert [True, True] == ["there are no results of erod in " in told.err for told in nothing]
    assert [True, True] == ["Did you mean 'erode'?" in told.err for told in nothing]
    assert "There are no results" in run_twice("cache", "ls").out


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["cache", "verfy"], "Did you mean 'verify'?"),
        (["cache", "gc", "--to", "much"], "--to"),
        (["cache", "clear"], "--task"),
        (["cache", "gc", "--keep-runs", "few"], "keep-runs"),
    ],
)
def test_wrong_arguments_are_told(flowcore: Terminal, typed: list[str], told: str) -> None:
    """With what was probably meant; nothing is made."""
    ran = flowcore(*typed)

    assert 2 == ran.code
    assert told in ran.err
    assert [] == list(flowcore.folder.iterdir())


def test_a_place_without_a_store(flowcore: Terminal) -> None:
    """Reading finds nothing; removing says that there is no store."""
    assert 0 == flowcore("cache", "ls").code
    checked = flowcore("cache", "verify")
    assert (0, True) == (checked.code, checked.out.startswith("There is no store at "))
    removing = flowcore("cache", "gc")

    assert 2 == removing.code
    assert "there is no store here" in removing.err
    assert [] == list(flowcore.folder.iterdir())


def test_help_lists_the_verbs(flowcore: Terminal) -> None:
    """With what each does."""
    ran = flowcore("cache", "--help")

    assert 0 == ran.code
    assert ["ls", "du", "verify", "gc", "clear"] == [line.split()[0] for line in ran.out.splitlines()[4:9]]
    assert "for example" in flowcore("cache", "gc", "--help").out
