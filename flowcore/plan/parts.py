"""Values of other libraries, written as what they consist of: how such a writer is made, and its parts looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flowcore.plan.extension import REGISTERED, BadRecord, NoEncoding, extension

if TYPE_CHECKING:
    from flowcore.plan.writing import Writer, Writing


def written_as(
    name: str, version: str, parts: Callable[[Any, Writing], list[object]], libraries: frozenset[str]
) -> Writer:
    """Make a writer of values by their parts; the libraries are noted, as their versions enter keys (K8)."""

    def write(value: object, writing: Writing) -> object:
        writing.libraries |= libraries
        writing.enter()
        made = parts(value, writing)
        writing.depth -= 1
        return extension(REGISTERED, [name, version, made])

    return write


def at(path: str, write: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Write a part; a refusal says where it is."""
    try:
        return write(*arguments, **options)
    except NoEncoding as error:
        error.path = f"{path}{error.path}"
        raise


def listed(parts: object, count: int | None = None) -> list[Any]:
    """Give parts that have to be a list, of so many: anything else would be asked for its members (contract S1)."""
    if type(parts) is not list or (count is not None and len(parts) != count):
        raise BadRecord("an extension has other parts")
    return parts
