"""Arrow arrays to their flat form and back, whole and sliced."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from aiorerun.types.flat import FlatArray, Pieces
from aiorerun.types.flat_arrow import as_arrow_buffer, flatten, own_buffers, unflatten

NOT_NULL_3 = pa.list_(pa.field("item", pa.float32(), nullable=False), 3)

FLAT: dict[str, pa.Array[Any]] = {
    "int": pa.array([1, None, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    "half": pa.array([1.5, None], pa.float16()),
    "bool": pa.array([True, None, False] * 7),
    "text": pa.array(["a", None, "ccc", "", "é"] * 3),
    "large text": pa.array(["a", "b", None] * 3, pa.large_string()),
    "bytes": pa.array([b"a", None, b"ccc"]),
    "fixed bytes": pa.array([None, b"1234"], pa.binary(4)),
    "decimal": pa.array([decimal.Decimal("1.5"), None]),
    "date": pa.array([dt.date(2020, 1, 2), None]),
    "timestamp": pa.array([dt.datetime(2020, 1, 1, tzinfo=dt.UTC), None], pa.timestamp("us", "UTC")),
    "interval": pa.array([(1, 2, 3), None], pa.month_day_nano_interval()),
    "null": pa.nulls(5),
    "list": pa.array([[1, 2], None, [], [3]], pa.list_(pa.int32())),
    "large list": pa.array([[1], None, [2, 3]], pa.large_list(pa.int8())),
    "fixed list": pa.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], NOT_NULL_3),
    "fixed list with nulls": pa.array([[1, 2, 3], None, [None, 5, 6]], pa.list_(pa.float32(), 3)),
    "map": pa.array([[("k", 1)], None, [("l", 2), ("m", 3)]], pa.map_(pa.string(), pa.int64())),
    "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}]),
    "empty struct": pa.array([{}, None], pa.struct([])),
    "nested": pa.array([[{"a": [1, 2]}, {"a": None}], [], None]),
    "dense union": pa.UnionArray.from_dense(
        pa.array([0, 1, 0, 0, 1, 1], pa.int8()),
        pa.array([0, 0, 1, 2, 1, 2], pa.int32()),
        [pa.array([1, 2, 3]), pa.array(["a", "b", "c"])],
    ),
    "dense union with type codes": pa.UnionArray.from_dense(
        pa.array([5, 7, 5], pa.int8()),
        pa.array([0, 0, 1], pa.int32()),
        [pa.array([1, 2]), pa.array(["a"])],
        type_codes=[5, 7],
    ),
    "sparse union": pa.UnionArray.from_sparse(
        pa.array([0, 1, 0], pa.int8()), [pa.array([1, 2, None]), pa.array(["a", "b", "c"])]
    ),
    "list of unions": pa.ListArray.from_arrays(
        [0, 2, 3],
        pa.UnionArray.from_dense(
            pa.array([0, 1, 0], pa.int8()),
            pa.array([0, 0, 1], pa.int32()),
            [pa.array([1, 2]), pa.array(["a"])],
        ),
    ),
}

WHOLE: dict[str, pa.Array[Any]] = {
    "dictionary": pa.array(["x", "y", "x"]).dictionary_encode(),
    "text view": pa.array(["x", None], pa.string_view()),
    "bytes view": pa.array([b"x", None], pa.binary_view()),
    "list view": pa.array([[1], [2, 3]], pa.list_view(pa.int64())),
    "run end encoded": pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"]),
    "struct of dictionaries": pa.StructArray.from_arrays([pa.array(["x"]).dictionary_encode()], ["a"]),
}


def slices(array: pa.Array[Any]) -> list[pa.Array[Any]]:
    return [
        array.slice(start, length)
        for start in range(len(array) + 1)
        for length in range(len(array) - start + 1)
    ]


@pytest.mark.parametrize("name", FLAT)
def test_flat_and_back(name: str) -> None:
    for array in slices(FLAT[name]):
        flat = flatten(array)
        assert flat.arrow is None
        assert flat.length == len(array)
        assert flat.nodes[0] == (len(array), array.null_count)
        back = unflatten(flat)
        back.validate(full=True)
        assert back.type.equals(array.type, check_metadata=True)
        assert back.equals(array)
        assert back.to_pylist() == array.to_pylist()


@pytest.mark.parametrize("name", FLAT)
def test_the_shape_is_that_of_ipc(name: str) -> None:
    array = FLAT[name]
    flat = flatten(array)
    nodes, buffers = ipc_shape(array.type)
    assert (len(flat.nodes), len(flat.buffers)) == (nodes, buffers)


def ipc_shape(kind: pa.DataType) -> tuple[int, int]:
    shapes = [ipc_shape(kind.field(position).type) for position in range(kind.num_fields)]
    return 1 + sum(nodes for nodes, _ in shapes), own_buffers(kind) + sum(buffers for _, buffers in shapes)


@pytest.mark.parametrize("name", WHOLE)
def test_what_ipc_writes_otherwise_is_kept_whole(name: str) -> None:
    array = WHOLE[name]
    flat = flatten(array)
    assert flat.arrow is array
    assert (list(flat.nodes), list(flat.buffers)) == ([], [])
    assert unflatten(flat) is array


def test_slices_leave_the_rest_behind() -> None:
    text = pa.array(["x" * 1000] * 1000)
    flat = flatten(text.slice(10, 2))
    assert sum(buffer.size for buffer in map(as_arrow_buffer, flat.buffers) if buffer is not None) < 3000
    union = pa.UnionArray.from_dense(
        pa.array([0] * 1000, pa.int8()), pa.array(range(1000), pa.int32()), [text, pa.array([1])]
    )
    flat = flatten(union.slice(500, 2))
    assert flat.nodes == [(2, 0), (2, 0), (0, 0)]


def test_validity_without_nulls_is_left_out() -> None:
    with_bitmap = pa.array([1, None, 3])
    assert flatten(with_bitmap).buffers[0] is not None
    assert flatten(with_bitmap.slice(2, 1)).buffers[0] is None


def test_extension_types_become_their_storage() -> None:
    class Celsius(pa.ExtensionType):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(pa.float32(), "test.celsius")

        def __arrow_ext_serialize__(self) -> bytes:
            return b""

    storage = pa.array([1.5, None], pa.float32())
    flat = flatten(pa.ExtensionArray.from_storage(Celsius(), storage))
    assert flat.type == pa.float32()
    assert unflatten(flat).equals(storage)


def test_equal_types_are_one_object_unless_their_metadata_differs() -> None:
    def of(metadata: dict[str, str] | None) -> pa.DataType:
        return flatten(pa.array([{"a": 1}], pa.struct([pa.field("a", pa.int8(), metadata=metadata)]))).type

    assert of(None) is of(None)
    assert of({"k": "v"}).field(0).metadata == {b"k": b"v"}
    assert of({"k": "w"}).field(0).metadata == {b"k": b"w"}


@pytest.mark.parametrize(
    "buffer",
    [
        b"\x01\x00\x02\x00",
        memoryview(b"\x01\x00\x02\x00"),
        np.array([1, 2], "<i2"),
        np.array([[1], [2]], "<i2")[:, 0],
        np.array([0x0100, 0x0200], ">i2"),
        np.array([1 + (2 << 16)], "<i4").view("<u4"),
        Pieces((b"\x01\x00", np.array([2], "<i2"))),
    ],
)
def test_buffers_of_all_kinds(buffer: Any) -> None:
    made = as_arrow_buffer(buffer)
    assert made is not None
    assert made.to_pybytes() == b"\x01\x00\x02\x00"


def test_times_have_no_buffer_of_their_own_but_are_taken() -> None:
    times = np.array([5], "datetime64[ns]")
    flat = FlatArray(pa.timestamp("ns"), 1, [(1, 0)], [None, times])
    assert unflatten(flat).cast(pa.int64()).to_pylist() == [5]


def test_no_buffer_stays_none() -> None:
    assert as_arrow_buffer(None) is None
