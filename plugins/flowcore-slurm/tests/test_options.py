"""Claims about options.py: where options come from, and what becomes of them."""

from __future__ import annotations

import dataclasses
import doctest
from pathlib import Path
from typing import Any

import pytest

from flowcore.errors import BadOption
from flowcore_slurm import options
from flowcore_slurm.options import PilotOptions, Pilots, batch_script


def test_examples_run() -> None:
    """The examples of the docstrings give what they say."""
    assert 0 == doctest.testmod(options).failed


def test_the_typed_options_are_the_record() -> None:
    """What a type checker knows of `pilots(...)` is what there is."""
    assert {field.name for field in dataclasses.fields(Pilots)} == set(PilotOptions.__annotations__)


def test_an_argument_wins_over_the_file(tmp_path: Path) -> None:
    """What the project's file says counts where nothing else is said."""
    (tmp_path / "flowcore.toml").write_text('[executors.slurm]\npartition = "short"\ntime = "1:00:00"\n')
    found = Pilots.of(directory=str(tmp_path), time="2:00:00")

    assert ("short", "2:00:00") == (found.partition, found.time)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"tmie": "1:00"}, "time"),
        ({"time": 30}, "text"),
        ({"cpus": 0}, "1 or more"),
        ({"idle": "soon"}, "seconds"),
        ({"lines": "--exclusive"}, "a list"),
        ({"partition": "a\n#SBATCH --x"}, "text"),
        ({"leave": "no"}, "true or false"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_read_is_told(wrong: dict[str, Any], told: str, tmp_path: Path) -> None:
    """A wrong name or value is refused by name before Slurm is asked for anything."""
    with pytest.raises(BadOption, match=told) as caught:
        Pilots.of(directory=str(tmp_path), **wrong)

    assert next(iter(wrong)) == caught.value.option


def test_a_wrong_file_is_told_with_its_place(tmp_path: Path) -> None:
    """Who wrote the file learns which one it is."""
    (tmp_path / "flowcore.toml").write_text("[executors.slurm]\npartitoin = 'x'\n")
    with pytest.raises(BadOption) as caught:
        Pilots.of(directory=str(tmp_path))

    assert str(tmp_path / "flowcore.toml") == caught.value.at


def test_what_was_not_said_is_not_asked_for() -> None:
    """The cluster's defaults, and SBATCH_PARTITION and its like, count where nothing was said."""
    script = batch_script(Pilots(), name="f", log="/x", worker=[])

    assert [] == [word for word in ("partition", "time=", "account", "qos", "mem", "gpus") if word in script]


def test_further_lines_and_commands_come_before_the_pilot() -> None:
    """What flowcore has no option for can be said as sbatch has it."""
    pilots = Pilots(lines=("--exclusive",), setup="module load python\nulimit -c 0", python="py")
    lines = batch_script(pilots, name="f", log="/x", worker=[]).splitlines()

    assert ["#SBATCH --exclusive", "module load python", "ulimit -c 0"] == lines[-4:-1]
    assert lines[-1].startswith("exec py -m flowcore worker")
