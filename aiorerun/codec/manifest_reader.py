"""Reading the footer of a file: the index of its recordings, if it can be relied on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from aiorerun.codec import chunk_schema as names
from aiorerun.codec.chunk_arrow import component_of, decode_ipc, decode_schema, timeline_kind
from aiorerun.codec.compression import decompress
from aiorerun.codec.decode_messages import decode_store_id, message_fields, number_field, view_field
from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import MESSAGE_HEADER, STREAM_HEADER
from aiorerun.codec.protobuf import BYTES, fields
from aiorerun.codec.store_index import ColumnFacts, StoreIndex, TimelineFacts

if TYPE_CHECKING:
    import numpy.typing as npt

_ENCODER_V0: Final = 1
_INDEX: Final = b"rerun:index"
_STATIC: Final = b"rerun:static"
_IS_STATIC: Final = b"rerun:is_static"

_COLUMNS: Final[dict[str, pa.DataType]] = {
    "chunk_entity_path": pa.string(),
    "chunk_id": names.ROW_ID_TYPE,
    "chunk_is_static": pa.bool_(),
    "chunk_num_rows": pa.uint64(),
    "chunk_byte_offset": pa.uint64(),
    "chunk_byte_size": pa.uint64(),
    "chunk_byte_size_uncompressed": pa.uint64(),
}
_MAX_INT64: Final = (1 << 63) - 1


def read_footer(payload: memoryview, file_size: int, max_bytes: int) -> list[StoreIndex]:
    """The indexes of all stores that a footer lists.

    Args:
        payload: The ``RrdFooter`` message.
        file_size: Where the footer begins; all chunks are before it.
        max_bytes: The most that a manifest may take, uncompressed.

    Raises:
        RrdError: It is damaged, or does not tell what readers need.
    """
    found: dict[object, StoreIndex] = {}
    for number, wire_type, manifest in fields(payload):
        if number != 1:
            continue
        if wire_type != BYTES or not isinstance(manifest, memoryview):
            raise RrdError("a manifest in the footer is no message")
        index = _read_manifest(manifest, file_size, max_bytes)
        if index.store in found:
            raise RrdError(f"the footer has two manifests of {index.store}")
        found[index.store] = index
    # A recording without chunks is known by its announcement.
    return [index for index in found.values() if len(index.offsets)]


def _read_manifest(data: memoryview, file_size: int, max_bytes: int) -> StoreIndex:
    read = message_fields(data)
    store = decode_store_id(view_field(read, 1))
    if not store.application_id:
        raise RrdError("a manifest in the footer does not name its application")
    schema = decode_schema(view_field(message_fields(view_field(read, 2)), 1))
    part = message_fields(view_field(read, 4))
    if number_field(part, 1) != _ENCODER_V0:
        raise RrdError("a manifest in the footer is encoded in an unknown way")
    payload, compression, size = view_field(part, 2), number_field(part, 3), number_field(part, 4)
    table = decode_ipc(decompress(payload, compression, size, max_bytes), max_bytes=max_bytes)
    try:
        return _index(store, schema, table, file_size)
    except UnicodeDecodeError as error:
        raise RrdError("a name in the footer is not UTF-8") from error


def _index(store: Any, schema: pa.Schema, table: pa.RecordBatch, file_size: int) -> StoreIndex:
    columns = {name: _column(table, name, kind) for name, kind in _COLUMNS.items()}
    encoded = columns["chunk_entity_path"].dictionary_encode()
    num_rows, offsets, sizes, uncompressed = (
        _integers(columns[name])
        for name in ("chunk_num_rows", "chunk_byte_offset", "chunk_byte_size", "chunk_byte_size_uncompressed")
    )
    first = STREAM_HEADER.size + MESSAGE_HEADER.size
    if len(offsets) and (offsets.min() < first or bool((sizes > file_size - offsets).any())):
        raise RrdError("the footer lists chunks outside of the file")
    is_static = columns["chunk_is_static"].to_numpy(zero_copy_only=False)
    # Copied: the table is let go, which has a column per timeline and component.
    ids = np.frombuffer(columns["chunk_id"].buffers()[1], "V16", len(columns["chunk_id"])).copy()
    times = _Times(table)
    timelines, facts = _schema_facts(schema, times.ranges)
    placed = is_static | (num_rows == 0)
    for on in times.on_timeline.values():
        placed = placed | on
    if not placed.all():
        raise RrdError("the footer does not know the timelines of all chunks")
    return StoreIndex(
        store=store,
        info=None,
        paths=encoded.dictionary.to_pylist(),
        path_codes=np.array(encoded.indices, np.int32),
        ids=ids,
        num_rows=num_rows,
        is_static=is_static,
        offsets=offsets,
        sizes=sizes,
        uncompressed=uncompressed,
        on_timeline=times.on_timeline,
        with_component=times.with_component,
        timelines=timelines,
        columns=facts,
    )


def _column(table: pa.RecordBatch, name: str, kind: pa.DataType) -> pa.Array[Any]:
    positions = table.schema.get_all_field_indices(name)
    if len(positions) != 1:
        raise RrdError(f"the footer has {len(positions)} columns {name!r} instead of one")
    column = table.column(positions[0])
    if column.type != kind or column.null_count:
        raise RrdError(f"column {name!r} of the footer is not what it should be: {column.type}")
    return column


def _integers(column: pa.Array[Any]) -> npt.NDArray[np.int64]:
    numbers = column.to_numpy()
    if len(numbers) and numbers.max() > _MAX_INT64:
        raise RrdError("a number in the footer is too large")
    signed: npt.NDArray[np.int64] = numbers.astype(np.int64)
    return signed


class _Times:
    """When and where the chunks have components, from the columns after the first seven."""

    def __init__(self, table: pa.RecordBatch) -> None:
        self.on_timeline: dict[str, npt.NDArray[np.bool_]] = {}
        self.with_component: dict[str, npt.NDArray[np.bool_]] = {}
        self.ranges: dict[str, tuple[int, int]] = {}
        starts: dict[str, int] = {}
        for field, column in zip(table.schema, table.columns, strict=True):
            metadata = field.metadata or {}
            index = metadata.get(_INDEX)
            if index is None:
                continue
            component = metadata.get(names.COMPONENT)
            suffix = field.name.rpartition(":")[2]
            if component is not None:
                self._add_component(component.decode(), index, suffix, column)
            elif suffix == "start":
                has_rows = column.is_valid().to_numpy(zero_copy_only=False)
                self.on_timeline[index.decode()] = has_rows
                if has_rows.any():
                    starts[index.decode()] = _times_of(column).min()
            elif suffix == "end" and index.decode() in starts:
                name = index.decode()
                times = _times_of(column)
                if not len(times):
                    raise RrdError(f"the footer has the start of timeline {name!r}, but not the end")
                self.ranges[name] = (int(starts[name]), int(times.max()))

    def _add_component(self, component: str, index: bytes, suffix: str, column: pa.Array[Any]) -> None:
        if index == _STATIC and suffix == "has_static_data" and pa.types.is_boolean(column.type):
            has_it = column.fill_null(False).to_numpy(zero_copy_only=False)
        elif index != _STATIC and suffix == "start":
            has_it = column.is_valid().to_numpy(zero_copy_only=False)
        else:
            return
        known = self.with_component.get(component)
        self.with_component[component] = has_it if known is None else known | has_it


def _times_of(column: pa.Array[Any]) -> npt.NDArray[np.int64]:
    """The times that are there, as integers."""
    if not (
        pa.types.is_int64(column.type)
        or pa.types.is_timestamp(column.type)
        or pa.types.is_duration(column.type)
    ):
        raise RrdError(f"the footer has times of type {column.type}")
    times: npt.NDArray[np.int64] = column.drop_null().cast(pa.int64()).to_numpy()
    return times


def _schema_facts(
    schema: pa.Schema, ranges: dict[str, tuple[int, int]]
) -> tuple[dict[str, TimelineFacts], dict[tuple[str, str], ColumnFacts]]:
    """Timelines, by name, and columns, by entity path and component."""
    timelines: dict[str, TimelineFacts] = {}
    columns: dict[tuple[str, str], ColumnFacts] = {}
    for field in schema:
        metadata = field.metadata or {}
        kind = metadata.get(names.KIND, b"data")
        if kind in (b"index", b"time"):
            name = metadata.get(names.INDEX_NAME, field.name.encode()).decode()
            if name in ranges:
                timelines[name] = TimelineFacts(timeline_kind(field), *ranges[name])
        elif kind in (b"data", b"component"):
            path = metadata.get(names.ENTITY_PATH)
            component = metadata.get(names.COMPONENT)
            if path is None or component is None:
                raise RrdError(f"column {field.name!r} in the footer does not say what it is")
            descriptor = component_of(metadata, component.decode())
            type_ = field.type.value_type if pa.types.is_list(field.type) else field.type
            is_static = metadata.get(_IS_STATIC) == b"true"
            columns[path.decode(), component.decode()] = ColumnFacts(descriptor, type_, is_static)
    if timelines.keys() != ranges.keys():
        raise RrdError("the footer has times of a timeline that its schema lacks")
    return timelines, columns
