"""The template encoder against the reference; schemas drawn at random are in the property tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from aiorerun.codec import chunk_schema, chunk_template
from aiorerun.codec.chunk import encode_batch
from aiorerun.codec.chunk_arrow import decode_ipc, to_record_batch
from aiorerun.pipeline.chunk import Chunk, ComponentData
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.flat import FlatArray, Pieces
from aiorerun.types.flat_arrow import flatten
from aiorerun.types.timeline import Timeline
from tests.unit.codec.building import (
    FRAME,
    POSITION_TYPE,
    POSITIONS,
    SCALARS,
    TIMESTAMP,
    chunk,
    component,
    index,
    scalar_chunk,
)


def assert_same_as_reference(made: Chunk) -> None:
    encoded = encode_batch(made)
    data = b"".join(encoded.segments)
    assert len(data) == encoded.nbytes
    assert all(len(segment) for segment in encoded.segments)
    # What sinks hand to the operating system without looking at it.
    assert all(memoryview(segment).format == "B" for segment in encoded.segments)
    batch, reference = decode_ipc(data), to_record_batch(made)
    assert batch.schema.equals(reference.schema, check_metadata=True)
    assert list(batch.schema.metadata) == list(reference.schema.metadata)
    assert batch.equals(reference, check_metadata=True)


@pytest.mark.parametrize("path", ["/", "/a", "/ä", "/a/b", "/a\\/b", "/" + "x" * 500])
def test_paths_of_all_lengths(path: str) -> None:
    assert_same_as_reference(scalar_chunk(path))


def test_entities_with_paths_of_one_length_share_a_template() -> None:
    one, other = scalar_chunk("/share/a"), scalar_chunk("/share/b")
    assert_same_as_reference(one)
    assert_same_as_reference(other)
    assert chunk_template.template_of(one, 8) is chunk_template.template_of(other, 8)


def test_equal_types_that_are_other_objects_share_a_template() -> None:
    def made() -> Chunk:
        kind = pa.struct([pa.field("a", pa.int32(), nullable=False)])
        values = FlatArray(kind, 1, [(1, 0), (1, 0)], [None, None, np.array([7], np.int32)])
        column = ComponentData(ComponentDescriptor("s"), np.array([0, 1], np.int32), values)
        return chunk("/a", 1, [index(FRAME, [1])], [column])

    one, other = made(), made()
    assert one.components[0].values.type is not other.components[0].values.type
    assert chunk_template.template_of(one, 2) is chunk_template.template_of(other, 2)
    assert_same_as_reference(other)


def test_types_that_differ_only_in_metadata_do_not_share() -> None:
    for value in ("v", "w", "v"):
        kind = pa.struct([pa.field("a", pa.int32(), metadata={"k": value})])
        assert_same_as_reference(chunk("/a", 1, [], [component("s", [[{"a": 1}]], kind)]))


def test_order_flags_are_part_of_the_schema() -> None:
    assert_same_as_reference(scalar_chunk(frames=[1, 2, 3]))
    assert_same_as_reference(scalar_chunk(frames=[3, 2, 1]))
    assert_same_as_reference(scalar_chunk(frames=[1, 2, 3]))


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 8, 9, 1000, 20_000])
def test_numbers_of_rows(rows: int) -> None:
    frames = list(range(rows))
    half = [[float(frame)] if frame % 2 else None for frame in frames]
    assert_same_as_reference(
        chunk(
            "/a",
            rows,
            [index(FRAME, frames), index(Timeline("t", TIMESTAMP), frames[::-1])],
            [component(SCALARS, half, pa.float64()), component("c", [["é"] for _ in frames], pa.string())],
        )
    )


def test_no_components_and_no_timelines() -> None:
    assert_same_as_reference(chunk("/a", 2, [], []))
    assert_same_as_reference(chunk("/a", 0, [], [component("x", [], pa.nulls(0).type)]))


def test_big_buffers_are_not_copied() -> None:
    points = np.random.default_rng(1).random((10_000, 3), np.float32)
    values = FlatArray(POSITION_TYPE, 10_000, [(10_000, 0), (30_000, 0)], [None, None, points])
    column = ComponentData(POSITIONS, np.array([0, 10_000], np.int32), values)
    made = chunk("/a", 1, [index(FRAME, [1])], [column])
    assert_same_as_reference(made)
    shared = [
        segment
        for segment in encode_batch(made).segments
        if np.shares_memory(np.frombuffer(segment, np.uint8), points)
    ]
    assert [len(segment) for segment in shared] == [points.nbytes]


def big(kind: str) -> Any:
    raw = bytes(range(256)) * 100
    return {
        "bytes": raw,
        "memoryview": memoryview(raw),
        "wide memoryview": memoryview(raw).cast("h"),
        "arrow": pa.py_buffer(raw),
        "array": np.frombuffer(raw, np.uint8),
        "two-dimensional": np.frombuffer(raw, np.uint8).reshape(256, 100),
        "not contiguous": np.repeat(np.frombuffer(raw, np.uint8), 2)[::2],
        "pieces": Pieces((raw[:5], np.frombuffer(raw[5:20_005], np.uint8), b"", memoryview(raw)[20_005:])),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "bytes",
        "memoryview",
        "wide memoryview",
        "arrow",
        "array",
        "two-dimensional",
        "not contiguous",
        "pieces",
    ],
)
def test_buffers_of_all_kinds(kind: str) -> None:
    buffer = big(kind)
    values = FlatArray(pa.uint8(), 25_600, [(25_600, 0)], [None, buffer])
    column = ComponentData(ComponentDescriptor("x"), np.array([0, 25_600], np.int32), values)
    made = chunk("/a", 1, [], [column])
    assert_same_as_reference(made)
    (cell,) = decode_ipc(b"".join(encode_batch(made).segments))["x"].to_pylist()
    assert bytes(cell) == bytes(range(256)) * 100


@pytest.mark.parametrize(
    "sizes", [[], [0], [0, 0], [2048], [3000, 5000], [5000, 0], [100, 5000], [5000, 100]]
)
def test_pieces_of_all_sizes(sizes: list[int]) -> None:
    pieces = Pieces([np.arange(size).astype(np.uint8) for size in sizes])
    total = sum(sizes)
    values = FlatArray(pa.uint8(), total, [(total, 0)], [None, pieces])
    column = ComponentData(ComponentDescriptor("x"), np.array([0, total], np.int32), values)
    made = chunk("/a", 1, [], [column])
    data = b"".join(encode_batch(made).segments)
    assert decode_ipc(data).column("x").to_pylist() == [[*b"".join(map(bytes, pieces))]]


def test_times_and_booleans_as_numpy_keeps_them() -> None:
    times = FlatArray(pa.timestamp("ns"), 1, [(1, 0)], [None, np.array([5], "datetime64[ns]")])
    made = chunk("/a", 1, [], [ComponentData(ComponentDescriptor("x"), np.array([0, 1], np.int32), times)])
    assert_same_as_reference(made)


def test_offsets_that_columns_share_are_written_once() -> None:
    offsets = np.arange(1001, dtype=np.int32)
    columns = [
        ComponentData(ComponentDescriptor(name), offsets, flatten(pa.array(np.full(1000, position, np.int8))))
        for position, name in enumerate("abc")
    ]
    made = chunk("/a", 1000, [index(FRAME, range(1000))], columns)
    assert_same_as_reference(made)
    separate = [ComponentData(each.descriptor, each.offsets.copy(), each.values) for each in made.components]
    alone = chunk("/a", 1000, made.indexes, separate)
    assert_same_as_reference(alone)
    assert encode_batch(alone).nbytes - encode_batch(made).nbytes == 2 * 4008


def test_what_templates_cannot_do_falls_back() -> None:
    values = flatten(pa.array(["x", "y", "x"]).dictionary_encode())
    column = ComponentData(ComponentDescriptor("d"), np.array([0, 2, 3], np.int32), values)
    made = chunk("/a", 2, [index(FRAME, [1, 2])], [column, component(SCALARS, [[1.0], None], pa.float64())])
    assert_same_as_reference(made)
    assert encode_batch(made).columns.types[1 if made.components[1] is column else 0] == values.type


@pytest.mark.parametrize("swapped", [False, True])
def test_the_order_of_what_is_patched_does_not_matter(swapped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = chunk_schema.chunk_schema

    def ordered(*arguments: Any) -> pa.Schema:
        schema = plain(*arguments)
        entries = list(schema.metadata.items())
        return schema.with_metadata(dict(reversed(entries) if swapped else entries))

    monkeypatch.setattr(chunk_template, "chunk_schema", ordered)
    made = scalar_chunk(f"/{swapped}/only/here")
    batch = decode_ipc(b"".join(encode_batch(made).segments))
    # The cache is shared by all tests; nothing else has paths of this length.
    assert batch.schema.metadata == to_record_batch(made).schema.metadata
    assert batch.equals(to_record_batch(made))


def test_column_sets_compare_by_value() -> None:
    one = encode_batch(scalar_chunk("/short")).columns
    other = encode_batch(scalar_chunk("/much/longer")).columns
    assert one is not other
    assert one == other
    assert hash(one) == hash(other)
    assert one != encode_batch(chunk("/short", 1, [], [component(SCALARS, [[1.0]], pa.float64())])).columns
    assert one != "something else"
    assert "Scalars" in repr(one)


def test_templates_are_bounded() -> None:
    for number in range(3 * chunk_template._TEMPLATES):
        encode_batch(chunk("/a", 1, [], [component(f"c{number}", [[1]], pa.int8())]))
    assert len(chunk_template._by_identity) <= 2 * chunk_template._TEMPLATES
    assert len(chunk_template._by_value) <= 2 * chunk_template._TEMPLATES
