"""Names to objects, through the entry points of installed distributions, registered by hand, or by where they are.

Owns: the groups ``flowcore.executors``, ``flowcore.codecs`` and ``flowcore.observers``. What an executor's name
stands for is described in `flowcore.run.executors.protocol`; a codec's is a function without arguments that calls
`flowcore.register_codec`; an observer's, what makes one for a run.
Promises: nothing is looked up, and nothing imported, before someone names a plugin
(contract S8); a plugin that cannot be used is refused by the name of its distribution.
Never: looks into the working directory or a store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from flowcore.errors import BadOption, nearest
from flowcore.events import Observer

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Group = Literal["flowcore.executors", "flowcore.codecs", "flowcore.observers"]
API = 1  # the version of the seams that plugins are written against

_SHIPPED = {  # found without being installed
    ("flowcore.executors", "pilots"): "flowcore.run.pilots.executor:pilots",
    ("flowcore.executors", "refuse"): "flowcore.testing:RefusingExecutor",
}
_registered: dict[tuple[str, str], object] = {}
_invited: set[str] = set()  # names of codecs that were registered already


def register(group: Group, name: str, plugin: object) -> None:
    """Make an object known by a name in this process, before any installed distribution's.

    Examples
    --------
    >>> register("flowcore.executors", "mine", dict)
    >>> load("flowcore.executors", "mine")
    <class 'dict'>
    >>> unregister("flowcore.executors", "mine")
    """
    _registered[group, name] = plugin


def unregister(group: Group, name: str) -> None:
    """Forget a name that was registered; harmless if it was not. What a codec's name has registered stays."""
    _registered.pop((group, name), None)
    _invited.discard(name)


def names(group: Group) -> tuple[str, ...]:
    """Give the names that there are in a group; loads none of them.

    Examples
    --------
    >>> isinstance(names("flowcore.executors"), tuple)
    True
    """
    from importlib.metadata import entry_points  # 15 ms, a tenth of the start of a run that names no plugin

    known = {name for where, name in (*_registered, *_SHIPPED) if where == group}
    return tuple(sorted(known | {point.name for point in entry_points(group=group)}))


def load(group: Group, name: str) -> object:
    """Import the object of that name; ``module:name`` says itself where it is.

    Raises
    ------
    BadOption
        If no distribution offers the name, if importing it fails, or if it was written
        against other seams than these.

    Examples
    --------
    >>> load("flowcore.executors", "concurrent.futures:ThreadPoolExecutor").__name__
    'ThreadPoolExecutor'
    """
    if (group, name) in _registered:
        return _checked(_registered[group, name], group, name, "registered by hand")
    from importlib.metadata import EntryPoint, entry_points  # as above

    at = name if ":" in name else _SHIPPED.get((group, name))
    found = [EntryPoint(name, at, group)] if at is not None else []
    found = found or list(entry_points(group=group, name=name))
    if not found:
        offered = names(group)
        expected = f"one of {', '.join(offered)}" if offered else "a name that an installed distribution offers"
        raise BadOption(option=group, found=repr(name), expected=expected, near=nearest(name, offered))
    if len({_distribution(point) for point in found}) > 1:
        rivals = " and ".join(sorted(_distribution(point) for point in found))
        raise BadOption(option=group, found=f"{name!r}, offered by {rivals}", expected="a name that only one offers")
    point = found[0]
    try:
        plugin: object = point.load()
    except (ImportError, AttributeError) as cause:
        found_there = f"{name!r}, which cannot be imported ({cause})"
        raise BadOption(option=group, found=found_there, expected="usable", at=_distribution(point)) from cause
    return _checked(plugin, group, name, _distribution(point))


def invite(codecs: Sequence[str]) -> None:
    """Have the codecs of these names registered, each once in a process.

    Raises
    ------
    BadOption
        If one cannot be had, or does not register what it should.

    Examples
    --------
    >>> register("flowcore.codecs", "units", lambda: print("registered"))
    >>> invite(["units"])
    registered
    >>> invite(["units"])
    >>> unregister("flowcore.codecs", "units")
    """
    for name in codecs:
        if name not in _invited:
            _made("flowcore.codecs", name, expected="a function that registers codecs")
            _invited.add(name)


def observer(name: str) -> Observer:
    """Make the observer of that name for a run.

    Raises
    ------
    BadOption
        If it cannot be had, or is no observer.

    Examples
    --------
    >>> class Quiet:
    ...     def on_event(self, event):
    ...         pass
    >>> register("flowcore.observers", "quiet", Quiet)
    >>> type(observer("quiet")).__name__
    'Quiet'
    >>> unregister("flowcore.observers", "quiet")
    """
    if ":" not in name and name not in (offered := names("flowcore.observers")):
        expected = (
            f"True, False, an Observer, or the name of an installed one ({', '.join(offered) or 'there is none'})"
        )
        raise BadOption(option="progress", found=repr(name), expected=expected, near=nearest(name, offered))
    expected = "a class, or function, that gives an object with on_event(event)"
    made = _made("flowcore.observers", name, expected=expected)
    if not isinstance(made, Observer):
        raise BadOption(option="flowcore.observers", found=f"{name!r}, a {type(made).__name__}", expected=expected)
    return made


def _made(group: Group, name: str, *, expected: str) -> object:
    """Call what a name stands for, without arguments."""
    plugin = load(group, name)
    if not callable(plugin):
        raise BadOption(option=group, found=f"{name!r}, a {type(plugin).__name__}", expected=expected)
    try:
        made: object = plugin()
    except BadOption:
        raise
    except Exception as cause:  # whatever somebody else's code says
        found = f"{name!r}, which raised {type(cause).__name__}: {cause}"
        raise BadOption(option=group, found=found, expected=expected) from cause
    return made


def _checked(plugin: object, group: Group, name: str, at: str) -> object:
    api = getattr(plugin, "api", API)
    if api != API:
        raise BadOption(option=group, found=f"{name!r} for api {api}", expected=f"for api {API}", at=at)
    return plugin


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value
