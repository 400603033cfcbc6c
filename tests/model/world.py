"""The user's code in the model: a module whose functions are edited, written to a file and loaded.

Owns what an edit means: knobs change what a function gives, or only how it is written;
dressing changes nothing at all. The identity of a state of the code is made of knobs
alone, so it knows nothing of bytecode.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.drawings import Code
from tests.vocabulary import FUNCTIONS

MODULE = "flowcore_model_world"
KNOBS = ("body", "default", "closure", "constant", "table", "helper", "deep", "idle", "years")
DRESSING = ("comment", "docstring", "annotation", "blank", "order")


@dataclass(frozen=True)
class State:
    """How one function is written."""

    body: int = 0
    default: int = 0
    closure: int = 0
    constant: int = 0
    table: int = 0
    helper: int = 0
    deep: int = 0
    idle: int = 0  # changes the code and no value
    years: int = 0  # how much further a simulation goes; of no other function

    @property
    def salt(self) -> tuple[int, ...]:
        """What the function adds to its arguments, as its source below does."""
        return (self.body, self.default, self.closure, self.constant, self.table, 3 + self.deep + self.helper)


@dataclass(frozen=True)
class World:
    """All functions, as they are written."""

    states: Mapping[str, State]
    dressing: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(DRESSING, 0))

    @classmethod
    def of(cls, names: Iterable[str]) -> World:
        """Give the first state."""
        return cls({name: State() for name in sorted(set(names) & FUNCTIONS.keys())})

    def turned(self, name: str, knob: str, value: int) -> World:
        """Give the world after an edit of one function."""
        knob = "idle" if knob == "years" and name != "longer" else knob
        return replace(self, states={**self.states, name: replace(self.states[name], **{knob: value})})

    def dressed(self, what: str, value: int) -> World:
        """Give the world after an edit without meaning."""
        return replace(self, dressing={**self.dressing, what: value})

    def source(self) -> str:
        """Give the module's text."""
        names = sorted(self.states, reverse=bool(self.dressing["order"] % 2))
        return "\n".join(
            ["import flowcore as fc", "import tests.vocabulary", *(self._function(name) for name in names)]
        )

    def _function(self, name: str) -> str:
        state, dressing = self.states[name], self.dressing
        hint = f": {('int', 'str', 'object')[dressing['annotation'] % 3]}" if dressing["annotation"] else ""
        parts = [
            f"{name}_constant = {state.constant}",
            f"{name}_table = {{'k': {state.table}}}",
            f"def {name}_deep(x):\n    # comment {dressing['comment']}\n    return x * 3 + {state.deep}",
            f"def {name}_helper(x):\n    return {name}_deep(x) + {state.helper}",
            *[f"def {name}_make(closure):"] * (name in NESTED),
        ]
        asked, given = MORE.get(name, ("", ""))
        asked = asked.format(years=3 + state.years)
        start, wait = ("async def", "await ") if name == "waits" else ("def", "")
        closure = "closure" if name in NESTED else str(state.closure)
        lines = [
            f"{start} {name}(a, b=None, c=None, *, default{hint}={state.default}{asked}):",
            *[f'    """Version {dressing["docstring"]}."""'] * bool(dressing["docstring"]),
            f"    idle = {state.idle}",
            *["    # nothing here"] * dressing["comment"],
            *[""] * dressing["blank"],
            f"    salt = ({state.body}, default, {closure}, {name}_constant, {name}_table['k'], {name}_helper(1))",
            f"    return {wait}tests.vocabulary.{name}(a, b, (c, salt){given})",
        ]
        if name in NESTED:
            body = "\n".join(f"    {line}" for line in [*lines, f"return {name}"])
            return "\n".join([*parts, body, f"{name} = {name}_make({state.closure})", ""])
        return "\n".join([*parts, *lines, ""])

    def load(self, folder: Path) -> dict[str, Code]:
        """Write the module and load it; give its functions with what they are."""
        path = folder / f"{MODULE}.py"
        path.write_text(self.source())
        spec = importlib.util.spec_from_file_location(MODULE, path)
        assert spec is not None, "a path to a file"
        module = importlib.util.module_from_spec(spec)
        sys.modules[MODULE] = module
        exec(compile(path.read_text(), str(path), "exec"), module.__dict__)  # never a stale .pyc (cpython#75953)
        return self.codes(module.__dict__)

    def codes(self, namespace: Mapping[str, Any]) -> dict[str, Code]:
        """Give the functions of a module that was made of our source, with what they are."""
        return {
            name: Code(
                namespace.get(name), (name, *astuple(state)), state.salt, (3 + state.years,) * (name == "longer")
            )
            for name, state in self.states.items()
        }


MORE = {  # parameters that a function has besides, and what it hands on
    "walk": (", ckpt=fc.Checkpoint()", ", ckpt"),
    "longer": (", years={years}, ckpt=fc.Checkpoint()", ", years, ckpt"),
    "noise": (", rng=fc.rng()", ", rng, (a, b, c, default)"),
    "drift": (", ckpt=fc.Checkpoint(), rng=fc.rng()", ", ckpt, rng, (a, b, c, default)"),
}
NESTED = frozenset(name for name in FUNCTIONS if len(name) % 2)  # closures; the others can be imported
