"""Pickles on their way to another process: plain where that reaches it, else cloudpickle's.

Owns what travels by its name and what by value: a module goes by its name, of whatever class
it is (libraries put classes of their own in place of their modules'), and so does all that
another process can import; the rest goes by value. Promises that what cannot travel is named
to its leaf (F9). Never unpickles.
"""

from __future__ import annotations

import importlib
import io
import pickle
import sys
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

from flowcore.errors import NotPicklable, NoValueYet
from flowcore.plan.extension import INLINE_LIMIT
from flowcore.plan.importing import importable
from flowcore.store.leaf import find_leaf

_TRAVELS = (pickle.PicklingError, TypeError, AttributeError, ValueError, RecursionError, OSError, RuntimeError)


def dump(value: object, name: str, *, within: bool = False) -> tuple[bytes, list[memoryview]]:
    """Give the pickle of a value and its large buffers, which lie apart, or `within`.

    Raises
    ------
    NotPicklable
        If some part of it cannot travel.
    """
    import cloudpickle

    module = _by_value(value)
    try:
        try:
            payload, buffers = _pickled(pickle.dumps, value, within=within)
            if module is None and b"__main__" not in payload:
                return payload, buffers
        except _TRAVELS:  # lambdas, local classes: cloudpickle may know better
            pass
        if module is not None:
            cloudpickle.register_pickle_by_value(module)
        return _pickled(_by_cloudpickle, value, within=within)
    except _TRAVELS as error:
        path, kind = find_leaf(value, name, lambda part: _pickled(_by_cloudpickle, part))
        hidden = isinstance(error, NoValueYet)
        reason = "only lists, tuples and dicts may hold references to nodes" if hidden else str(error)
        raise NotPicklable(node=name, path=path, kind=kind, reason=reason) from error
    finally:
        if module is not None and module.__name__ in cloudpickle.list_registry_pickle_by_value():
            cloudpickle.unregister_pickle_by_value(module)


def _by_cloudpickle(
    value: object, *, protocol: int, buffer_callback: Callable[[pickle.PickleBuffer], bool] | None = None
) -> bytes:
    file = io.BytesIO()
    _pickler()(file, protocol=protocol, buffer_callback=buffer_callback).dump(value)
    return file.getvalue()


@cache
def _pickler() -> Any:
    """Give cloudpickle's, which knows but modules of the class ``module`` itself, with all modules known to it."""
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, ModuleType) and type(obj) is not ModuleType and _goes_by_name(obj):
                return importlib.import_module, (obj.__name__,)
            return super().reducer_override(obj)

    return Pickler


def _goes_by_name(module: ModuleType) -> bool:
    return sys.modules.get(module.__name__) is module and importable(module.__name__)


def _pickled(dumps: Callable[..., bytes], value: object, *, within: bool = False) -> tuple[bytes, list[memoryview]]:
    buffers: list[memoryview] = []
    if within:
        return dumps(value, protocol=5), buffers

    def keep(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < INLINE_LIMIT:
            return True  # stays in the pickle
        buffers.append(raw)
        return False

    return dumps(value, protocol=5, buffer_callback=keep), buffers


def _by_value(value: object) -> Any:
    """Give the module of a function whose module another process could not import."""
    name = getattr(value, "__module__", None)
    module = sys.modules.get(name) if isinstance(name, str) and name != "__main__" else None
    return module if module is not None and callable(value) and not importable(module.__name__) else None
