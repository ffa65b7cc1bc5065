"""Record batches of chunks: names, order, metadata, nullability; and reading them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from aiorerun.codec.chunk_arrow import decode_ipc, encode_reference, from_record_batch, to_record_batch
from aiorerun.codec.chunk_facts import chunk_facts
from aiorerun.codec.errors import RrdError
from aiorerun.types.timeline import Timeline
from tests.unit.codec.building import (
    DURATION,
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

EXAMPLE = chunk(
    "/world/pts",
    3,
    [
        index(FRAME, [1, 2, 3]),
        index(Timeline("b", TIMESTAMP), [3, 2, 1]),
        index(Timeline("a time", DURATION), [0, 0, 0]),
    ],
    [
        component(POSITIONS, [[[1, 2, 3]], None, []], POSITION_TYPE),
        component("loose", [["x"], ["y", None], []], pa.string()),
    ],
)


def test_schema_metadata() -> None:
    assert to_record_batch(EXAMPLE).schema.metadata == {
        b"sorbet:version": b"0.1.4",
        b"rerun:id": f"chunk_{EXAMPLE.id}".encode(),
        b"rerun:entity_path": b"/world/pts",
    }


def test_columns_are_in_order_with_their_types() -> None:
    schema = to_record_batch(EXAMPLE).schema
    assert [(field.name, field.type, field.nullable) for field in schema] == [
        ("rerun.controls.RowId", pa.binary(16), False),
        ("a time", pa.duration("ns"), True),
        ("b", pa.timestamp("ns"), True),
        ("frame", pa.int64(), True),
        ("loose", pa.list_(pa.string()), True),
        ("Points3D:positions", pa.list_(POSITION_TYPE), True),
    ]
    positions = schema.field("Points3D:positions").type
    assert positions.value_field.name == "item"
    assert positions.value_field.nullable
    assert not positions.value_type.value_field.nullable


def test_field_metadata() -> None:
    metadata = {field.name: field.metadata for field in to_record_batch(EXAMPLE).schema}
    assert metadata == {
        "rerun.controls.RowId": {
            b"rerun:kind": b"control",
            b"ARROW:extension:name": b"rerun.datatypes.TUID",
            b"ARROW:extension:metadata": b'{"namespace":"row"}',
            b"rerun:is_sorted": b"true",
        },
        "a time": {b"rerun:kind": b"index", b"rerun:index_name": b"a time", b"rerun:is_sorted": b"true"},
        "b": {b"rerun:kind": b"index", b"rerun:index_name": b"b"},
        "frame": {b"rerun:kind": b"index", b"rerun:index_name": b"frame", b"rerun:is_sorted": b"true"},
        "loose": {b"rerun:kind": b"data", b"rerun:component": b"loose"},
        "Points3D:positions": {
            b"rerun:kind": b"data",
            b"rerun:component": b"Points3D:positions",
            b"rerun:archetype": b"rerun.archetypes.Points3D",
            b"rerun:component_type": b"rerun.components.Position3D",
        },
    }


def test_cells() -> None:
    batch = to_record_batch(EXAMPLE)
    batch.validate(full=True)
    assert batch["Points3D:positions"].to_pylist() == [[[1.0, 2.0, 3.0]], None, []]
    assert batch["loose"].to_pylist() == [["x"], ["y", None], []]
    assert batch["frame"].to_pylist() == [1, 2, 3]
    assert b"".join(batch["rerun.controls.RowId"].to_pylist()) == EXAMPLE.row_ids.tobytes()


def test_reading_back() -> None:
    batch = decode_ipc(encode_reference(EXAMPLE))
    again = from_record_batch(batch)
    assert (again.id, again.entity_path, again.num_rows) == (EXAMPLE.id, "/world/pts", 3)
    assert to_record_batch(again).equals(batch, check_metadata=True)
    static = chunk("/s", 1, [], [component(SCALARS, [[1.0]], pa.float64())])
    assert from_record_batch(to_record_batch(static)).is_static


def test_slices_of_batches_are_read() -> None:
    batch = to_record_batch(EXAMPLE).slice(1, 2)
    assert to_record_batch(from_record_batch(batch)).equals(batch, check_metadata=True)
    nothing = to_record_batch(EXAMPLE).slice(1, 0)
    assert to_record_batch(from_record_batch(nothing)).equals(nothing, check_metadata=True)


def column(batch: pa.RecordBatch, name: str, array: pa.Array, **metadata: str) -> pa.RecordBatch:
    """The batch with one more column."""
    encoded = {f"rerun:{key}": value for key, value in metadata.items()}
    return batch.append_column(pa.field(name, array.type, metadata=encoded), array)


def test_flat_columns_count_as_one_instance_per_row() -> None:
    batch = column(to_record_batch(EXAMPLE), "flat", pa.array([1, 2, 3]))
    again = to_record_batch(from_record_batch(batch))
    assert again["flat"].to_pylist() == [[1], [2], [3]]


def test_old_names_of_kinds_are_read() -> None:
    batch = column(to_record_batch(EXAMPLE), "t", pa.array([1, 2, 3], pa.timestamp("ns", "UTC")), kind="time")
    (added,) = [each for each in from_record_batch(batch).indexes if each.timeline.name == "t"]
    assert added.timeline.kind is TIMESTAMP
    assert not added.is_sorted


@pytest.mark.parametrize(
    ("array", "kind", "message"),
    [
        (pa.array([1, 2, 3], pa.int32()), "index", "values of type int32"),
        (pa.array([1, 2, 3], pa.timestamp("us")), "index", "values of type timestamp"),
        (pa.array([1, None, 3]), "index", "has nulls"),
        (pa.array([1, 2, 3]), "control", "16 bytes"),
        (pa.array([1, 2, 3]), "other", "unknown kind"),
    ],
)
def test_wrong_columns(array: pa.Array, kind: str, message: str) -> None:
    with pytest.raises(RrdError, match=message):
        from_record_batch(column(to_record_batch(EXAMPLE), "x", array, kind=kind))


def test_batches_of_no_chunk() -> None:
    batch = to_record_batch(EXAMPLE)
    with pytest.raises(RrdError, match="which chunk it is"):
        from_record_batch(batch.replace_schema_metadata(None))
    with pytest.raises(RrdError, match="which chunk it is"):
        from_record_batch(batch.replace_schema_metadata({"rerun:id": "chunk_x", "rerun:entity_path": "/"}))
    with pytest.raises(RrdError, match="no row ids"):
        from_record_batch(batch.drop_columns(["rerun.controls.RowId"]))


def test_names_must_be_text() -> None:
    batch = to_record_batch(EXAMPLE)
    damaged = batch.append_column(
        pa.field("x", pa.int8(), metadata={b"rerun:component": b"\xff"}), pa.nulls(3, pa.int8())
    )
    with pytest.raises(RrdError, match="not UTF-8"):
        from_record_batch(damaged)


def test_streams_without_a_batch_or_with_damage() -> None:
    whole = encode_reference(scalar_chunk())
    schema_only = pa.BufferOutputStream()
    pa.ipc.new_stream(schema_only, pa.schema([])).close()
    with pytest.raises(RrdError, match="no record batch"):
        decode_ipc(schema_only.getvalue())
    for cut in (0, 1, 10, len(whole) // 2):
        with pytest.raises(RrdError, match=r"no record batch|cut off|claims a body"):
            decode_ipc(whole[:cut])


def test_a_missing_end_is_tolerated() -> None:
    whole = encode_reference(scalar_chunk())
    assert decode_ipc(whole[:-8]).equals(decode_ipc(whole))


def test_contents_are_checked() -> None:
    batch = to_record_batch(chunk("/a", 1, [], [component("x", [["abc"]], pa.string())]))
    data = bytearray(encode_reference(from_record_batch(batch)))
    position = data.rindex(b"abc")
    data[position] = 0xFF
    with pytest.raises(RrdError, match="cannot be read"):
        decode_ipc(data)
    assert decode_ipc(data, validate=False).num_rows == 1


def test_names_must_not_be_empty() -> None:
    batch = to_record_batch(EXAMPLE)
    damaged = batch.append_column(
        pa.field("x", pa.int8(), metadata={b"rerun:component": b""}), pa.nulls(3, pa.int8())
    )
    with pytest.raises(RrdError, match="the name of no component"):
        from_record_batch(damaged)
    with pytest.raises(RrdError, match="the name of no component"):
        chunk_facts(damaged)
