"""The footer's content: names, the schema of the recording, the table of chunks."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from aiorerun.codec.compression import decompress
from aiorerun.codec.decoder import iter_messages
from aiorerun.codec.framing import STREAM_FOOTER, MessageKind, checksum
from aiorerun.codec.manifest_names import column_name, component_parts, schema_name, short_archetype
from aiorerun.codec.manifest_schema import Catalog
from aiorerun.proto.rerun.common.v1alpha1 import EncoderVersion
from aiorerun.proto.rerun.log_msg.v1alpha1 import RrdFooter, RrdManifest
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.timeline import Timeline
from tests.unit.codec.building import (
    BLUEPRINT,
    DURATION,
    FRAME,
    POSITION_TYPE,
    POSITIONS,
    SCALARS,
    STORE,
    TIMESTAMP,
    chunk,
    component,
    index,
    messages_of,
    scalar_chunk,
    stream_of,
)

if TYPE_CHECKING:
    from aiorerun.codec.chunk_index import ChunkGroup
    from aiorerun.pipeline.chunk import Chunk

CLEAR = ComponentDescriptor(
    "Clear:is_recursive", "rerun.archetypes.Clear", "rerun.components.ClearIsRecursive"
)


def footer_of(data: bytes) -> RrdFooter:
    """The footer that the end of a stream points to."""
    start, length, crc, magic, entries = STREAM_FOOTER.unpack(data[-STREAM_FOOTER.size :])
    assert (magic, entries) == (b"RRF2FOOT", 1)
    payload = data[start : start + length]
    assert struct.unpack("<QQ", data[start - 16 : start]) == (0, length)
    assert checksum(payload) == crc
    return RrdFooter.parse(payload)


def manifests_of(*chunks: Chunk) -> tuple[pa.Schema, pa.RecordBatch]:
    """Schema and table of a recording."""
    (manifest,) = footer_of(stream_of(messages_of(*chunks))).manifests
    return schema_of(manifest), table_of(manifest)


def schema_of(manifest: RrdManifest) -> pa.Schema:
    assert manifest.sorbet_schema is not None
    data = manifest.sorbet_schema.arrow_schema
    assert data is not None
    assert manifest.sorbet_schema_sha256 == hashlib.sha256(data).digest()
    return pa.ipc.open_stream(data).schema


def table_of(manifest: RrdManifest) -> pa.RecordBatch:
    part = manifest.data
    assert part is not None
    assert part.payload is not None
    assert part.uncompressed_size is not None
    assert part.encoder_version == EncoderVersion.V0
    raw = decompress(part.payload, int(part.compression), part.uncompressed_size)
    (batch,) = pa.ipc.open_stream(raw)
    return batch


def columns(table: pa.RecordBatch) -> dict[str, list[Any]]:
    return {
        field.name: (
            column.cast(pa.int64()) if field.name.endswith((":start", ":end")) else column
        ).to_pylist()
        for field, column in zip(table.schema, table.columns, strict=True)
    }


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (
            ("_my time-line.x\\y,z", "", "my.Custom:fi eld", "start"),
            "my_time_line_x_y_z:my_Custom:fi_eld:start",
        ),
        (("", "some.comp", "has_static_data"), "some_comp:has_static_data"),
        (("frame", "Points3D", "positions", "end"), "frame:Points3D:positions:end"),
        (("__x", "end"), "x:end"),
        (("日本/é", "end"), "日本/é:end"),
    ],
)
def test_column_names(parts: tuple[str, ...], expected: str) -> None:
    assert column_name(*parts) == expected


@pytest.mark.parametrize(
    ("archetype", "short"),
    [
        ("rerun.archetypes.Points3D", "Points3D"),
        ("rerun.blueprint.archetypes.ViewContents", "ViewContents"),
        ("rerun.other.Thing", "other.Thing"),
        ("user.Arch", "user.Arch"),
        (None, ""),
    ],
)
def test_short_archetypes(archetype: str | None, short: str) -> None:
    assert short_archetype(ComponentDescriptor("c", archetype)) == short


def test_fields_leave_the_archetype_out() -> None:
    assert component_parts(POSITIONS) == ("Points3D", "positions")
    assert component_parts(ComponentDescriptor("Points3D:positions")) == ("", "Points3D:positions")
    assert component_parts(ComponentDescriptor("x", "my.Arch")) == ("my.Arch", "x")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/world/pts", "/world/pts:x"),
        ("/", "/:x"),
        ("/__properties", "property:x"),
        ("/__properties/foo\\/bar", "property:foo\\/bar:x"),
        ("/__propertiesish", "/__propertiesish:x"),
    ],
)
def test_names_in_the_schema(path: str, expected: str) -> None:
    assert schema_name(path, "x") == expected


def test_the_schema_of_a_recording() -> None:
    schema, _ = manifests_of(
        scalar_chunk("/b"),
        chunk("/a", 1, [], [component(POSITIONS, [[[1, 2, 3]]], POSITION_TYPE)]),
        chunk("/a", 1, [index(Timeline("t", TIMESTAMP), [1])], [component(POSITIONS, [[]], POSITION_TYPE)]),
        chunk("/c", 1, [index(FRAME, [1])], [component(CLEAR, [[True]], pa.bool_())]),
        chunk("/c", 1, [index(FRAME, [1])], [component("none", [[]], pa.bool_())]),
        chunk("/__properties", 1, [], [component("p", [[1]], pa.int64())]),
    )
    assert schema.metadata is None
    assert {field.name: (field.type, field.nullable) for field in schema} == {
        "rerun.controls.RowId": (pa.binary(16), False),
        "frame": (pa.int64(), True),
        "t": (pa.timestamp("ns"), True),
        "/a:Points3D:positions": (pa.list_(POSITION_TYPE), True),
        "/b:Scalars:scalars": (pa.list_(pa.float64()), True),
        "/c:Clear:is_recursive": (pa.list_(pa.bool_()), True),
        "/c:none": (pa.list_(pa.bool_()), True),
        "property:p": (pa.list_(pa.int64()), True),
    }
    metadata = {field.name: field.metadata for field in schema}
    assert b"rerun:is_sorted" not in metadata["rerun.controls.RowId"]
    assert metadata["frame"] == {b"rerun:kind": b"index", b"rerun:index_name": b"frame"}
    assert metadata["/a:Points3D:positions"] == {
        b"rerun:kind": b"data",
        b"rerun:component": b"Points3D:positions",
        b"rerun:archetype": b"rerun.archetypes.Points3D",
        b"rerun:component_type": b"rerun.components.Position3D",
        b"rerun:entity_path": b"/a",
        b"rerun:is_static": b"true",
    }
    assert metadata["/c:Clear:is_recursive"][b"rerun:is_tombstone"] == b"true"
    assert metadata["/c:none"][b"rerun:is_semantically_empty"] == b"true"
    assert metadata["property:p"][b"rerun:entity_path"] == b"/__properties"


def test_equal_schemas_have_equal_hashes() -> None:
    one = stream_of(messages_of(scalar_chunk("/a"), scalar_chunk("/b")))
    other = stream_of(messages_of(scalar_chunk("/b"), scalar_chunk("/a"), scalar_chunk("/a")))
    (first,), (second,) = footer_of(one).manifests, footer_of(other).manifests
    assert first.sorbet_schema_sha256 == second.sorbet_schema_sha256


def test_the_table_of_chunks() -> None:
    tl = Timeline("my time", DURATION)
    chunks = [
        scalar_chunk("/b", [4, 2, 8]),
        chunk("/a", 2, [], [component(POSITIONS, [[[1, 2, 3]], []], POSITION_TYPE)]),
        chunk(
            "/b",
            3,
            [index(FRAME, [7, 8, 9]), index(tl, [3, 2, 1])],
            [component(SCALARS, [None, [1.0], None], pa.float64()), component("my.x", [[1]] * 3, pa.int8())],
        ),
        chunk("/b", 1, [index(tl, [5])], [component(SCALARS, [None], pa.float64())]),
    ]
    data = stream_of(messages_of(*chunks))
    (manifest,) = footer_of(data).manifests
    table = table_of(manifest)
    assert table.schema.metadata is None
    assert [(field.name, field.type, field.nullable) for field in table.schema][:7] == [
        ("chunk_entity_path", pa.string(), False),
        ("chunk_id", pa.binary(16), False),
        ("chunk_is_static", pa.bool_(), False),
        ("chunk_num_rows", pa.uint64(), False),
        ("chunk_byte_offset", pa.uint64(), False),
        ("chunk_byte_size", pa.uint64(), False),
        ("chunk_byte_size_uncompressed", pa.uint64(), False),
    ]
    found = columns(table)
    raw = [each for each in iter_messages(data) if each.kind is MessageKind.ARROW_MSG]
    assert found.pop("chunk_byte_offset") == [each.offset for each in raw]
    assert found.pop("chunk_byte_size") == [len(each.payload) for each in raw]
    assert found.pop("chunk_id") == [each.id.to_bytes() for each in chunks]
    assert all(size > 500 for size in found.pop("chunk_byte_size_uncompressed"))
    assert found == {
        "chunk_entity_path": ["/b", "/a", "/b", "/b"],
        "chunk_is_static": [False, True, False, False],
        "chunk_num_rows": [3, 2, 3, 1],
        "Scalars:scalars:has_static_data": [False] * 4,
        "Points3D:positions:has_static_data": [False, True, False, False],
        "my_x:has_static_data": [False] * 4,
        "frame:start": [2, None, 7, None],
        "frame:end": [8, None, 9, None],
        "my_time:start": [None, None, 1, 5],
        "my_time:end": [None, None, 3, 5],
        "frame:Scalars:scalars:start": [2, None, 8, None],
        "frame:Scalars:scalars:end": [8, None, 8, None],
        "frame:Scalars:scalars:num_rows": [3, 0, 1, 0],
        "frame:my_x:start": [None, None, 7, None],
        "frame:my_x:end": [None, None, 9, None],
        "frame:my_x:num_rows": [0, 0, 3, 0],
        "my_time:Scalars:scalars:start": [None, None, 2, None],
        "my_time:Scalars:scalars:end": [None, None, 2, None],
        "my_time:Scalars:scalars:num_rows": [0, 0, 1, 0],
        "my_time:my_x:start": [None, None, 1, None],
        "my_time:my_x:end": [None, None, 3, None],
        "my_time:my_x:num_rows": [0, 0, 3, 0],
    }
    fields = {field.name: field for field in table.schema}
    assert fields["my_time:start"].type == pa.duration("ns")
    assert fields["my_time:start"].metadata == {b"rerun:index": b"my time"}
    assert fields["my_time:start"].nullable
    assert fields["frame:Scalars:scalars:num_rows"].type == pa.uint64()
    assert fields["frame:Scalars:scalars:end"].metadata == {
        b"rerun:index": b"frame",
        b"rerun:component": b"Scalars:scalars",
        b"rerun:archetype": b"rerun.archetypes.Scalars",
        b"rerun:component_type": b"rerun.components.Scalar",
    }
    assert not fields["my_x:has_static_data"].nullable
    assert fields["my_x:has_static_data"].metadata == {
        b"rerun:index": b"rerun:static",
        b"rerun:component": b"my.x",
    }


def test_stores_have_their_own_manifests() -> None:
    messages = [
        *messages_of(scalar_chunk("/a")),
        *messages_of(scalar_chunk("/view"), store=BLUEPRINT),
        *messages_of(scalar_chunk("/b"), scalar_chunk("/a"))[1:],
    ]
    data = stream_of(messages)
    recording, blueprint = footer_of(data).manifests
    assert recording.store_id is not None
    assert recording.store_id.recording_id == STORE.recording_id
    assert blueprint.store_id is not None
    assert blueprint.store_id.recording_id == BLUEPRINT.recording_id
    assert columns(table_of(recording))["chunk_entity_path"] == ["/a", "/b", "/a"]
    assert columns(table_of(blueprint))["chunk_entity_path"] == ["/view"]
    offsets = [each.offset for each in iter_messages(data) if each.kind is MessageKind.ARROW_MSG]
    assert columns(table_of(recording))["chunk_byte_offset"] == [offsets[0], *offsets[2:]]
    assert columns(table_of(blueprint))["chunk_byte_offset"] == offsets[1:2]


def test_where_chunks_disagree_the_first_one_counts() -> None:
    other_kind = Timeline("frame", TIMESTAMP)
    schema, table = manifests_of(
        chunk("/a", 1, [index(FRAME, [1])], [component(ComponentDescriptor("x", "A"), [[1]], pa.int64())]),
        chunk(
            "/a",
            1,
            [index(other_kind, [7])],
            [component(ComponentDescriptor("x", "B"), [["s"]], pa.string())],
        ),
    )
    assert schema.field("frame").type == pa.int64()
    assert schema.field("/a:x").type == pa.list_(pa.int64())
    found = columns(table)
    assert found["frame:start"] == [1, 7]
    assert found["frame:A:x:start"] == [1, 7]
    assert not any("B" in name for name in found)


@pytest.mark.parametrize(
    ("timelines", "kept"),
    [
        (["a.b", "a_b"], {"a.b"}),
        (["a_b", "a.b", "c"], {"a.b", "c"}),
        (["t", "t:x"], {"t"}),
        (["t", "u"], {"t", "u"}),
    ],
)
def test_timelines_whose_columns_would_have_equal_names(timelines: list[str], kept: set[str]) -> None:
    times = [index(Timeline(name, TIMESTAMP), [1]) for name in timelines]
    schema, table = manifests_of(chunk("/a", 1, times, [component("x", [[1]], pa.int64())]))
    assert {field.name for field in schema if field.type == pa.timestamp("ns")} == kept
    names = table.schema.names
    assert len(names) == len(set(names))


def test_chunks_without_rows_or_components() -> None:
    _, table = manifests_of(
        chunk("/a", 0, [index(FRAME, [])], [component("x", [], pa.int8())]),
        chunk("/a", 1, [index(FRAME, [3])], []),
    )
    found = columns(table)
    assert found["chunk_num_rows"] == [0, 1]
    assert found["frame:start"] == found["frame:end"] == [None, 3]
    assert found["frame:x:num_rows"] == [0, 0]


def test_the_catalog_of_nothing() -> None:
    groups: list[ChunkGroup] = []
    assert Catalog(groups).schema().names == ["rerun.controls.RowId"]


def test_colons_of_components_without_archetype_stay() -> None:
    assert component_parts(ComponentDescriptor(":q")) == ("", ":q")
    assert component_parts(ComponentDescriptor(":")) == ("", ":")
