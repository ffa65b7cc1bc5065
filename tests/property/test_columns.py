"""Random columns come back from what was written: sorted as they should be, nothing lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, strategies as st

import aiorerun as rr
from aiorerun.codec.chunk import encode_batch
from aiorerun.codec.chunk_arrow import decode_ipc
from aiorerun.pipeline.column_chunks import chunks_of
from aiorerun.pipeline.columns import capture_columns
from aiorerun.pipeline.dataframes import blocks_of, plan_of
from aiorerun.types.ids import ids

TYPES = {
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.utf8(): st.text(max_size=5),
    pa.bool_(): st.booleans(),
    pa.list_(pa.int8(), 2): st.lists(st.integers(-128, 127), min_size=2, max_size=2),
    pa.struct({"a": pa.int8(), "b": pa.utf8()}): st.fixed_dictionaries(
        {"a": st.none() | st.integers(-128, 127), "b": st.none() | st.text(max_size=3)}
    ),
    pa.dictionary(pa.int32(), pa.utf8()): st.sampled_from(["x", "y"]),
}


class Column:
    """A column of a program's own."""

    def __init__(self, name: str, array: Any) -> None:
        self.name = name
        self.array = array

    def component_descriptor(self) -> rr.ComponentDescriptor:
        return rr.ComponentDescriptor(self.name)

    def timeline_name(self) -> str:
        return self.name

    def as_arrow_array(self) -> Any:
        return self.array


@st.composite
def values(draw: st.DrawFn, rows: int) -> pa.Array[Any]:
    """An array of so many rows, which may be a slice of a longer one."""
    kind = draw(st.sampled_from(list(TYPES)))
    cells: st.SearchStrategy[Any] = st.none() | TYPES[kind]
    if draw(st.booleans()):
        kind = pa.list_(kind)
        cells = st.none() | st.lists(cells, max_size=3)
    before, after = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    size = before + rows + after
    array = pa.array(draw(st.lists(cells, min_size=size, max_size=size)), kind)
    return array.slice(before, rows)


@st.composite
def tables(draw: st.DrawFn) -> tuple[dict[str, list[int]], dict[str, pa.Array[Any]]]:
    """Times by timeline, and component columns."""
    rows = draw(st.integers(0, 12))
    number = st.integers(-3, 3) | st.integers(-(2**63) + 1, 2**63 - 1)
    names = draw(st.lists(st.sampled_from("abcd"), unique=True, max_size=3))
    times = {name: draw(st.lists(number, min_size=rows, max_size=rows)) for name in names}
    columns = {f"x{i}": draw(values(rows)) for i in range(draw(st.integers(1, 3)))}
    return times, columns


def decoded(chunks: Any) -> list[dict[str, Any]]:
    """The rows of encoded chunks, whose flags are checked on the way."""
    rows: list[dict[str, Any]] = []
    for chunk in chunks:
        batch = decode_ipc(b"".join(encode_batch(chunk).segments))
        for field, column in zip(batch.schema, batch.columns, strict=True):
            if field.metadata[b"rerun:kind"] == b"index":
                plain = column.to_pylist()
                assert (b"rerun:is_sorted" in field.metadata) == (plain == sorted(plain))
        ids_ = batch.column(0).to_pylist()
        assert ids_ == sorted(set(ids_))
        rows += [{name: row[name] for name in batch.schema.names[1:]} for row in batch.to_pylist()]
    return rows


def as_cells(array: pa.Array[Any], *, null_is_no_value: bool) -> list[Any]:
    plain: list[Any] = array.to_pylist()
    if pa.types.is_list(array.type):
        return plain
    return [None if cell is None and null_is_no_value else [cell] for cell in plain]


@given(tables(), st.sampled_from([1, 200, 1 << 30]))
def test_send_columns(table: tuple[dict[str, list[int]], dict[str, pa.Array[Any]]], max_bytes: int) -> None:
    times, columns = table
    indexes = [
        rr.TimeColumn(name, sequence=numbers) if i % 2 else Column(name, pa.array(numbers, pa.int64()))
        for i, (name, numbers) in enumerate(times.items())
    ]
    block = capture_columns("a", indexes, [Column(name, array) for name, array in columns.items()])
    cells = {name: as_cells(array, null_is_no_value=False) for name, array in columns.items()}
    expected = [
        {**{name: times[name][row] for name in times}, **{name: cells[name][row] for name in cells}}
        for row in range(block.num_rows)
    ]
    expected.sort(key=lambda row: [row[name] for name in sorted(times)])
    assert decoded(chunks_of(block, ids, 0, max_bytes=max_bytes)) == expected


@given(tables())
def test_tables_keep_their_order(table: tuple[dict[str, list[int]], dict[str, pa.Array[Any]]]) -> None:
    times, columns = table
    arrays = {name: pa.array(numbers, pa.int64()) for name, numbers in times.items()} | columns
    batch = pa.record_batch(arrays)
    (block,) = blocks_of(batch, plan_of(batch.schema, list(times), "a"))
    cells = {name: as_cells(array, null_is_no_value=True) for name, array in columns.items()}
    expected = [
        {**{name: times[name][row] for name in times}, **{name: cells[name][row] for name in cells}}
        for row in range(batch.num_rows)
    ]
    assert decoded(chunks_of(block, ids, 0)) == expected


@given(st.lists(st.integers(0, 4), max_size=8), st.randoms())
def test_partitioned_columns_of_archetypes(lengths: list[int], random: Any) -> None:
    size = sum(lengths)
    positions = np.arange(3 * size, dtype=np.float32).reshape(size, 3)
    columns = rr.Points3D.columns(positions=positions, labels=[str(i) for i in range(size)]).partition(
        lengths
    )
    frames = list(range(len(lengths)))
    random.shuffle(frames)
    block = capture_columns("a", [rr.TimeColumn("f", sequence=frames)], columns)
    starts = np.cumsum([0, *lengths])
    expected = [
        {
            "f": frame,
            "Points3D:labels": [str(i) for i in range(starts[row], starts[row + 1])],
            "Points3D:positions": positions[starts[row] : starts[row + 1]].tolist(),
        }
        for frame, row in sorted((frame, row) for row, frame in enumerate(frames))
    ]
    assert decoded(chunks_of(block, ids, 0)) == expected
