"""The pass over a task that finds what its loop changes and its checkpoint does not save.

Owns the rule (contract E13): a local that is bound before a loop over ``ckpt.steps`` or
``ckpt.while_``, that is rebound or changed in place in its body, and whose value is
carried from step to step or read after the loop, has to be in the state. Looks at the
source of one function and at nothing else; where there is no source to be had it says
nothing, and what a called function changes it cannot see: `fc.testing.check_resume` can.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from flowcore.dataclass import dataclass
from flowcore.declare.carried import is_carried, names_read, names_stored, own_scope
from flowcore.resuming import UnsavedState

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Loop: TypeAlias = ast.For | ast.AsyncFor

_LOOPS = frozenset({"steps", "while_"})
_CHANGING = frozenset(  # methods that change what they are called on
    "append extend insert pop remove clear sort reverse update setdefault popitem add discard appendleft extendleft "
    "popleft rotate difference_update intersection_update symmetric_difference_update fill put resize itemset "
    "partition setflags setfield subtract put_nowait send __setitem__ __iadd__".split()
)
_CHANGED_FIRST = frozenset(  # functions that change their first argument
    "next copyto put place putmask fill_diagonal put_along_axis shuffle heappush heappop heapify heapreplace "
    "heappushpop insort insort_left insort_right setattr delattr".split()
)
_ADVANCING = frozenset({"default_rng", "RandomState", "Generator", "Random", "SeedSequence"})  # what is drawn from
_PAIRING = frozenset({"enumerate", "zip", "zip_longest"})
_COLLECTING = frozenset({"list", "tuple", "set", "sum", "min", "max", "sorted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """Where a variable is changed, and how."""

    name: str
    line: int
    how: str
    rebound: bool


def unsaved_state(function: Callable[..., Any], checkpoint: str, injected: Sequence[str]) -> UnsavedState | None:
    """Give what is wrong with the loops of a task; None if nothing is, or nothing can be told.

    Parameters
    ----------
    function : callable
        The task's function.
    checkpoint : str
        Its parameter that is supplied with a checkpoint.
    injected : sequence of str
        All parameters that it is supplied for.
    """
    read = _read(function)
    if read is None:
        return None
    tree, file = read
    for part in _collected(tree, checkpoint):
        shown = ast.unparse(part)
        return UnsavedState(
            task=tree.name, names=(shown,), at=f"{file}:{part.lineno}", collects=True,
            lines_at=(f"{file}:{part.lineno}: what {shown} has collected is not saved",),
        )  # fmt: skip
    for loop in _loops(tree, checkpoint):
        permitted = _permitted(loop, checkpoint)
        if permitted is None:
            continue
        changes = (*_carried(tree, loop, checkpoint), *_paired(tree, loop, checkpoint), *_last_seen(tree, loop))
        found = [c for c in changes if c.name not in (*permitted, *injected)]
        if found:
            first: dict[str, _Change] = {}
            for change in sorted(found, key=lambda change: change.line):
                first.setdefault(change.name, change)
            ordered = list(first.values())
            return UnsavedState(
                task=tree.name, names=tuple(c.name for c in ordered), at=f"{file}:{loop.lineno}",
                lines_at=tuple(f"{file}:{c.line}: {c.how}" for c in ordered),
            )  # fmt: skip
    return None


def _read(function: Any) -> tuple[Function, str] | None:
    """Give a function's syntax tree, its lines numbered as in its file."""
    bare = inspect.unwrap(function)
    code = getattr(bare, "__code__", None)
    if code is None:
        return None
    try:
        lines, first = inspect.getsourcelines(bare)
        module = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return None
    ast.increment_lineno(module, max(first, 1) - 1)
    tree = module.body[0] if module.body else None
    if not isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef) or tree.name != code.co_name:
        return None
    named = [argument.arg for argument in (*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs)]
    count = code.co_argcount + code.co_kwonlyargcount
    return (tree, code.co_filename) if tuple(named) == code.co_varnames[:count] else None


def _loops(tree: Function, checkpoint: str) -> Iterator[Loop]:
    """Yield the loops over the checkpoint's steps, wrapped in `enumerate` and the like or named before included."""
    named = {
        target.id
        for part in _within(tree) if isinstance(part, ast.Assign) and _call(part.value, checkpoint) is not None
        for target in part.targets if isinstance(target, ast.Name)
    }  # fmt: skip
    for part in _within(tree):
        if isinstance(part, ast.For | ast.AsyncFor):
            over = _call(part.iter, checkpoint) is not None or bool(names_read(part.iter) & named)
            if over:
                yield part


def _call(node: ast.AST, checkpoint: str) -> ast.Call | None:
    for part in ast.walk(node):
        match part:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)):
                if name == checkpoint and attr in _LOOPS:
                    return part
    return None


def _permitted(loop: Loop, checkpoint: str) -> tuple[str, ...] | None:
    """Give the names in ``unsaved=``; None if they cannot be read here."""
    call = _call(loop.iter, checkpoint)
    if call is None:
        return ()
    given = [keyword.value for keyword in call.keywords if keyword.arg == "unsaved"] + call.args[1:2]
    if not given:
        return ()
    try:
        names = ast.literal_eval(given[0])
    except ValueError:
        return None
    return (names,) if isinstance(names, str) else tuple(map(str, names))


