"""Whether a variable carries a value from one pass of a loop into the next: over syntax trees alone.

Owns the walk along the paths through a block. A value is carried if some path reads the
variable before it assigns to it; changing an object in place reads it. Promises to err on
the side of "carried" where paths cannot be told apart, but for one case: a ``for`` inside
the block counts as assigning to its targets, although it may have nothing to iterate over.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def is_carried(block: Sequence[ast.stmt], name: str) -> bool:
    """Tell whether some path through a block reads `name` before it assigns to it."""
    return _Paths(name).block(block, False)[1]


def names_stored(nodes: Sequence[ast.AST]) -> set[str]:
    """Give the names that are bound in a scope, without what nested scopes bind for themselves."""
    found: set[str] = set()
    for node in nodes:
        for part in own_scope(node):
            match part:
                case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                    found.add(name)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    found.add(name)
                case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                    found.add(name)
                case ast.alias(name=name, asname=asname):
                    found.add(asname or name.partition(".")[0])
    return found


def own_scope(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and what is below it, but not what is inside nested functions and classes."""
    yield node
    if isinstance(node, _SCOPES):
        for decorator in getattr(node, "decorator_list", ()):
            yield from own_scope(decorator)
        return
    targets = {id(generator.target) for generator in node.generators} if isinstance(node, _COMPREHENSIONS) else set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.comprehension):
            targets.add(id(child.target))
            for inner in (child.iter, *child.ifs):
                yield from own_scope(inner)
        elif id(child) not in targets:
            yield from own_scope(child)


def names_read(node: ast.AST) -> set[str]:
    """Give the names that are read anywhere below a node, nested scopes included."""
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}


class _Paths:
    """The walk for one name; each step gives whether it is assigned behind it, and whether it was read before that."""

    def __init__(self, name: str) -> None:
        self._name = name

    def block(self, block: Sequence[ast.stmt], assigned: bool) -> tuple[bool, bool]:
        for statement in block:
            assigned, read = self._statement(statement, assigned)
            if read:
                return assigned, True
            if isinstance(statement, ast.Continue | ast.Break | ast.Return | ast.Raise):
                return True, False  # nothing comes behind it
        return assigned, False

    def _statement(self, statement: ast.stmt, assigned: bool) -> tuple[bool, bool]:
        if assigned:
            return True, False
        match statement:
            case ast.If(test=test, body=body, orelse=orelse):
                return self._branches(self._reads(test), [body, orelse])
            case (
                ast.For(target=target, iter=items, body=body, orelse=orelse)
                | ast.AsyncFor(target=target, iter=items, body=body, orelse=orelse)
            ):
                mine = self._name in names_stored([target])
                read = self._reads(items) or self._reads(target) or self.block(body, mine)[1]
                return mine, read or self.block(orelse, mine)[1]
            case ast.While(test=test, body=body, orelse=orelse):
                read = self._reads(test) or self.block(body, False)[1] or self.block(orelse, False)[1]
                return self._stores(test), read
            case ast.With(items=entered, body=body) | ast.AsyncWith(items=entered, body=body):
                read = any(self._reads(item) for item in entered)
                after, inside = self.block(body, any(self._stores(item) for item in entered))
                return after, read or inside
            case ast.Try() | ast.TryStar():
                return self._try(statement)
            case ast.Match(subject=subject, cases=cases):
                return self._branches(self._reads(subject), [case.body for case in cases], exhaustive=False)
            case ast.AugAssign(target=ast.Name(id=name)) if name == self._name:
                return True, True
        return self._stores(statement), self._reads(statement)

    def _branches(
        self, read: bool, blocks: Sequence[Sequence[ast.stmt]], *, exhaustive: bool = True
    ) -> tuple[bool, bool]:
        ends = [self.block(block, False) for block in blocks]
        return exhaustive and all(after for after, _ in ends), read or any(inside for _, inside in ends)

    def _try(self, statement: ast.Try | ast.TryStar) -> tuple[bool, bool]:
        after, read = self.block([*statement.body, *statement.orelse], False)
        handled = [self.block(handler.body, handler.name == self._name) for handler in statement.handlers]
        last, finally_read = self.block(statement.finalbody, False)
        assigned = last or (after and all(done for done, _ in handled))
        return assigned, read or finally_read or any(inside for _, inside in handled)

    def _reads(self, node: ast.AST) -> bool:
        return self._name in names_read(node)

    def _stores(self, node: ast.AST) -> bool:
        return self._name in names_stored([node])
