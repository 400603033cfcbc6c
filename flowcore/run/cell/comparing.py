"""Whether a process has the code that the engine keyed (F32).

Asked once a task in each process that did not draw the flow, before its first cell.
Loads the function as performing it would. Never says how a module differs: it may have
been edited, or set at run time on one side.
"""

from __future__ import annotations

import pickle
from typing import Final

from flowcore.errors import CodeChanged
from flowcore.plan.code import fingerprint, modules_read
from flowcore.plan.encode import NoEncoding
from flowcore.plan.modules import differing
from flowcore.run.job import Failure, TaskSpec
from flowcore.store.codecs import Codec

UNLOADABLE: Final = "?"  # no module is called so


def differing_module(task: TaskSpec, codec: Codec) -> str:
    """Name a module that the task reads and that is another one in this process; empty if there is none.

    UNLOADABLE if the function cannot be had here. A process that has an older module may lack
    what the function was made for; any other meets the same error in the cell, and tells it.
    """
    try:
        function = codec.load_function(task.function, task.buffers)
        tracks = [codec.load_function(tracked, buffers) for tracked, buffers in task.tracks]
    except Exception:  # noqa: BLE001 - importing and unpickling run any code
        return UNLOADABLE
    if task.code and isinstance(task.function, tuple):
        try:
            return task.function[1] if fingerprint(function).digest != task.code else ""
        except NoEncoding:  # it was encoded in the engine
            return task.function[1]
    if not task.modules:
        return ""
    return differing(task.modules, lambda: modules_read(function, ignore=task.ignore, tracks=tracks))


def changed(node: str, module: str) -> Failure:
    """Give the failure of cells whose process has another version of `module`."""
    error = CodeChanged(node=node, module=module)
    return Failure(
        type="flowcore.errors.CodeChanged", text=str(error), traceback="",
        bases=("flowcore.errors.FlowcoreError", "builtins.RuntimeError"), pickled=pickle.dumps(error),
    )  # fmt: skip
