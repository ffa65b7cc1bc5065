"""What Parquet has no type for is stored as something that it has."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aiorerun.files.parquet_types import storable, storable_type

UNION = pa.UnionArray.from_dense(
    pa.array([0, 1, 0, 2], pa.int8()),
    pa.array([0, 0, 1, 0], pa.int32()),
    [pa.array([1.0, 2.0]), pa.array([[1, 2]]), pa.array([None], pa.null())],
    ["f", "l", "n"],
)
SPARSE = pa.UnionArray.from_sparse(
    pa.array([1, 0], pa.int8()), [pa.array(["a", "b"]), pa.array([1, 2])], ["s", "i"]
)
STRUCT = pa.StructArray.from_arrays(
    [UNION, pa.array([1, 2, None, 4])], ["u", "x"], mask=pa.array([False, True, False, False])
)
LISTS = pa.ListArray.from_arrays(pa.array([0, 1, None, 2, 4], pa.int32()), STRUCT)
RUNS = pa.RunEndEncodedArray.from_arrays(
    pa.array([2, 3, 4], pa.int16()), pa.array(["a", None, "c"]).dictionary_encode()
)
INTERVALS = pa.array([(1, 2, 3), None, (-4, 5, 6)], pa.month_day_nano_interval())
I1, I3 = (
    {"months": months, "days": days, "nanoseconds": nanos} for months, days, nanos in ((1, 2, 3), (-4, 5, 6))
)
F1, F2 = ({"f": value, "l": None, "n": None} for value in (1.0, 2.0))
L1, N = ({"f": None, "l": value, "n": None} for value in ([1, 2], None))
X1, X3, X4 = {"u": F1, "x": 1}, {"u": F2, "x": None}, {"u": N, "x": 4}


@pytest.mark.parametrize(
    ("array", "values"),
    [
        (UNION, [F1, L1, F2, N]),
        (SPARSE, [{"s": None, "i": 1}, {"s": "b", "i": None}]),
        (UNION.slice(2), [F2, N]),
        (SPARSE.slice(1), [{"s": "b", "i": None}]),
        (STRUCT, [X1, None, X3, X4]),
        (LISTS, [[X1], [None], None, [X3, X4]]),
        (LISTS.slice(1, 3), [[None], None, [X3, X4]]),
        (pa.FixedSizeListArray.from_arrays(STRUCT, 2), [[X1, None], [X3, X4]]),
        (pa.FixedSizeListArray.from_arrays(STRUCT, 2).slice(1), [[X3, X4]]),
        (pa.LargeListArray.from_arrays([0, 4], STRUCT), [[X1, None, X3, X4]]),
        (RUNS, ["a", "a", None, "c"]),
        (RUNS.slice(1, 2), ["a", None]),
        (pa.ListArray.from_arrays([0, 3, 4], RUNS), [["a", "a", None], ["c"]]),
        (pa.StructArray.from_arrays([RUNS.slice(2)], ["x"]), [{"x": None}, {"x": "c"}]),
        (INTERVALS, [I1, None, I3]),
        (INTERVALS.slice(1), [None, I3]),
        (pa.ListArray.from_arrays([0, 1, 3], INTERVALS).slice(1), [[None, I3]]),
        (pa.array([b"", None], pa.binary(0)), [b"", None]),
        (pa.array([[b"", None], None], pa.list_(pa.binary(0))), [[b"", None], None]),
        (pa.array([{}, None], pa.struct([])), [True, True]),
        (pa.array(["a", None]).dictionary_encode(), ["a", None]),
        (pa.ListArray.from_arrays([0, 2], pa.array(["a", "b"]).dictionary_encode()), [["a", "b"]]),
    ],
    ids=lambda each: str(each.type)[:30] if isinstance(each, pa.Array) else "",
)
def test_what_becomes_of_values(array: Any, values: list[Any]) -> None:
    found = storable(array)
    found.validate(full=True)
    assert found.type == storable_type(array.type)
    assert found.to_pylist() == values
    target = io.BytesIO()
    pq.write_table(pa.table({"x": found}), target)
    assert pq.read_table(target).column("x").to_pylist() == values


def test_what_parquet_has_stays_as_it_is() -> None:
    for array in (
        pa.array([1]),
        pa.array([[{"a": [1.0]}]]),
        pa.array(["x"]),
        pa.array([[1, 2]], pa.list_(pa.int8(), 2)),
        pa.array([b"ab"], pa.binary(2)),
    ):
        assert storable(array) is array
