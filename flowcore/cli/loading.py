"""From ``FILE.py:flow`` to a drawn flow: the file is executed as running it would, and its flow is drawn.

The file becomes ``__main__``, as it is when Python runs it: its functions reach workers
by value and its classes by the stem of the file, so keys are those of the script itself
(contract K14), and no worker ever executes the file. Only what stands under
``if __name__ == "__main__"`` is left out: that is the script's own command line.
"""

from __future__ import annotations

import argparse
import ast
import importlib.machinery
import os
import re
import sys
import traceback
import types
from collections.abc import Sequence
from typing import Any, TypeAlias

from flowcore.cli.docstring import described
from flowcore.cli.parser import Parser, Raised, Usage
from flowcore.cli.signature import Option, add_options, call_of, options_of
from flowcore.dataclass import dataclass
from flowcore.errors import FlowcoreError, did_you_mean, nearest, shorten
from flowcore.flow import Flow
from flowcore.flowfunction import FlowFunction

Found: TypeAlias = Flow | FlowFunction[Any]

_NAMED = re.compile(r"(?P<path>.+):(?P<flow>[^\W\d]\w*)", re.DOTALL)
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_HELP = ("-h", "--help")
_FRAMES = 8  # of the user's, the innermost ones


class Drawer:
    """A flow in a file, and the options that its parameters are.

    Parameters
    ----------
    source : str
        ``FILE.py`` or ``FILE.py:flow``.
    """

    def __init__(self, source: str) -> None:
        named = _NAMED.fullmatch(source)
        self.path = named["path"] if named else source
        self.found = find(load(self.path), named["flow"] if named else "", self.path)
        self._options: list[Option] = []

    @property
    def name(self) -> str:
        """What the flow is called."""
        return self.found.name

    @property
    def about(self) -> str:
        """What the drawing function says of itself."""
        return described(self.found.__doc__).summary if isinstance(self.found, FlowFunction) else ""

    def add_options(self, parser: Parser) -> None:
        """Add an option for each parameter."""
        if not isinstance(self.found, FlowFunction):
            return
        self._options = options_of(self.found.function, taken=parser._option_string_actions)
        if self._options:
            add_options(parser.add_argument_group(f"parameters of {self.name}"), self._options)

    def draw(self, given: argparse.Namespace) -> Flow:
        """Draw the flow with the parameters given.

        Raises
        ------
        Usage
            If a parameter is missing.
        Raised
            If the drawing function raises.
        FlowcoreError
            If the drawing is wrong.
        """
        if isinstance(self.found, Flow):
            return self.found
        args, kwargs = call_of(self.found.function, self._options, vars(given))
        try:
            drawn: object = self.found(*args, **kwargs)
        except (FlowcoreError, ExceptionGroup):
            raise
        except Exception as error:
            raise Raised(f"{self.name}() raised while it was drawn:\n{users_frames(error)}") from error
        if not isinstance(drawn, Flow):
            raise Usage(f"{self.name} gave a {type(drawn).__name__}, and no flow.")
        return drawn


@dataclass(frozen=True, slots=True)
class Request:
    """What a verb that draws was asked."""

    drawer: Drawer
    given: argparse.Namespace


def read_with_file(parser: Parser, arguments: Sequence[str]) -> Request:
    """Read arguments that name a file, some of which only the file can explain.

    `parser` has the verb's own options, and a positional argument ``source``, without
    help of its own: ``--help`` after a file tells its flow's parameters as well.
    """
    wants_help = any(argument in _HELP for argument in arguments)
    parser.add_argument(*_HELP, action="help", help="show this, and the parameters of the flow in FILE.py")
    try:
        source = source_in(parser, arguments)
    except Usage:
        if wants_help:
            parser.print_help()
            raise SystemExit(0) from None
        raise
    drawer = Drawer(source)
    parser.description = "\n\n".join(text for text in (drawer.about.replace("%", "%%"), parser.description) if text)
    drawer.add_options(parser)
    return Request(drawer, parser.read(arguments))


