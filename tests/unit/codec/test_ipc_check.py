"""What Arrow IPC streams may claim about themselves."""

from __future__ import annotations

import contextlib
import struct

import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from aiorerun.codec.chunk_arrow import decode_schema, encode_reference
from aiorerun.codec.errors import RrdError
from aiorerun.codec.ipc_check import check_schema_stream, check_stream
from tests.unit.codec.building import scalar_chunk
from tests.unit.codec.flat_tables import schema_stream

ROOM = 1 << 30


def stream_of(batch: pa.RecordBatch, **options: object) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


EVERYTHING = pa.record_batch(
    {
        "numbers": pa.array([1, None, 3], pa.int64()),
        "lists": pa.array([[1], [], None], pa.list_(pa.float32())),
        "sizes": pa.array([[1, 2], [3, 4], None], pa.list_(pa.int8(), 2)),
        "structs": pa.array([{"a": 1}, None, {"a": 2}], pa.struct([pa.field("a", pa.int8())])),
        "words": pa.array(["a", "b", None]).dictionary_encode(),
        "views": pa.array(["x" * 20, "y", None], pa.string_view()),
        "union": pa.UnionArray.from_dense(
            pa.array([0, 1, 0], pa.int8()),
            pa.array([0, 0, 1], pa.int32()),
            [pa.array([1, 2]), pa.array(["x"])],
        ),
        "zones": pa.array([1, 2, 3], pa.timestamp("ns", "UTC")),
        "nothing": pa.nulls(3),
        "maps": pa.array([[("a", 1)], [], None], pa.map_(pa.string(), pa.int8())),
        "runs": pa.RunEndEncodedArray.from_arrays([2, 3], [1, 2]),
    }
)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "lz4"},
        {"compression": "zstd"},
        {"use_legacy_format": True},
        {"metadata_version": pa.ipc.MetadataVersion.V4},
    ],
)
def test_what_arrow_writes_is_accepted(options: dict[str, object]) -> None:
    batch = EVERYTHING
    if "metadata_version" in options or options.get("use_legacy_format"):
        # Unions are written differently in the old version.
        batch = batch.drop_columns(["union"])
    data = stream_of(batch, **options)
    end = check_stream(memoryview(data), ROOM)
    assert end <= len(data)
    assert pa.ipc.open_stream(data[:end]).read_next_batch().equals(batch)


def test_bodies_in_the_other_byte_order_are_left_to_arrow() -> None:
    data = stream_of(EVERYTHING)
    assert check_stream(memoryview(data + b"whatever follows"), ROOM) <= len(data)


def test_every_cut_is_noticed() -> None:
    data = encode_reference(scalar_chunk())
    end = check_stream(memoryview(data), ROOM)
    for cut in range(end):
        with pytest.raises(RrdError):
            check_stream(memoryview(data)[:cut], ROOM)


@given(st.binary(max_size=200), st.integers(0, 2000))
def test_any_damage_is_accepted_or_refused(noise: bytes, position: int) -> None:
    data = bytearray(stream_of(EVERYTHING))
    data[position : position + len(noise)] = noise
    with contextlib.suppress(RrdError):
        assert check_stream(memoryview(data), ROOM) <= len(data)


def test_shared_names_are_refused_before_arrow_copies_them() -> None:
    honest = schema_stream(fields=1, name=b"x" * 1000)
    check_schema_stream(memoryview(honest))
    assert decode_schema(honest).names == ["x" * 1000]
    with pytest.raises(RrdError, match="more than its bytes can hold"):
        check_schema_stream(memoryview(schema_stream(fields=1000, name=b"x" * 1000)))


def test_fields_that_multiply_are_refused() -> None:
    with pytest.raises(RrdError, match="more than its bytes can hold"):
        check_schema_stream(memoryview(schema_stream(fields=10, name=b"", depth=30)))


def test_deep_nesting_is_refused() -> None:
    check_schema_stream(memoryview(schema_stream(fields=1, name=b"", depth=60)))
    with pytest.raises(RrdError, match="nested deeper than 64"):
        check_schema_stream(memoryview(schema_stream(fields=1, name=b"", depth=70)))


def test_compressed_buffers_may_not_claim_more_than_there_is_room_for() -> None:
    data = stream_of(pa.record_batch({"x": pa.array(range(10_000))}), compression="zstd")
    check_stream(memoryview(data), 80_000)
    with pytest.raises(RrdError, match="claim 80000 bytes or more, 79999 are accepted"):
        check_stream(memoryview(data), 79_999)
    claim = struct.pack("<q", 80_000)
    negative = data.replace(claim, struct.pack("<q", -2), 1)
    with pytest.raises(RrdError, match="claims -2 bytes"):
        check_stream(memoryview(negative), ROOM)


def test_two_schemas_and_other_messages() -> None:
    data = encode_reference(scalar_chunk())
    size = 8 + struct.unpack_from("<I", data, 4)[0]
    with pytest.raises(RrdError, match="two schemas"):
        check_stream(memoryview(data[:size] + data), ROOM)
    with pytest.raises(RrdError, match="other messages"):
        check_stream(memoryview(data[size:]), ROOM)
    with pytest.raises(RrdError, match="no record batch"):
        check_stream(memoryview(data[:size] + bytes(16)), ROOM)
    with pytest.raises(RrdError, match="does not begin with a schema"):
        decode_schema(data[size:])


def test_chunks_that_differ_in_their_ids_are_checked_once() -> None:
    from aiorerun.codec.ipc_check import _read_through_once

    _read_through_once.cache_clear()
    for _ in range(5):
        check_stream(memoryview(encode_reference(scalar_chunk())), ROOM)
    assert _read_through_once.cache_info().misses == 1
