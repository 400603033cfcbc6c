"""What every test of a plugin gets, as those of flowcore do."""

from tests.conftest import nothing_left_behind, store

__all__ = ["nothing_left_behind", "store"]
