"""What stands for a value that is not there yet, and refuses to be used as one.

References to nodes and the marks of ``each`` and ``gather`` are typed as the values
they stand for, so nothing but this class keeps ``if x`` or ``np.asarray(x)`` from
meaning something else than it says. Every use that needs the value raises
:class:`~flowcore.errors.NoValueYet` at once (contract E5). It is also an
AttributeError, so ``hasattr(x, "mean")`` is False.

Between two placeholders ``==`` is identity, and so is the hash: they live in sets,
dicts and lists like any token.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Never

from flowcore.declare.site import user_site
from flowcore.errors import NoValueYet

_OPERATORS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**", "matmul": "@",
    "and": "&", "or": "|", "xor": "^", "lshift": "<<", "rshift": ">>",
}  # fmt: skip

_USES = {
    "__bool__": "bool({})", "__len__": "len({})", "__iter__": "for _ in {}", "__reversed__": "reversed({})",
    "__contains__": "... in {}", "__getitem__": "{}[...]", "__setitem__": "{}[...] = ...",
    "__delitem__": "del {}[...]", "__lt__": "{} < ...", "__le__": "{} <= ...", "__gt__": "{} > ...",
    "__ge__": "{} >= ...", "__int__": "int({})", "__float__": "float({})", "__complex__": "complex({})",
    "__index__": "range({})", "__round__": "round({})", "__trunc__": "trunc({})", "__floor__": "floor({})",
    "__ceil__": "ceil({})", "__bytes__": "bytes({})", "__fspath__": "open({})", "__format__": 'f"{{{}}}"',
    "__neg__": "-{}", "__pos__": "+{}", "__abs__": "abs({})", "__invert__": "~{}", "__divmod__": "divmod({}, ...)",
    "__rdivmod__": "divmod(..., {})", "__await__": "await {}", "__array__": "np.asarray({})",
    "__array_ufunc__": "np.ufunc({})", "__reduce_ex__": "pickle.dumps({})", "__reduce__": "pickle.dumps({})",
}  # fmt: skip


class Placeholder:
    """Base of all that stands for a value while a flow is drawn."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Never:
        # hasattr() and the like ask for many names: the shortest way to an AttributeError.
        raise no_value(self, "{}." + name)

    def __setattr__(self, name: str, value: object) -> None:
        raise no_value(self, "{}." + name + " = ...")

    def __delattr__(self, name: str) -> None:
        raise no_value(self, "del {}." + name)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Placeholder):
            return self is other
        raise no_value(self, "{} == ...")

    def __ne__(self, other: object) -> bool:
        if isinstance(other, Placeholder):
            return self is not other
        raise no_value(self, "{} != ...")

    def __hash__(self) -> int:
        return object.__hash__(self)


def about(placeholder: Placeholder) -> tuple[str, str]:
    """Give what a placeholder is called in messages, and where it was drawn."""
    told: tuple[str, str] = type(placeholder).__about__(placeholder)  # type: ignore[attr-defined]
    return told


def no_value(placeholder: Placeholder, use: str, *, remedy: str = "") -> NoValueYet:
    """Make the error for a use of a placeholder, `use` with ``{}`` for its name."""
    name, drawn = about(placeholder)
    return NoValueYet(node=name, expression=use.format(name), at=user_site(), drawn=drawn, remedy=remedy)


def refuse(values: tuple[object, ...]) -> None:
    """Raise if a value handed to a plain function call is a placeholder."""
    for value in values:
        if isinstance(value, Placeholder):
            raise no_value(value, "a call with {} outside its flow")


def _refusal(name: str, use: str) -> Callable[..., Never]:
    def refused(self: Placeholder, *operands: object, **options: object) -> Never:
        raise no_value(self, use)

    refused.__name__ = name
    refused.__qualname__ = f"Placeholder.{name}"
    return refused


for _name, _use in _USES.items():
    setattr(Placeholder, _name, _refusal(_name, _use))
for _name, _sign in _OPERATORS.items():
    setattr(Placeholder, f"__{_name}__", _refusal(f"__{_name}__", f"{{}} {_sign} ..."))
    setattr(Placeholder, f"__r{_name}__", _refusal(f"__r{_name}__", f"... {_sign} {{}}"))
    setattr(Placeholder, f"__i{_name}__", _refusal(f"__i{_name}__", f"{{}} {_sign}= ..."))