def _carried(tree: Function, loop: Loop, checkpoint: str) -> Iterator[_Change]:
    """Yield the changes of variables that are not in the state, and whose values matter to later steps."""
    before = [part for part in tree.body if part.lineno < loop.lineno]
    bound = {argument.arg for argument in ast.walk(tree.args) if isinstance(argument, ast.arg)}
    bound |= {n for part in _within(tree) if _line(part) < loop.lineno for n in names_stored_here(part)}
    outer = {name for part in _within(tree) if isinstance(part, ast.Global | ast.Nonlocal) for name in part.names}
    outer |= {name for names in _reaching(tree).values() for name in names}
    modules = {name for part in _within(tree) if isinstance(part, ast.alias) for name in names_stored_here(part)}
    bound = (bound | outer) - names_stored([loop.target]) - modules
    states = {name for name, value in _bindings(before) if _is_state(value, checkpoint)}
    aliases = _aliases(before, states)
    after = {n for part in _within(tree) if _line(part) > (loop.end_lineno or 0) for n in names_read(part)}
    rebound = names_stored(loop.body)
    for change in _changes(tree, loop, bound, before):
        name = change.name
        if name not in bound or (name in states and not change.rebound):
            continue
        if name in aliases and (name not in rebound or _written_back(loop, name, states, aliases[name])):
            continue
        if name in outer or is_carried(loop.body, name) or (change.rebound and name in after):
            yield change


def _collected(tree: Function, checkpoint: str) -> Iterator[ast.expr]:
    """Yield what goes over steps in an expression: a comprehension, or a call that uses them up."""
    for part in _within(tree):
        match part:
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                if _call(part.generators[0].iter, checkpoint) is not None:
                    yield part
            case ast.Call(func=ast.Name(id=name), args=[ast.Call() as over, *_]):
                if name in _COLLECTING and _call(over, checkpoint) is over:
                    yield part


def _paired(tree: Function, loop: Loop, checkpoint: str) -> Iterator[_Change]:
    """Yield what a loop counts or takes along beside the steps: that begins anew when it is gone on with."""
    if not isinstance(loop.iter, ast.Call) or _called(loop.iter) not in _PAIRING:
        return
    own = [_call(argument, checkpoint) is not None for argument in loop.iter.args]
    targets = loop.target.elts if isinstance(loop.target, ast.Tuple) else [loop.target]
    if _called(loop.iter) == "enumerate":
        own = [False, True]
    needed = {name for part in (*loop.body, *_behind(tree.body, loop)) for name in names_read(part)}
    for target, steps in zip(targets, own, strict=False):
        for name in sorted(names_stored([target]) & needed):
            if not steps or len(targets) != len(own):
                how = f"{name} begins anew with {ast.unparse(loop.iter)}"
                yield _Change(name=name, line=loop.lineno, how=how, rebound=True)


def _last_seen(tree: Function, loop: Loop) -> Iterator[_Change]:
    """Yield what is bound in a loop alone and read behind it: there is none where no step is left."""
    behind = _behind(tree.body, loop)
    bound = {n for part in _within(tree) if _line(part) < loop.lineno for n in names_stored_here(part)}
    bound |= {argument.arg for argument in ast.walk(tree.args) if isinstance(argument, ast.arg)}
    steps = names_stored([loop.target])
    own = {part for s in behind for part in ast.walk(s) if isinstance(part, ast.comprehension)}
    for name in sorted(((names_stored(loop.body) - bound) | steps) - names_stored([part.target for part in own])):
        if is_carried(behind, name):
            how = f"{name} is bound in it, and read behind it"
            yield _Change(name=name, line=loop.lineno, how=how, rebound=True)


def _behind(block: Sequence[ast.stmt], loop: Loop) -> list[ast.stmt]:
    """Give the statements behind a loop, from the innermost block to the outermost."""
    for place, statement in enumerate(block):
        if statement is loop:
            return [*loop.orelse, *block[place + 1 :]]
        if statement.lineno <= loop.lineno <= (statement.end_lineno or 0):
            inner = [b for b in _blocks(statement) if any(loop in own_scope(part) for part in b)]
            return [*(_behind(inner[0], loop) if inner else ()), *block[place + 1 :]]
    return []


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for field in ("body", "orelse", "finalbody"):
        yield getattr(statement, field, [])
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


def names_stored_here(part: ast.AST) -> set[str]:
    """Give the names that a node binds itself."""
    match part:
        case ast.Name(id=name, ctx=ast.Store()):
            return {name}
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.alias(name=name, asname=asname):
            return {asname or name.partition(".")[0]}
    return set()


def _line(part: ast.AST) -> int:
    return int(getattr(part, "lineno", 0))


def _within(tree: Function) -> Iterator[ast.AST]:
    """Yield what is in a function's body, nested scopes apart."""
    for statement in tree.body:
        yield from own_scope(statement)


