"""Claims about arrays of devices and of dtypes that numpy has not: kept by their numbers, handed back on the host."""

from __future__ import annotations

import subprocess
import sys
import types
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from flowcore.plan.encode import BadRecord, NoEncoding, decode, encode, no_fetch
from flowcore.plan.extension import ARRAY_INLINE, REGISTERED, array_digest, extension, pack

NARROW = ["bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "uint4"]


def identity(value: object) -> bytes:
    """Give the component of a value."""
    return encode(value, put=array_digest).component


def there_and_back(value: object) -> Any:
    """Give a value as it is read, with the identity that it had."""
    encoded = encode(value, put=array_digest)
    found = decode(encoded.record, fetch=no_fetch)

    assert encoded.component == identity(found)
    return found


@pytest.mark.contract("K20", "KT5")
@pytest.mark.parametrize("name", NARROW)
def test_dtypes_of_ml_dtypes_come_back(name: str) -> None:
    """Numpy's own files would make raw bytes of them."""
    dtype = np.dtype(getattr(ml_dtypes, name))
    array = np.array([[1, 2, 3], [4, 5, 6]], dtype)
    found = there_and_back(array[:, ::2])

    assert (dtype, [[1, 3], [4, 6]]) == (found.dtype, found.astype(float).tolist())
    assert (dtype.type, 1.0) == (type(there_and_back(array[0, 0])), float(there_and_back(array[0, 0])))
    assert identity(array) != identity(array.view("u1"))


@pytest.mark.contract("K20")
def test_no_two_dtypes_of_the_same_bits_share_an_identity() -> None:
    """A bfloat16 and a float16, an 8-bit float and a byte."""
    kinds = ["u1", "i1", "V1", "?", ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.int4]

    assert len(kinds) == len({identity(np.zeros(3, "u1").view(kind)) for kind in kinds})


@pytest.mark.contract("K20", "K8")
def test_the_library_enters_the_keys_of_consumers() -> None:
    """What a bfloat16 adds up to is the library's affair."""
    encoded = encode(np.zeros(2, ml_dtypes.bfloat16), put=array_digest, class_identity=lambda kind: b"")

    assert (("library ml_dtypes", ml_dtypes.__version__.encode()),) == encoded.classes


@pytest.mark.contract("K17")
def test_a_dtype_of_nobody_is_refused() -> None:
    """One that says it is of a library that has no such dtype; and as the field of another."""
    with pytest.raises(NoEncoding):
        identity(np.zeros(2, [("a", ml_dtypes.bfloat16)]))


class FakeCupy:
    """An array on a device that is not there: what cupy.ndarray promises, as far as flowcore asks."""

    __module__ = "cupy"

    def __init__(self, held: Any) -> None:
        self._held = held

    def get(self) -> Any:
        """Copy it to the host."""
        return self._held.copy()

    @property
    def __cuda_array_interface__(self) -> dict[str, object]:
        raise AssertionError("nobody asks for its memory")


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a library that looks like CuPy to whoever asks what is loaded."""
    FakeCupy.__name__ = FakeCupy.__qualname__ = "ndarray"
    module: Any = types.ModuleType("cupy")
    module.ndarray = FakeCupy
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


@pytest.mark.contract("K20")
def test_an_array_of_cupy_is_the_array_of_its_host(cupy: Any) -> None:
    """It has the same identity, and what comes back is of numpy: reading touches no device."""
    held = np.arange(6.0).reshape(2, 3)
    found = there_and_back(cupy.ndarray(held))

    assert (np.ndarray, held.tolist()) == (type(found), found.tolist())
    assert identity(held) == identity(cupy.ndarray(held))


class ArrayImpl:
    """An array of JAX, as far as flowcore asks."""

    __module__ = "jaxlib._jax"

    def __init__(self, held: Any, *, addressable: bool = True) -> None:
        self._held = held
        self.is_fully_addressable = addressable
        self.dtype = getattr(held, "dtype", "key<fry>")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self._held is None:
            raise RuntimeError("Array has been deleted")
        return self._held


@pytest.mark.contract("K20")
def test_an_array_of_jax_is_the_array_of_its_host() -> None:
    """Likewise, bfloat16 too; one that has no host form says so."""
    held = np.array([1, 2], ml_dtypes.bfloat16)
    found = there_and_back(ArrayImpl(held))

    assert (held.dtype, identity(held)) == (found.dtype, identity(ArrayImpl(held)))
    with pytest.raises(NoEncoding, match="gather it first"):
        identity(ArrayImpl(held, addressable=False))
    with pytest.raises(NoEncoding, match="without a form on the host"):
        identity(ArrayImpl(None))


def crafted(name: str, *parts: object) -> bytes:
    """Give a record that says it is a value of one of these libraries."""
    return pack(extension(REGISTERED, [name, "1", list(parts)]))


def part(values: Any, dtype: str) -> Any:
    """Give an array as a part of a record."""
    array = np.array(values, dtype)
    return extension(ARRAY_INLINE, [array.tobytes(), array.dtype.str, False, list(array.shape)])


CRAFTED = {
    "a dtype that is none": crafted("ml_dtypes.array", "floatless", part([1], "u2")),
    "a function of the library": crafted("ml_dtypes.array", "finfo", part([1], "u2")),
    "a special name": crafted("ml_dtypes.array", "__loader__", part([1], "u2")),
    "bits of another size": crafted("ml_dtypes.array", "bfloat16", part([1], "u4")),
    "floats as bits": crafted("ml_dtypes.array", "bfloat16", part([1], "f2")),
    "a scalar of two": crafted("ml_dtypes.scalar", "bfloat16", part([1, 2], "u2")),
    "a tensor of text": crafted("torch.Tensor", "float32", "text"),
    "a tensor of another dtype": crafted("torch.Tensor", "float32", part([1], "f8")),
    "a tensor of an unknown dtype": crafted("torch.Tensor", "float128", part([1], "f8")),
}


@pytest.mark.contract("S7")
@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_arrays_are_refused(name: str) -> None:
    """Before any library is asked for anything but a dtype of its own."""
    with pytest.raises(BadRecord):
        decode(CRAFTED[name], fetch=no_fetch)


TORCH = """
import numpy as np, torch
from flowcore.plan.encode import encode, decode, no_fetch, NoEncoding
from flowcore.plan.extension import array_digest

def identity(value):
    return encode(value, put=array_digest).component

def refused(value):
    try:
        identity(value)
    except NoEncoding as refusal:
        return f"{refusal.kind}: {refusal.hint}"

grid = torch.arange(6.0).reshape(2, 3)
values = [grid, grid.T, grid[:, ::2], torch.tensor(3), torch.zeros(0, 2), torch.tensor([1 + 2j]).conj(),
          grid.bfloat16(), grid.half(), torch.tensor([True, False]), torch.zeros(2, dtype=torch.float8_e5m2),
          torch.tensor([1], dtype=torch.uint16)]
for value in values:
    encoded = encode(value, put=array_digest)
    found = decode(encoded.record, fetch=no_fetch)
    assert (type(found), found.dtype, found.shape) == (torch.Tensor, value.dtype, value.shape), value
    assert torch.equal(found.to(torch.complex64), value.to(torch.complex64)), value
    assert identity(found) == encoded.component, value
assert len(values) == len(set(map(identity, values)))
assert identity(grid[:, ::2]) == identity(grid[:, ::2].contiguous())
assert identity(grid) != identity(grid.numpy())
print(refused(torch.zeros(2, requires_grad=True)))
print(refused(torch.nn.Parameter(torch.zeros(2))))
print(refused(torch.eye(2).to_sparse()))
print(refused(torch.empty(2, device="meta")))
"""
JAX = """
import jax, jax.numpy as jnp, numpy as np
from flowcore.plan.encode import encode, decode, no_fetch, NoEncoding
from flowcore.plan.extension import array_digest

for value in (jnp.arange(6.0).reshape(2, 3), jnp.zeros((), "int32"), jnp.ones(3, "bfloat16"), jnp.array([1 + 2j])):
    held = np.asarray(value)
    encoded = encode(value, put=array_digest)
    found = decode(encoded.record, fetch=no_fetch)
    assert (type(found), found.dtype, found.shape) == (np.ndarray, value.dtype, value.shape), value
    assert encoded.component == encode(held, put=array_digest).component, value
    assert (found == held).all()
for value in (jax.random.key(0), jnp.zeros(3)):
    if value.ndim:
        value.delete()
    try:
        encode(value, put=array_digest)
    except NoEncoding as refusal:
        print(refusal.hint)
def refused(traced):
    try:
        encode(traced, put=array_digest)
    except NoEncoding as refusal:
        print(refusal.hint)
    return traced

jax.jit(refused)(1.0)
"""


def told(script: str, library: str) -> list[str]:
    """Run a script in a process of its own: these libraries have threads from the start. Give what it printed."""
    pytest.importorskip(library, reason=f"{library} is installed by the extra `gpu` alone: 90 MB and more")
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert 0 == ran.returncode, ran.stderr
    return ran.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.contract("K20")
def test_tensors_of_torch_come_back_on_the_cpu() -> None:
    """By their numbers, whatever their strides; what is more than numbers is refused."""
    lines = told(TORCH, "torch")

    assert [
        "torch.Tensor that requires a gradient: hand on .detach()",
        "torch.nn.parameter.Parameter: hand on .detach().clone(), or its state_dict()",
        "torch.Tensor of layout torch.sparse_coo: hand on .to_dense(), or its parts",
        "torch.Tensor on the device meta: it has no values",
    ] == lines


@pytest.mark.slow
@pytest.mark.contract("K20")
def test_arrays_of_jax_come_back_as_numpys() -> None:
    """On a real JAX; random keys and arrays that are gone are refused."""
    lines = told(JAX, "jax")

    assert ["hand on jax.random.key_data(key); inside of jit nothing has a value"] * 2 == lines[::2]
    assert "hand on a copy of what was donated or deleted" == lines[1]