def source_in(parser: Parser, arguments: Sequence[str]) -> str:
    """Tell which file arguments name, without a look at it; `parser` is one for :func:`read_with_file`."""
    first = parser.joined([argument for argument in arguments if argument not in _HELP])
    return str(parser.parse_known_args(first)[0].source)


def load(path: str, script: Sequence[str] | None = None) -> types.ModuleType:
    """Execute a file as ``__main__``: without what only a script does, or as the `script` with these arguments.

    Raises
    ------
    Usage
        If the file cannot be read.
    Raised
        If it is no Python, or raises.
    """
    full = os.path.abspath(path)
    loader = importlib.machinery.SourceFileLoader("__main__", full)
    module = types.ModuleType("__main__")
    module.__file__, module.__loader__ = full, loader
    try:
        source = loader.get_data(full)
    except OSError as error:
        raise Usage(f"{shorten(path)} cannot be read: {error.strerror}.") from None
    try:
        tree = ast.parse(source, full)
        tree = _NoScript().visit(tree) if script is None else tree
        code = compile(tree, full, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise Raised(f"{shorten(path)} is no Python that this Python reads:\n{users_frames(error)}") from None
    sys.modules["__main__"] = module
    sys.argv = [path, *(script or ())]
    _put_first(os.path.dirname(full))
    try:
        exec(code, module.__dict__)
    except (FlowcoreError, ExceptionGroup):
        raise
    except Exception as error:
        raise Raised(f"{shorten(path)} raised while it was loaded:\n{users_frames(error)}") from error
    return module


def find(module: types.ModuleType, name: str, path: str) -> Found:
    """Find the flow of that name, or the only one.

    Raises
    ------
    Usage
        If there is none, or there are several and none is named.
    """
    flows = {key: value for key, value in vars(module).items() if isinstance(value, Flow | FlowFunction)}
    if name in flows:
        return flows[name]
    if name:
        here = f"It has {', '.join(flows)}." if flows else "It has no flow at all."
        raise Usage(f"{shorten(path)} has no flow {name!r}.{did_you_mean(nearest(name, flows))} {here}")
    own = [key for key, value in flows.items() if not key.startswith("_") and _drawn_here(value)]
    chosen = {id(flows[key]): key for key in reversed(own or list(flows))}  # of several names, the first
    if len(chosen) == 1:
        return flows[next(iter(chosen.values()))]
    if not chosen:
        raise Usage(f"{shorten(path)} has no flow: neither a function under @fc.flow nor an fc.Flow.")
    names = list(chosen.values())[::-1]
    raise Usage(f"{shorten(path)} has {len(names)} flows: {', '.join(names)}. Name one: {shorten(path)}:{names[0]}")


def users_frames(error: BaseException) -> str:
    """Give the traceback of an error without frames of ours or of Python's import."""
    told = traceback.TracebackException.from_exception(error)
    waiting = [told]
    while waiting:
        one = waiting.pop()
        kept = [frame for frame in one.stack if not frame.filename.startswith((_OURS, "<frozen "))]
        one.stack = traceback.StackSummary.from_list(kept[-_FRAMES:])
        waiting += [next_one for next_one in (one.__cause__, one.__context__) if next_one is not None]
    return "".join(told.format()).rstrip()


def _drawn_here(found: Found) -> bool:
    return isinstance(found, Flow) or found.function.__module__ == "__main__"


def _put_first(directory: str) -> None:
    """Make `directory` the first place of imports, in place of where the command itself was found."""
    if not sys.flags.safe_path and sys.path:
        del sys.path[0]
    sys.path.insert(0, directory)


class _NoScript(ast.NodeTransformer):
    """Makes ``__name__ == "__main__"`` false outside of functions."""

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """Replace the comparison."""
        sides = [node.left, *node.comparators]
        names = {side.id for side in sides if isinstance(side, ast.Name)}
        texts = {side.value for side in sides if isinstance(side, ast.Constant)}
        if len(sides) != 2 or names != {"__name__"} or texts != {"__main__"}:
            return node
        return ast.copy_location(ast.Constant(not isinstance(node.ops[0], ast.Eq)), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Leave functions as they are."""
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        """Leave functions as they are."""
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        """Leave functions as they are."""
        return node
