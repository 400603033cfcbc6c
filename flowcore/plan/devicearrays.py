"""Arrays of torch, JAX and CuPy, kept in the form that they have on the host (contract K20).

What counts is shape, dtype and values; what does not is the device, and the strides. What
comes back lies on the host, wherever the array lay: a tensor of torch on its CPU; for JAX
and CuPy, whose arrays have no host form of their own, the array of numpy, which has the
same identity. So whoever reads a value touches no device: the process that draws and
looks at results, and cells that were given none.

What is more than an array is refused: a tensor with a gradient to come, quantized, sparse,
or of a class of its own; an array of JAX that is spread over several machines or was
given away. Nothing is imported to look what a value is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from flowcore.plan.extension import REGISTERED, BadRecord, NoEncoding, extension, kind_name
from flowcore.plan.libraries import library
from flowcore.plan.numeric import plain_array, write_plain
from flowcore.plan.parts import listed

if TYPE_CHECKING:
    from flowcore.plan.writing import Writer, Writing

VERSION: Final = "1"
_TENSOR: Final = "torch.Tensor"
_BY_BITS: Final = {
    "bfloat16": "<u2", "float8_e4m3fn": "|u1", "float8_e5m2": "|u1", "float8_e4m3fnuz": "|u1", "float8_e5m2fnuz": "|u1",
}  # fmt: skip
"""Dtypes of torch that numpy has not, and the numbers of the same bits."""

_PLAIN: Final = {
    "float16": "<f2", "float32": "<f4", "float64": "<f8", "complex64": "<c8", "complex128": "<c16", "bool": "|b1",
    "int8": "|i1", "int16": "<i2", "int32": "<i4", "int64": "<i8",
    "uint8": "|u1", "uint16": "<u2", "uint32": "<u4", "uint64": "<u8",
}  # fmt: skip


def writer(kind: type) -> Writer | None:
    """Find the writer of a kind of array, by its exact type."""
    root = kind.__module__.partition(".")[0]
    if root == "torch" and getattr(sys.modules.get("torch"), "Tensor", None) is kind:
        return _write_tensor
    if root == "torch" and any(kind_name(above) == _TENSOR for above in kind.__mro__):
        return _refuse_subclass
    if root == "jaxlib" and kind.__name__ == "ArrayImpl":
        return _write_jax
    if root == "jax" and kind.__name__ in ("PRNGKeyArray", "DynamicJaxprTracer"):
        return _refuse_jax
    if root == "cupy" and getattr(sys.modules.get("cupy"), "ndarray", None) is kind:
        return _write_cupy
    return None


# ---- written -----------------------------------------------------------------------


def _refuse_subclass(value: object, writing: Writing) -> object:  # noqa: ARG001 - every writer has this shape
    raise NoEncoding("", kind_name(type(value)), "hand on .detach().clone(), or its state_dict()")


def _refuse_jax(value: object, writing: Writing) -> object:  # noqa: ARG001 - as above
    raise NoEncoding("", kind_name(type(value)), "hand on jax.random.key_data(key); inside of jit nothing has a value")


def _write_tensor(value: Any, writing: Writing) -> object:
    writing.libraries.add("torch")
    name = str(value.dtype).removeprefix("torch.")
    _check_tensor(value, name)
    bare = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
    if name in _BY_BITS:
        torch = library("torch")
        bare = bare.view(torch.uint8 if _BY_BITS[name] == "|u1" else torch.int16)
        part = write_plain(bare.numpy().view(_BY_BITS[name]), writing)
    else:
        part = write_plain(bare.numpy(), writing)
    return extension(REGISTERED, [_TENSOR, VERSION, [name, part]])


def _check_tensor(value: Any, name: str) -> None:
    """Refuse a tensor that is more than its numbers."""
    if value.requires_grad:
        raise NoEncoding("", "torch.Tensor that requires a gradient", "hand on .detach()")
    if str(value.layout) != "torch.strided" or value.is_quantized:
        raise NoEncoding("", f"torch.Tensor of layout {value.layout}", "hand on .to_dense(), or its parts")
    if value.device.type == "meta":
        raise NoEncoding("", "torch.Tensor on the device meta", "it has no values")
    if name not in _PLAIN and name not in _BY_BITS:
        raise NoEncoding("", f"torch.Tensor of dtype {name}", "convert it to another dtype first")
    if getattr(value, "__dict__", None):
        raise NoEncoding("", "torch.Tensor with attributes of its own", "hand them on beside it")


def _write_jax(value: Any, writing: Writing) -> object:
    if not value.is_fully_addressable:
        raise NoEncoding("", "jax.Array spread over several processes", "gather it first")
    numpy = library("numpy")
    try:
        held = numpy.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        hint = "hand on a copy of what was donated or deleted"
        raise NoEncoding("", f"jax.Array of dtype {value.dtype} without a form on the host", hint) from error
    return writing.write(held)


def _write_cupy(value: Any, writing: Writing) -> object:
    return writing.write(value.get())


# ---- read --------------------------------------------------------------------------


def _read_tensor(parts: list[Any]) -> object:
    name, held = listed(parts, 2)
    array = plain_array(held)
    expected = (_PLAIN | _BY_BITS).get(name) if type(name) is str else None
    if array.dtype.str != expected or not array.flags.c_contiguous:
        raise BadRecord("not a tensor")
    torch = library("torch")
    if name not in _BY_BITS:
        return torch.from_numpy(array)
    signed = array.view("|u1" if expected == "|u1" else "<i2")
    return torch.from_numpy(signed).view(getattr(torch, name))


READERS: dict[str, Callable[[list[Any]], object]] = {_TENSOR: _read_tensor}
