"""Claims about all readers of bytes: any input is a value, or a refusal in flowcore's own words (S7, P2).

The short form of `make fuzz`, and every input that ever was a mistake.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz import saboteurs_of_readers
from tests.fuzz.campaign import Campaign, mistake_of
from tests.fuzz.child import FOUND
from tests.fuzz.guards import limited_time
from tests.fuzz.readers import READERS
from tests.fuzz.trees import parse

SHORT = {"options": 400, "stories": 120, "drawings": 800, "records": 1200, "journal": 1500}  # inputs; of others:
USUAL = 2000
STEP = 50
EAGER = 60


@pytest.fixture(autouse=True)
def as_a_child() -> Iterator[None]:
    """Keep the time that an input may take, and let libraries warn of what they are given."""
    with warnings.catch_warnings(), limited_time():
        warnings.simplefilter("ignore")
        yield


def mistakes(name: str, inputs: int, *, seed: int = 1) -> dict[str, bytes]:
    """Fuzz a reader until there is a mistake, or so many inputs were read."""
    found: dict[str, bytes] = {}
    campaign = Campaign(
        READERS[name], seed, hold=lambda _: None, found=lambda what, data, _: found.update({what: data}), eager=EAGER
    )
    campaign.begin()
    while not found and campaign.figures.inputs < inputs:
        campaign.more(STEP)
    return found


@pytest.mark.contract("H5", "S7", "P2")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "stories" else ()) for name in READERS]
)
def test_a_reader_gives_a_value_or_refuses(name: str) -> None:
    """Some thousand inputs: none is a mistake.

    Whoever tells a run from its journal goes through a whole package for each input; a
    hundred of them say little, and are others each time, as is the run that they are made of.
    """
    assert {} == mistakes(name, SHORT.get(name, USUAL))


@pytest.mark.contract("H5", "S7", "P2")
@pytest.mark.parametrize("name", READERS)
def test_what_was_a_mistake_is_none(name: str) -> None:
    """Each input that a campaign found is read as it should be."""
    READERS[name].seeds()
    found = {path.name: mistake_of(READERS[name], path.read_bytes()) for path in (FOUND / name).glob("*.bin")}

    assert {} == {file: mistake for file, mistake in found.items() if mistake}


@pytest.mark.contract("H7", "H5", "J1", "J9", "C2", "S7", "P2", "W2", "E2")
@pytest.mark.parametrize(
    ("name", "patch"),
    [
        ("frames", "crc_without_the_place"), ("journal", "columns_are_believed"), ("records", "only_bad_records"),
        ("arrays", "names_are_believed"), ("index", "blocks_are_believed"), ("states", "state_of_any_number"),
        ("wire", "lengths_are_believed"), ("results", "results_are_believed"), ("drawings", "drawings_are_asserted"),
        ("options", "only_toml_errors"), ("stories", "journals_are_believed"),
    ],
)  # fmt: skip
def test_a_broken_reader_is_found(name: str, patch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the inputs of the short form."""
    READERS[name].seeds()
    saboteurs_of_readers.SABOTEURS[patch](monkeypatch.setattr)

    assert mistakes(name, SHORT.get(name, USUAL))


def test_every_reader_has_a_saboteur() -> None:
    """A reader that nothing was seen to fail would prove nothing."""
    assert len(READERS) == len(saboteurs_of_readers.SABOTEURS)


@pytest.mark.parametrize("name", ["records", "journal", "results", "drawings"])
def test_a_tree_that_is_not_changed_is_its_bytes(name: str) -> None:
    """So what a mutation leaves alone stays as it was written."""
    seeds = READERS[name].seeds()

    assert seeds == [parse(data).packed for data in seeds]
    assert all(len(parse(data).paths()) > 1 for data in seeds if len(data) > 200)


def test_a_campaign_goes_on_where_it_was(tmp_path: Path) -> None:
    """Cut short and begun again, it reads the same inputs as one that was not."""

    def figures(folder: Path, inputs: int) -> dict[str, object]:
        line = [sys.executable, "-m", "tests.fuzz.child", "results", str(folder), str(inputs), "7"]
        subprocess.run(line, check=True, cwd=Path(__file__).parents[2])
        found = json.loads((folder / "results.figures").read_text())
        return {name: found[name] for name in ("inputs", "outcomes", "mistakes")}

    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    figures(tmp_path / "parts", 300)

    assert figures(tmp_path / "whole", 600) == figures(tmp_path / "parts", 600)
