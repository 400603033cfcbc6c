"""How many threads numerical libraries use in a worker: never more than a cell has cores.

Two ways, both needed. Variables are read by a library when it is loaded, so they hold
for what a task imports later. What the launcher had loaded, numpy's OpenBLAS, started
with one thread (contract W1) and is told by a call. A library that knows neither keeps
what it had; a worker is then as wide as its task makes it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable, Mapping

from flowcore.run import proc

_SETTERS = (
    "scipy_openblas_set_num_threads64_",
    "scipy_openblas_set_num_threads",
    "openblas_set_num_threads64_",
    "openblas_set_num_threads",
    "MKL_Set_Num_Threads",
    "omp_set_num_threads",
)
_GETTERS = (
    "scipy_openblas_get_num_threads64_",
    "scipy_openblas_get_num_threads",
    "openblas_get_num_threads64_",
    "openblas_get_num_threads",
    "MKL_Get_Max_Threads",
    "omp_get_max_threads",
)
_LIBRARIES = ("openblas", "libmkl_rt", "libgomp", "libiomp5", "libomp")


def cap_variables(cores: int, wishes: Mapping[str, str]) -> None:
    """Tell libraries that are loaded from now on; a lower wish of the user, as the run's environment has it, stands."""
    for name in proc.CAPS:
        wish = wishes.get(name, "")
        os.environ[name] = wish if wish.isdecimal() and 0 < int(wish) <= cores else str(cores)


def cap_loaded(cores: int) -> int:
    """Tell libraries that are loaded; give how many of them could be told."""
    told = 0
    for path in _loaded():
        setter = _setter(path)
        if setter is not None:
            setter(cores)
            told += 1
    return told


def threads_of_loaded() -> dict[str, int]:
    """Tell how many threads each library that is loaded would use, where it says."""
    told = {}
    for path in _loaded():
        with contextlib.suppress(OSError):
            library = ctypes.CDLL(path)
            getter = next((getattr(library, name) for name in _GETTERS if hasattr(library, name)), None)
            if getter is not None:
                told[os.path.basename(path)] = int(getter())
    return told


def _loaded() -> list[str]:
    """Give the paths of numerical libraries that this process has mapped."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
            paths = {line.split(maxsplit=5)[-1].strip() for line in file if "/" in line}
    except OSError:
        return []
    return sorted(path for path in paths if any(name in os.path.basename(path) for name in _LIBRARIES))


def _setter(path: str) -> Callable[[int], object] | None:
    with contextlib.suppress(OSError):
        library = ctypes.CDLL(path)
        for name in _SETTERS:
            function = getattr(library, name, None)
            if function is not None:
                function.argtypes = (ctypes.c_int,)
                function.restype = None
                return lambda cores, call=function: call(cores)  # type: ignore[misc]
    return None
