"""flowcore runs graphs of Python functions, remembers their results, and can be killed at any instant.

This is the shop window: the public names, each loaded from its room when it is first
asked for. Importing the package itself loads nothing, because every worker does.
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False  # checkers take it for true; typing itself would cost more than all the rest here
if TYPE_CHECKING:
    from flowcore.comparison import diff as diff
    from flowcore.declare.axes import Axis as Axis
    from flowcore.declare.axes import each as each
    from flowcore.declare.axes import gather as gather
    from flowcore.declare.checkpoint import Checkpoint as Checkpoint
    from flowcore.declare.drawing import choose as choose
    from flowcore.declare.files import File as File
    from flowcore.declare.node import Node as Node
    from flowcore.declare.task import Task as Task
    from flowcore.declare.tolerance import allclose as allclose
    from flowcore.decorators import compute as compute
    from flowcore.decorators import io as io
    from flowcore.doubts import NothingToAccept as NothingToAccept
    from flowcore.doubts import NotReproducible as NotReproducible
    from flowcore.doubts import RepeatedStream as RepeatedStream
    from flowcore.doubts import TwoValues as TwoValues
    from flowcore.doubts import Unseeded as Unseeded
    from flowcore.errors import AxisMismatch as AxisMismatch
    from flowcore.errors import BadOption as BadOption
    from flowcore.errors import BlockedLoop as BlockedLoop
    from flowcore.errors import BoxUnusable as BoxUnusable
    from flowcore.errors import CellTimeout as CellTimeout
    from flowcore.errors import CodeChanged as CodeChanged
    from flowcore.errors import CycleError as CycleError
    from flowcore.errors import DamagedEntry as DamagedEntry
    from flowcore.errors import DuplicateName as DuplicateName
    from flowcore.errors import FileChanged as FileChanged
    from flowcore.errors import FlowcoreError as FlowcoreError
    from flowcore.errors import FlowcoreWarning as FlowcoreWarning
    from flowcore.errors import ForeignReference as ForeignReference
    from flowcore.errors import GraphError as GraphError
    from flowcore.errors import MissingArgument as MissingArgument
    from flowcore.errors import MissingFile as MissingFile
    from flowcore.errors import NotKeyable as NotKeyable
    from flowcore.errors import NotPicklable as NotPicklable
    from flowcore.errors import NotStorable as NotStorable
    from flowcore.errors import NoValueYet as NoValueYet
    from flowcore.errors import NoWorkers as NoWorkers
    from flowcore.errors import PickleNotAllowed as PickleNotAllowed
    from flowcore.errors import RunFailed as RunFailed
    from flowcore.errors import RunForked as RunForked
    from flowcore.errors import Skip as Skip
    from flowcore.errors import StoreUnavailable as StoreUnavailable
    from flowcore.errors import TooDeeplyNested as TooDeeplyNested
    from flowcore.errors import UnfitWorker as UnfitWorker
    from flowcore.errors import UnknownNode as UnknownNode
    from flowcore.errors import UnknownParameter as UnknownParameter
    from flowcore.errors import UnknownRun as UnknownRun
    from flowcore.errors import ValueLost as ValueLost
    from flowcore.errors import ValueReleased as ValueReleased
    from flowcore.errors import WiringMismatch as WiringMismatch
    from flowcore.errors import WorkerDied as WorkerDied
    from flowcore.events import Observer as Observer
    from flowcore.executor import Executor as Executor
    from flowcore.flow import Flow as Flow
    from flowcore.flowfunction import flow as flow
    from flowcore.grid import Grid as Grid
    from flowcore.growing import EndlessGrowth as EndlessGrowth
    from flowcore.growing import MisplacedFlow as MisplacedFlow
    from flowcore.history import open_run as open_run
    from flowcore.history import runs as runs
    from flowcore.offering import CallFailed as CallFailed
    from flowcore.offering import ExecutorBroken as ExecutorBroken
    from flowcore.plan.cluster import Cluster as Cluster
    from flowcore.plan.streams import rng as rng
    from flowcore.result import Run as Run
    from flowcore.resuming import ResumeMismatch as ResumeMismatch
    from flowcore.resuming import SharedState as SharedState
    from flowcore.resuming import UnsavedState as UnsavedState
    from flowcore.settings import Settings as Settings
    from flowcore.store.codecs import register_codec as register_codec
    from flowcore.store.directory import open_store as open_store

    __version__: str

_ROOMS = {
    "flowcore.comparison": ("diff",),
    "flowcore.declare.axes": ("Axis", "each", "gather"),
    "flowcore.declare.checkpoint": ("Checkpoint",),
    "flowcore.declare.drawing": ("choose",),
    "flowcore.declare.files": ("File",),
    "flowcore.declare.node": ("Node",),
    "flowcore.declare.task": ("Task", "compute", "io"),
    "flowcore.declare.tolerance": ("allclose",),
    "flowcore.doubts": ("NotReproducible", "NothingToAccept", "RepeatedStream", "TwoValues", "Unseeded"),
    "flowcore.errors": (
        "AxisMismatch", "BadOption", "BlockedLoop", "BoxUnusable", "CellTimeout", "CodeChanged", "CycleError",
        "DamagedEntry", "DuplicateName", "FileChanged", "FlowcoreError", "FlowcoreWarning", "ForeignReference",
        "GraphError", "MissingArgument", "MissingFile", "NotKeyable", "NotPicklable", "NotStorable", "NoValueYet",
        "NoWorkers",
        "PickleNotAllowed", "RunFailed", "RunForked", "Skip", "StoreUnavailable", "TooDeeplyNested", "UnfitWorker",
        "UnknownNode", "UnknownParameter", "UnknownRun", "ValueLost", "ValueReleased", "WiringMismatch", "WorkerDied",
    ),
    "flowcore.events": ("Observer",),
    "flowcore.executor": ("Executor",),
    "flowcore.flow": ("Flow",),
    "flowcore.flowfunction": ("flow",),
    "flowcore.grid": ("Grid",),
    "flowcore.history": ("open_run", "runs"),
    "flowcore.offering": ("CallFailed", "ExecutorBroken"),
    "flowcore.plan.cluster": ("Cluster",),
    "flowcore.plan.streams": ("rng",),
    "flowcore.result": ("Run",),
    "flowcore.growing": ("EndlessGrowth", "MisplacedFlow"),
    "flowcore.resuming": ("ResumeMismatch", "SharedState", "UnsavedState"),
    "flowcore.settings": ("Settings",),
    "flowcore.store.codecs": ("register_codec",),
    "flowcore.store.directory": ("open_store",),
}  # fmt: skip
_PLACES = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [  # noqa: RUF022 - what is written most comes first
    "compute", "io", "flow", "Flow", "each", "gather", "choose", "rng", "Checkpoint", "allclose", "File", "Skip",
    "Run", "Grid", "Settings", "Observer", "runs", "open_run", "diff", "open_store", "register_codec", "Task", "Node",
    "Axis", "Executor", "Cluster",
    "FlowcoreError", "FlowcoreWarning", "GraphError", "AxisMismatch", "BadOption", "CallFailed",
    "CellTimeout", "CodeChanged", "CycleError", "DamagedEntry", "DuplicateName", "EndlessGrowth", "ExecutorBroken",
    "FileChanged", "ForeignReference", "MissingArgument", "MissingFile", "MisplacedFlow", "NoValueYet", "Unseeded",
    "UnsavedState", "NotKeyable", "NotPicklable", "NotStorable", "PickleNotAllowed", "RunFailed", "RunForked",
    "StoreUnavailable", "TooDeeplyNested", "UnfitWorker", "UnknownNode", "UnknownParameter", "UnknownRun", "ValueLost",
    "ValueReleased", "WiringMismatch", "WorkerDied", "BlockedLoop", "NotReproducible", "NothingToAccept",
    "RepeatedStream", "ResumeMismatch", "SharedState", "TwoValues", "BoxUnusable",
    "NoWorkers",
]  # fmt: skip


def __getattr__(name: str) -> object:
    room = _PLACES.get(name)
    if name == "testing":
        import importlib

        return importlib.import_module("flowcore.testing")
    if name == "__version__":
        return _version()
    if room is None:
        raise AttributeError(f"module 'flowcore' has no attribute {name!r}")
    import importlib  # the first name asked for pays for it

    value: object = getattr(importlib.import_module(room), name)
    globals()[name] = value
    return value


def _version() -> str:
    """Give the version that is installed: pyproject.toml is the one place where it stands."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("flowcore")
    except PackageNotFoundError:
        raise AttributeError("flowcore runs from its files, and is not installed: it has no version") from None


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _ShopWindow(ModuleType):
    """Keeps ``flowcore.flow`` the decorator, though its room has the same name.

    Importing a room binds it as an attribute of its package; for a public name that
    would put the room in front of what it offers.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, ModuleType) and name in _PLACES):
            super().__setattr__(name, value)

    def __reduce__(self) -> tuple[object, ...]:
        """A function that names this package travels by value; the package goes by its name, as any module does."""
        return __import__, (__name__,)


sys.modules[__name__].__class__ = _ShopWindow
