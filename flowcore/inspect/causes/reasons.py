"""Why a cell has to run, or does not: typed reasons, each a sentence and plain data.

Owns the kinds of reasons and their words. A reason tells small scalars, since who asks
has asked for them; arrays by shape, dtype and where they differ (contract S11).
"""

from __future__ import annotations

from dataclasses import fields
from typing import ClassVar

from flowcore.dataclass import dataclass

_DIFF_LINES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Something that changed, or that decided."""

    sentence: ClassVar[str] = ""  # with the fields' names in braces

    def __str__(self) -> str:
        return self.sentence.format(**{field.name: getattr(self, field.name) for field in fields(self)})

    def to_dict(self) -> dict[str, object]:
        """Give kind, sentence and fields, as plain data."""
        facts = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"kind": type(self).__name__, "text": str(self), **facts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited(Reason):
    """Code that was edited."""

    diff: str = ""  # unified; empty where a text is not known

    def shown(self) -> list[str]:
        """Give the lines of the diff, cut where it is long."""
        lines = self.diff.splitlines()
        more = [f"... {len(lines) - _DIFF_LINES} more lines"] if len(lines) > _DIFF_LINES else []
        return lines[:_DIFF_LINES] + more


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyChanged(Edited):
    """The task's own code."""

    sentence = "its body changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionChanged(Edited):
    """A function that the task reaches."""

    sentence = "helper {name} {how}"
    name: str
    how: str = "changed"  # or: is new, is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved(Reason):
    """A value with a name: what it was and what it is now."""

    sentence = "{what} {name}: {old} -> {new}"
    what: ClassVar[str] = ""
    name: str
    old: str
    new: str

    def __str__(self) -> str:
        return self.sentence.format(what=self.what, name=self.name, old=self.old, new=self.new)


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalChanged(Moved):
    """A global, or an attribute of a module, that the code reads."""

    what = "global"


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultChanged(Moved):
    """A default of the task, or of a function that it reaches."""

    what = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosureChanged(Moved):
    """A variable of an enclosing function."""

    what = "closure"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassChanged(Moved):
    """A class that the code reaches or a value has: its bases, attributes, fields."""

    what = "class"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartChanged(Moved):
    """Something else that the code holds, such as the arguments of a partial."""

    sentence = "{name}: {old} -> {new}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryChanged(Moved):
    """The version of a distribution."""

    what = "library"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedChanged(Moved):
    """Something that the task tracks."""

    what = "tracked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentChanged(Moved):
    """An argument that was written into the flow."""

    what = "argument"


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonChanged(Moved):
    """The minor version of Python."""

    sentence = "Python {old} -> {new}"
    name: str = "Python"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionChanged(Moved):
    """What the task says as ``version=``."""

    sentence = "version {old} -> {new}"
    name: str = "version"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedChanged(Moved):
    """The seed of the run, where random streams come from it."""

    sentence = "seed {old} -> {new}"
    name: str = "seed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaChanged(Moved):
    """flowcore's own rules of what is the same."""

    sentence = "flowcore's rules of identity: {old} -> {new}"
    name: str = "schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamChanged(Reason):
    """The value that another node gives."""

    sentence = "{parameter}: value of {cell} changed: {told}"
    parameter: str
    cell: str
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DependsOn(Reason):
    """A cell whose value is not known yet."""

    sentence = "needs {cell}, which {because}"
    cell: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed(Reason):
    """A value that is taken to be what it was."""

    sentence = "assuming that {cell} gives what it gave in run {run}"
    cell: str
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived(Reason):
    """A value without encoding: its consumers are keyed by the cell that gave it."""

    sentence = "{cell} gave a value without encoding: it is never kept, and what uses it goes by that cell's key"
    cell: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualCell(Reason):
    """An equal cell of the same run."""

    sentence = "it is equal to {cell}, which has to run"
    cell: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverRun(Reason):
    """No earlier run has the cell."""

    sentence = "no earlier run kept this cell"


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverKept(Reason):
    """It has run, unchanged, and gave nothing that was kept."""

    sentence = "{how}"
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueGone(Reason):
    """A record is there, the arrays that it names are not."""

    sentence = "its value is not in the store any more"


@dataclass(frozen=True, slots=True, kw_only=True)
class TooOld(Reason):
    """A result older than its task lets results be."""

    sentence = "its result is too old"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed(Reason):
    """The user asked for it anew."""

    sentence = "refresh= asks for it anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted(Reason):
    """The user vouches for older code, in this run."""

    sentence = "trust= takes a result of older code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted(Reason):
    """The user lets an older result answer the new key, for good."""

    sentence = "an older result was accepted: {reason}"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WasSkipped(Reason):
    """A skip that is kept."""

    sentence = "its task skipped it{because}"
    because: str = ""  # begins with a colon


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsSkipped(Reason):
    """A skipped cell that a cell needs."""

    sentence = "needs {cell}, which is skipped{because}"
    cell: str
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotKeyed(Reason):
    """Its results are not kept."""

    sentence = "its results are not kept: {because}"
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(Reason):
    """A run would refuse it."""

    sentence = "it cannot run: {because}"
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplied(Reason):
    """The user supplies its value."""

    sentence = "given= supplies its value"


def said(reason: str) -> str:
    """Give what a task said of a skip, to end a sentence with."""
    return f": {reason}" if reason else ""
