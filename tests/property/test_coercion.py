"""Whatever values are given: capturing them and reading them back gives the values."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from aiorerun import components as c
from aiorerun.types.coerce import catalog
from aiorerun.types.coerce.arrow import captured_to_arrow
from aiorerun.types.encoding import DYNAMIC, Encoding

floats32 = st.floats(width=32)
vectors = st.lists(st.tuples(floats32, floats32, floats32), max_size=20)


def captured(encoding: Encoding, value: Any) -> list[Any]:
    """The values by way of the quickest converter, which must agree with the thorough one."""
    shape, convert = encoding.converter(type(value))
    quick = convert(value) if shape == DYNAMIC else (shape, convert(value))
    thorough = captured_to_arrow(encoding, *encoding.capture(value))
    array = captured_to_arrow(encoding, *quick)
    array.validate(full=True)
    assert repr(array.to_pylist()) == repr(thorough.to_pylist())
    assert array.type == encoding.arrow_type()
    values: list[Any] = array.to_pylist()
    return values


@given(st.floats())
def test_numbers(value: float) -> None:
    (got,) = captured(catalog.FLOAT64, value)
    assert struct.pack("<d", got) == struct.pack("<d", value)


@given(st.lists(st.integers(0, 65535)))
def test_whole_numbers(values: list[int]) -> None:
    assert captured(catalog.CLASS_ID, values) == values


@given(vectors)
def test_vectors(values: list[tuple[float, float, float]]) -> None:
    wanted = repr([list(value) for value in values])
    assert repr(captured(catalog.VEC3D, values)) == wanted
    flat = [number for value in values for number in value]
    assert repr(captured(catalog.VEC3D, flat)) == wanted
    assert repr(captured(catalog.VEC3D, np.array(values, np.float32).reshape(-1, 3))) == wanted


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float16, np.int16, np.uint8]),
        st.tuples(st.integers(0, 9), st.just(4)),
    )
)
def test_arrays_in_any_memory_order(array: Any) -> None:
    wanted = repr(array.astype(np.float32).tolist())
    for same in (
        array,
        np.asfortranarray(array),
        array[::-1][::-1],
        array.byteswap().view(array.dtype.newbyteorder()),
    ):
        assert repr(captured(catalog.QUATERNION, same)) == wanted


@given(st.one_of(st.text(), st.lists(st.text())))
def test_texts(value: str | list[str]) -> None:
    try:
        "".join(value).encode()
    except UnicodeEncodeError:
        return
    assert captured(catalog.UTF8, value) == ([value] if isinstance(value, str) else value)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(0, 30), st.sampled_from([3, 4]))))
def test_colors(array: Any) -> None:
    wanted = [int.from_bytes(bytes([*color, 255][:4]), "big") for color in array.tolist()]
    assert captured(catalog.RGBA32, array) == wanted
    assert captured(catalog.RGBA32, [list(color) for color in array.tolist()]) == wanted
    for color, number in zip(array.tolist(), wanted, strict=True):
        assert captured(catalog.RGBA32, tuple(color)) == [number]
        assert captured(catalog.RGBA32, number) == [number]


@given(st.lists(vectors, max_size=5))
def test_strips(strips: list[list[tuple[float, float, float]]]) -> None:
    arrays = [np.array(strip, np.float32).reshape(-1, 3) for strip in strips]
    assert repr(captured(catalog.LINE_STRIP3D, arrays)) == repr([array.tolist() for array in arrays])


@given(st.lists(st.binary(), min_size=1))
def test_blobs(blobs: list[bytes]) -> None:
    assert captured(catalog.BLOB, blobs) == [list(blob) for blob in blobs]
    assert captured(catalog.BLOB, blobs[0]) == [list(blobs[0])]


@given(st.lists(st.one_of(st.none(), st.booleans()).filter(lambda value: value is not None)))
def test_booleans(values: list[bool]) -> None:
    assert captured(catalog.BOOL, values) == values


@given(st.lists(st.sampled_from(list(c.MarkerShape))), st.booleans())
def test_enums(members: list[c.MarkerShape], by_name: bool) -> None:
    given_values: list[Any] = [member.name.lower() if by_name else member for member in members]
    assert captured(catalog.MARKER_SHAPE, given_values) == [member.value for member in members]
    for member in members:
        assert (
            captured(catalog.MARKER_SHAPE, member)
            == captured(catalog.MARKER_SHAPE, member.name)
            == [member.value]
        )


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.int64, np.float16, np.float64]),
        hnp.array_shapes(min_dims=0, max_dims=4),
    )
)
def test_tensors(array: Any) -> None:
    (tensor,) = captured(catalog.TENSOR_DATA, array)
    assert tensor["shape"] == list(array.shape)
    assert repr(tensor["buffer"]) == repr(array.ravel().tolist())
