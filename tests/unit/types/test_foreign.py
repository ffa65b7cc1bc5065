"""Arrays of other libraries are taken over by the protocols they offer."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from aiorerun import archetypes as a, components as c, datatypes as d, errors
from aiorerun.types.any_values import AnyBatchValue
from aiorerun.types.coerce.foreign import plain_array

POINTS = np.arange(6, dtype=np.float32).reshape(2, 3)
PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


def stream(array: Any) -> Any:
    """Not what type checkers take for an array, as for all that numpy does not know."""
    return WithStream(array)


def tensor(array: Any) -> Any:
    """The same with DLPack."""
    return WithDlpack(array)


class WithArray:
    """What only has ``__array__``."""

    def __init__(self, array: Any) -> None:
        self._array = np.asarray(array)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self._array, dtype=dtype)


class WithInterface:
    """What only has numpy's older interface."""

    def __init__(self, array: Any) -> None:
        self._array = np.asarray(array)

    @property
    def __array_interface__(self) -> Any:
        return self._array.__array_interface__


class WithDlpack:
    """What only has DLPack."""

    def __init__(self, array: Any) -> None:
        self._array = np.asarray(array)

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()


class OnDevice:
    """A tensor elsewhere: numpy cannot have it, its own method can."""

    def __init__(self, array: Any) -> None:
        self._array = np.asarray(array)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("not on this device")

    def __dlpack__(self, **options: Any) -> Any:
        raise BufferError("not on this device")

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)

    def numpy(self, *, force: bool = False) -> Any:
        if not force:
            raise RuntimeError("not on this device")
        return self._array


class Unreachable(OnDevice):
    """A tensor that nothing helps for."""

    def numpy(self, *, force: bool = False) -> Any:
        raise RuntimeError("a type that numpy does not have")


class WithArrow:
    """What only has Arrow's interface for arrays."""

    def __init__(self, array: Any) -> None:
        rows = array.tolist() if isinstance(array, np.ndarray) else array
        value_type = pa.from_numpy_dtype(array.dtype) if isinstance(array, np.ndarray) else None
        for length in reversed(array.shape[1:] if isinstance(array, np.ndarray) else ()):
            value_type = pa.list_(value_type, length)
        self._array = pa.array(rows, value_type)

    def __arrow_c_array__(self, requested_schema: Any = None) -> Any:
        return self._array.__arrow_c_array__(requested_schema)


class WithStream(WithArrow):
    """What only has Arrow's interface for streams."""

    __arrow_c_array__ = None  # type: ignore[assignment]

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        halves = pa.chunked_array([self._array[:1], self._array[1:]])
        return halves.__arrow_c_stream__(requested_schema)


del WithStream.__arrow_c_array__
NUMERIC = [WithArray, WithDlpack, OnDevice, WithArrow]


@pytest.fixture(autouse=True)
def strict() -> Any:
    with errors.strict_scope(True):
        yield


@pytest.mark.parametrize("kind", NUMERIC)
def test_numbers_of_all_kinds(kind: Any) -> None:
    numbers = np.array([0.0, 1.0, 2.0])
    assert a.Scalars(kind(numbers)) == a.Scalars(numbers)
    assert a.Points3D(kind(POINTS), radii=kind(numbers[:2])) == a.Points3D(POINTS, radii=numbers[:2])
    colors = np.array([[255, 0, 0], [0, 255, 0]], np.uint8)
    assert a.Points3D(POINTS, colors=kind(colors)) == a.Points3D(POINTS, colors=colors)
    assert a.Boxes3D(half_sizes=POINTS, class_ids=kind(np.array([1, 2], np.uint16))) == a.Boxes3D(
        half_sizes=POINTS, class_ids=[1, 2]
    )
    assert c.VisibleBatch(kind(np.array([1, 0]))) == c.VisibleBatch([True, False])
    assert AnyBatchValue("foreign", kind(numbers)).as_arrow_array().to_pylist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("kind", [WithArray, WithInterface, WithDlpack, OnDevice])
def test_images_and_tensors(kind: Any) -> None:
    assert a.Image(kind(PIXELS)) == a.Image(PIXELS)
    depth = np.arange(6, dtype=np.uint16).reshape(2, 3)
    assert a.DepthImage(kind(depth)) == a.DepthImage(depth)
    assert a.SegmentationImage(kind(depth)) == a.SegmentationImage(depth)
    assert a.Tensor(kind(POINTS), dim_names=["a", "b"]) == a.Tensor(POINTS, dim_names=["a", "b"])
    assert a.BarChart(kind(POINTS[0])) == a.BarChart(POINTS[0])
    assert d.TensorData(array=kind(POINTS)) == d.TensorData(array=POINTS)
    if kind is WithInterface:
        # Pictures have it, which are no lines.
        return
    strips = np.stack([POINTS, POINTS])
    assert a.LineStrips3D(kind(strips)) == a.LineStrips3D(strips)
    assert a.LineStrips3D([kind(POINTS), kind(POINTS)]) == a.LineStrips3D([POINTS, POINTS])
    assert c.BlobBatch(kind(PIXELS[0, 0])) == c.BlobBatch(PIXELS[0, 0])