def _bindings(statements: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    """Yield name and value of simple assignments, pairs of tuples taken apart."""
    for statement in statements:
        for part in own_scope(statement):
            match part:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    yield name, value
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    yield name, value
                case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                    yield from ((t.id, v) for t, v in zip(targets, values, strict=False) if isinstance(t, ast.Name))


def _is_state(value: ast.expr, checkpoint: str) -> bool:
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="state" | "restore")):
            return name == checkpoint
    return False


def _aliases(before: Sequence[ast.stmt], states: set[str]) -> dict[str, str]:
    """Give variables that are bound to an attribute of the state, and to nothing else, before the loop."""
    found: dict[str, set[str]] = {}
    for name, value in _bindings(before):
        match value:
            case ast.Attribute(value=ast.Name(id=state), attr=attr) if state in states:
                found.setdefault(name, set()).add(attr)
            case _:
                found.setdefault(name, set()).add("")
    return {name: next(iter(attrs)) for name, attrs in found.items() if len(attrs) == 1 and "" not in attrs}


def _written_back(loop: Loop, name: str, states: set[str], attr: str) -> bool:
    """Tell whether every pass ends with ``s.attr = name``, behind all that rebinds the name."""
    written = False
    for statement in loop.body:
        if name in names_stored([statement]):
            written = False
        match statement:
            case ast.Assign(targets=targets, value=value):
                pairs = [(target, value) for target in targets]
                if len(targets) == 1 and isinstance(targets[0], ast.Tuple) and isinstance(value, ast.Tuple):
                    pairs = list(zip(targets[0].elts, value.elts, strict=False))
                written = written or any(_is_write(*pair, name, states, attr) for pair in pairs)
    return written and not any(isinstance(part, ast.Continue) for s in loop.body for part in own_scope(s))


def _is_write(target: ast.expr, value: ast.expr, name: str, states: set[str], attr: str) -> bool:
    match target, value:
        case ast.Attribute(value=ast.Name(id=state), attr=to), ast.Name(id=source):
            return state in states and to == attr and source == name
    return False


def _changes(tree: Function, loop: Loop, bound: set[str], before: Sequence[ast.stmt]) -> Iterator[_Change]:
    """Yield every rebinding and change in place in the body of a loop."""
    advancing = {name for name, value in _bindings(before) if _called(value) in _ADVANCING}
    reaching = _reaching(tree)
    for statement in loop.body:
        for part in own_scope(statement):
            for name in names_stored_here(part):
                yield _Change(name=name, line=_line(part) or loop.lineno, how=f"{name} is bound anew", rebound=True)
            match part:
                case ast.AugAssign(target=target):
                    yield from _in_place(target, part.lineno)
                case ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Attribute(ctx=ast.Store() | ast.Del()):
                    yield from _in_place(part, part.lineno)
                case ast.Call():
                    yield from _by_call(part, advancing & bound, reaching)


def _in_place(target: ast.expr, line: int) -> Iterator[_Change]:
    root = _root(target)
    if root and not isinstance(target, ast.Name):
        yield _Change(name=root, line=line, how=f"{ast.unparse(target)} is changed", rebound=False)


def _by_call(call: ast.Call, advancing: set[str], reaching: dict[str, set[str]]) -> Iterator[_Change]:
    called, line = _called(call), call.lineno
    if isinstance(call.func, ast.Attribute):
        root = _root(call.func.value)
        if root and (called in _CHANGING or (root in advancing and isinstance(call.func.value, ast.Name))):
            yield _Change(name=root, line=line, how=f"{ast.unparse(call.func)}() changes it", rebound=False)
    if called in _CHANGED_FIRST and call.args and (root := _root(call.args[0])):
        yield _Change(name=root, line=line, how=f"{ast.unparse(call.func)}() changes it", rebound=False)
    for keyword in call.keywords:
        if keyword.arg == "out":
            for target in keyword.value.elts if isinstance(keyword.value, ast.Tuple) else [keyword.value]:
                if root := _root(target):
                    yield _Change(name=root, line=line, how=f"{ast.unparse(target)} is written into", rebound=False)
    if isinstance(call.func, ast.Name):
        for name in reaching.get(call.func.id, ()):
            yield _Change(name=name, line=line, how=f"{call.func.id}() binds it anew", rebound=True)


def _reaching(tree: Function) -> dict[str, set[str]]:
    """Give the functions defined in a task that rebind its variables, and which."""
    found: dict[str, set[str]] = {}
    for part in _within(tree):
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = [node for statement in part.body for node in own_scope(statement)]
            names = {name for node in inside if isinstance(node, ast.Nonlocal) for name in node.names}
            found[part.name] = names & names_stored(part.body)
    return found


def _called(value: ast.AST) -> str:
    match value:
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name
    return ""


def _root(target: ast.AST) -> str:
    """Give the variable at the root of ``x.a[0].b``; empty if there is none."""
    while isinstance(target, ast.Attribute | ast.Subscript | ast.Starred):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""
