"""Source text as rooms: what a module imports, calls, defines. Nothing here is imported or run."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One imported name."""

    module: str  # what stands after `import` or `from`
    name: str  # what is taken from it; empty for a plain import
    line: int
    lazy: bool  # inside a function
    typing: bool  # under TYPE_CHECKING

    def target(self, modules: frozenset[str]) -> str:
        """Give the module that this loads: `from a import b` loads a.b if that is a module."""
        full = f"{self.module}.{self.name}"
        return full if self.name and full in modules else self.module


@dataclass(frozen=True, kw_only=True)
class Room:
    """One module, read but not imported."""

    module: str
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.source)

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """All imports, also those inside functions and under TYPE_CHECKING."""
        return tuple(_imports(self.tree, lazy=False, typing=False))

    @cached_property
    def functions(self) -> tuple[tuple[str, Function], ...]:
        """All functions with their qualified names."""
        return tuple(_functions(self.tree, ""))

    @cached_property
    def classes(self) -> tuple[ast.ClassDef, ...]:
        """All classes."""
        return tuple(node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef))

    @cached_property
    def uses(self) -> tuple[tuple[str, int], ...]:
        """Full dotted names of what is used, with their lines; annotations use nothing."""
        known = {}
        for one in self.imports:
            known[one.name or one.module.partition(".")[0]] = f"{one.module}.{one.name}".rstrip(".")
        known.update(_aliases(self.tree))
        return tuple(_uses(self.tree, known))

    @cached_property
    def comments(self) -> tuple[tuple[str, int], ...]:
        """All comments with their lines."""
        tokens = tokenize.generate_tokens(io.StringIO(self.source).readline)
        return tuple((token.string, token.start[0]) for token in tokens if token.type == tokenize.COMMENT)


def read(folder: str) -> list[Room]:
    """Read all modules below a folder of the repository."""
    paths = sorted((ROOT / folder).rglob("*.py"))
    return [Room(module=_module(path.relative_to(ROOT)), source=path.read_text()) for path in paths]


def plant(source: str, module: str = "flowcore.plan.planted") -> Room:
    """Make a room of given source, to show that a rule finds what is wrong with it."""
    return Room(module=module, source=source)


def _module(path: Path) -> str:
    parts = path.with_suffix("").parts
    parts = parts[parts.index("src") + 1 :] if parts[0] == "plugins" and "src" in parts else parts  # as it is imported
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(node: ast.AST, *, lazy: bool, typing: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(module=alias.name, name="", line=child.lineno, lazy=lazy, typing=typing)
        elif isinstance(child, ast.ImportFrom):
            module = "." * child.level + (child.module or "")
            for alias in child.names:
                yield Import(module=module, name=alias.name, line=child.lineno, lazy=lazy, typing=typing)
        else:
            guard = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            inside = isinstance(child, Function | ast.Lambda)
            yield from _imports(child, lazy=lazy or inside, typing=typing or guard)


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield prefix + child.name, child
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        else:
            yield from _functions(child, prefix)


def _aliases(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.asname, alias.name) for alias in node.names if alias.asname)
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias.asname, f"{node.module}.{alias.name}") for alias in node.names if alias.asname)


def _annotations(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            yield node.annotation
        elif isinstance(node, Function) and node.returns is not None:
            yield node.returns


def _uses(tree: ast.AST, known: dict[str, str]) -> Iterator[tuple[str, int]]:
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    inner |= {id(node) for annotation in _annotations(tree) for node in ast.walk(annotation)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute | ast.Name) or not isinstance(node.ctx, ast.Load) or id(node) in inner:
            continue
        dotted = ast.unparse(node)
        head, _, rest = dotted.partition(".")
        if head.isidentifier():
            yield f"{known.get(head, head)}.{rest}".rstrip("."), node.lineno
        elif isinstance(node, ast.Attribute):  # a method of what a call gave: Path(x).read_text
            yield dotted, node.lineno