def test_streams_of_arrow() -> None:
    assert a.Scalars(stream(np.array([0.0, 1.0, 2.0]))) == a.Scalars([0.0, 1.0, 2.0])
    assert a.Points3D(stream(POINTS)) == a.Points3D(POINTS)


@pytest.mark.parametrize("kind", [WithArrow, WithStream])
def test_texts(kind: Any) -> None:
    assert a.Points3D(POINTS, labels=kind(["a", "ü"])) == a.Points3D(POINTS, labels=["a", "ü"])


def test_what_cannot_be_reached_is_told_of() -> None:
    with pytest.raises(TypeError, match="Image: image: this Unreachable gives no numbers .* of the CPU"):
        a.Image(Unreachable(PIXELS))
    with pytest.raises(TypeError, match="positions: .* a type that numpy does not have"):
        a.Points3D(Unreachable(POINTS))


def test_what_was_logged_does_not_change() -> None:
    array = POINTS.copy()
    logged: list[Any] = [a.Points3D(tensor(array)), a.Tensor(tensor(array)), a.Scalars(tensor(array[0]))]
    image = PIXELS.copy()
    logged.append(a.Image(tensor(image)))
    before = [str(thing.as_component_batches()[0].as_arrow_array()) for thing in logged]
    array[:] = 99
    image[:] = 99
    assert [str(thing.as_component_batches()[0].as_arrow_array()) for thing in logged] == before


def test_plain_values_are_left_alone() -> None:
    for value in (1, "a", [1], POINTS, pa.array([1]), None, object()):
        assert plain_array(value) is value


def test_pillow() -> None:
    pillow = pytest.importorskip("PIL.Image")
    assert a.Image(pillow.fromarray(PIXELS)) == a.Image(PIXELS)
    assert a.Tensor(pillow.fromarray(PIXELS)) == a.Tensor(PIXELS)
    gray = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert a.SegmentationImage(pillow.fromarray(gray)) == a.SegmentationImage(gray)


def test_pandas() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(POINTS, columns=["x", "y", "z"])
    assert a.Points3D(frame) == a.Points3D(POINTS)
    assert a.Tensor(frame) == a.Tensor(POINTS)
    assert a.Scalars(pd.Series([1.0, 2.0])) == a.Scalars([1.0, 2.0])
    assert a.Points3D(POINTS, labels=pd.Series(["a", "b"])) == a.Points3D(POINTS, labels=["a", "b"])
    assert AnyBatchValue("pandas", pd.Series([1, 2])).as_arrow_array().to_pylist() == [1, 2]


def test_polars() -> None:
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(POINTS, schema=["x", "y", "z"])
    assert a.Points3D(frame) == a.Points3D(POINTS)
    assert a.Tensor(frame) == a.Tensor(POINTS)
    assert a.Scalars(pl.Series([1.0, 2.0])) == a.Scalars([1.0, 2.0])
    assert a.Points3D(POINTS, labels=pl.Series(["a", "b"])) == a.Points3D(POINTS, labels=["a", "b"])
    assert AnyBatchValue("polars", pl.Series([1, 2])).as_arrow_array().to_pylist() == [1, 2]


JAX = """
import jax.numpy as jnp, numpy as np
from aiorerun import archetypes as a, errors
errors.set_strict_mode(True)
points = np.arange(6, dtype=np.float32).reshape(2, 3)
pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
assert a.Image(jnp.asarray(pixels)) == a.Image(pixels)
assert a.Points3D(jnp.asarray(points)) == a.Points3D(points)
assert a.Tensor(jnp.asarray(points), dim_names=["a", "b"]) == a.Tensor(points, dim_names=["a", "b"])
assert a.Scalars(jnp.asarray(1.5)) == a.Scalars(1.5)
assert a.Scalars(jnp.asarray([0.5, 1.5], jnp.bfloat16)) == a.Scalars([0.5, 1.5])
"""


def test_jax() -> None:
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed: pip install '.[interop]'")
    # In a process of its own: JAX has threads, and warns at every fork from then on.
    subprocess.run([sys.executable, "-c", JAX], check=True, timeout=100)


def test_torch() -> None:
    torch = pytest.importorskip("torch")
    assert a.Image(torch.from_numpy(PIXELS.copy())) == a.Image(PIXELS)
    with_gradients = torch.tensor(POINTS, requires_grad=True)
    assert a.Points3D(with_gradients) == a.Points3D(POINTS)
    assert a.Tensor(with_gradients) == a.Tensor(POINTS)
    assert a.Scalars(torch.tensor(1.5)) == a.Scalars(1.5)
    assert AnyBatchValue("torch", torch.tensor([1, 2])).as_arrow_array().to_pylist() == [1, 2]
    with pytest.raises(TypeError, match="this Tensor gives no numbers"):
        a.Tensor(torch.tensor([1.0], dtype=torch.bfloat16))


def test_no_library_is_imported_for_it() -> None:
    code = (
        "import sys, numpy as np, aiorerun as rr\n"
        "rr.Image(np.zeros((2, 2), np.uint8)); rr.Tensor([[1]]); rr.Points3D([[1, 2, 3]])\n"
        "print({'torch', 'jax', 'pandas', 'polars', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "set()\n"
