"""Claims about store/pickling.py: what goes by its name, and what by value."""

from __future__ import annotations

import importlib
import subprocess
import sys
import types
from pathlib import Path

import pytest

from flowcore.errors import NotPicklable
from flowcore.store.pickling import dump

# As zarr and others do, to say something of their own when an attribute is set or missing.
LIBRARY = """
import sys, threading, types
class Verbose(types.ModuleType):
    pass
VALUE, LOCK = 41, threading.Lock()
sys.modules[__name__].__class__ = Verbose
"""


def test_a_module_with_a_class_of_its_own_goes_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that has it as a global travels; the other process imports what is there under the name."""
    tmp_path.joinpath("verbose_library.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(tmp_path)
    library = importlib.import_module("verbose_library")
    function = eval("lambda: library.VALUE + 1", {"library": library, "__name__": "__main__"})
    payload, _ = dump(function, "function", within=True)
    loaded = subprocess.run(
        [sys.executable, "-c", "import pickle, sys; print(pickle.load(sys.stdin.buffer)())"],
        input=payload, capture_output=True, check=True, env={"PYTHONPATH": f"{tmp_path}:{':'.join(sys.path)}"},
    )  # fmt: skip

    assert type(library) is not types.ModuleType
    assert b"42" == loaded.stdout.strip()


def test_a_module_that_nobody_else_can_import_does_not_go_by_its_name() -> None:
    """It would be another one there, or none."""
    made = type("Verbose", (types.ModuleType,), {})("made_here")
    sys.modules["made_here"] = made
    try:
        with pytest.raises(NotPicklable, match=r"global it is a .*Verbose"):
            dump({"it": eval("lambda: it.x", {"it": made, "__name__": "__main__"})}, "value")
    finally:
        del sys.modules["made_here"]
