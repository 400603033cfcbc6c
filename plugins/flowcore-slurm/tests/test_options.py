"""Claims about options.py: where options come from, and what becomes of them."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any

import pytest

import flowcore_slurm
from flowcore.errors import BadOption
from flowcore_slurm import options
from flowcore_slurm.options import Pilots, sbatch, script


def test_examples_run() -> None:
    """The examples of the docstrings give what they say."""
    assert [0, 0] == [doctest.testmod(module).failed for module in (flowcore_slurm, options)]


def test_an_argument_wins_over_the_file(tmp_path: Path) -> None:
    """What the project's file says counts where nothing else is said."""
    (tmp_path / "flowcore.toml").write_text('[executors.slurm]\npartition = "short"\ntime = "1:00:00"\n')
    found = Pilots.of({"time": "2:00:00"}, directory=str(tmp_path))

    assert ("short", "2:00:00") == (found.partition, found.time)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"tmie": "1:00"}, "time"),
        ({"time": 30}, "text"),
        ({"cpus": 0}, "1 or more"),
        ({"idle": "soon"}, "seconds"),
        ({"extra": "--exclusive"}, "a list"),
        ({"partition": 3}, "text"),
        ({"leave": "no"}, "true or false"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_read_is_told(wrong: dict[str, Any], told: str, tmp_path: Path) -> None:
    """A wrong name or value is refused by name before Slurm is asked for anything."""
    with pytest.raises(BadOption, match=told) as caught:
        Pilots.of(wrong, directory=str(tmp_path))

    assert next(iter(wrong)) == caught.value.option


def test_a_wrong_file_is_told_with_its_place(tmp_path: Path) -> None:
    """Who wrote the file learns which one it is."""
    (tmp_path / "flowcore.toml").write_text("[executors.slurm]\npartitoin = 'x'\n")
    with pytest.raises(BadOption) as caught:
        Pilots.of({}, directory=str(tmp_path))

    assert str(tmp_path / "flowcore.toml") == caught.value.at


def test_what_was_not_said_is_not_asked_for() -> None:
    """The cluster's defaults, and SBATCH_PARTITION and its like, count where nothing was said."""
    command = " ".join(sbatch(Pilots(), name="f", log="/x", folder="/"))

    assert [] == [word for word in ("partition", "time=", "account", "qos", "mem", "gpus") if word in command]


def test_further_words_come_last() -> None:
    """What flowcore has no option for, or has another mind about, can be said as sbatch has it."""
    command = sbatch(Pilots(extra=("--exclusive", "--signal=USR1@300")), name="f", log="/x", folder="/")

    assert ["--exclusive", "--signal=USR1@300"] == command[-2:]


def test_commands_come_before_the_pilot() -> None:
    """Modules can be loaded where the pilot runs; it takes the shell's place, and with it Slurm's notice."""
    lines = script(Pilots(setup="module load python\nulimit -c 0", python="py"), "/a box").splitlines()

    assert ["#!/bin/sh", "module load python", "ulimit -c 0"] == lines[:3]
    assert lines[-1].startswith("exec py -m flowcore worker --spool '/a box' --workers 1 --idle 60 --label")
