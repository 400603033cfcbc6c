"""What tests of the plugin get: a real Slurm, where one can run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

import one_box


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Run a Slurm on this machine; give the environment in which its commands find it."""
    if reason := one_box.lacking():
        pytest.skip(f"NO REAL SLURM IS TESTED: {reason}")
    with one_box.running(tmp_path_factory.mktemp("slurm")) as environ:
        yield environ
