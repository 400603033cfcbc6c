"""The text of the functions that cells run, found once where it is new, for `why` to show what was edited.

Owns the finding of source text: that of a file counts only if compiling it gives the
very code that runs, since the file may have been edited after it was loaded. Never used
to identify anything, and never on a warm run: a node is looked at when its first cell
has to run.
"""

from __future__ import annotations

import linecache
import textwrap
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from flowcore.plan.bytecode import code_form
from flowcore.plan.encode import NoEncoding
from flowcore.plan.pieces import constant_identity
from flowcore.run.ready.recipe import Recipe
from flowcore.store.sources import Sources

Places = dict[tuple[int, str], list[CodeType]]  # first line and name -> code that begins there


class Texts:
    """Finds the text of functions; files are read and compiled once. One thread."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[list[str], Places]] = {}

    def of(self, function: FunctionType) -> str:
        """Give the text of a function, without the indentation of its place; empty if it is not to be had."""
        code = function.__code__
        lines, places = self._file(code.co_filename, function.__globals__)
        text = textwrap.dedent("".join(lines[code.co_firstlineno - 1 : _last_line(code)]))
        wanted = _form(code)
        if any(_form(one) == wanted for one in places.get((code.co_firstlineno, code.co_name), ())):
            return text
        # A file may be executed in parts, as sphinx-gallery does. A function and an import that it uses are compiled
        # apart then, and Python (3.11 to 3.13) calls into an imported module otherwise than in a whole file.
        alone = _places(text, code.co_filename).get((1, code.co_name), ())
        return text if any(_form(one) == wanted for one in alone) else ""

    def _file(self, name: str, namespace: dict[str, Any]) -> tuple[list[str], Places]:
        """Give the lines of a file and the code in it."""
        known = self._files.get(name)
        if known is None:
            lines = linecache.getlines(name, namespace)
            known = self._files[name] = (lines, _places("".join(lines), name))
        return known


class Sourcing:
    """Keeps the text of what the nodes of a run are made of. The engine's thread."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._seen: set[int] = set()
        self._looked: set[bytes] = set()  # recipes share functions: each is looked for once
        self._texts = Texts()

    def tell(self, recipe: Recipe) -> None:
        """Cells of a recipe have to run: keep the text of its functions, if it is not there."""
        if recipe.task.id in self._seen:
            return
        self._seen.add(recipe.task.id)
        functions = recipe.functions()
        strange = functions.keys() - self._looked
        self._looked |= strange
        for digest in sorted(self._sources.missing(strange)):
            text = self._texts.of(functions[digest])
            if text:
                self._sources.put(digest, text)


def _places(text: str, name: str) -> Places:
    places: Places = {}
    try:
        waiting = [compile(text, name, "exec", dont_inherit=True)] if text else []
    except (SyntaxError, ValueError):  # a cell of a notebook with magic in it, or no Python at all
        return {}
    while waiting:
        code = waiting.pop()
        places.setdefault((code.co_firstlineno, code.co_name), []).append(code)
        waiting += _nested(code)
    return places


def _nested(code: CodeType) -> Iterator[CodeType]:
    return (held for held in code.co_consts if isinstance(held, CodeType))


def _form(code: CodeType) -> bytes:
    try:
        return code_form(code, constant_identity)
    except NoEncoding:
        return b""


def _last_line(code: CodeType) -> int:
    """Give the last line that the code, or code in it, has anything on."""
    last, waiting = code.co_firstlineno, [code]
    while waiting:
        one = waiting.pop()
        last = max(last, *(end for _, end, _, _ in one.co_positions() if end is not None), last)
        waiting += _nested(one)
    return last
