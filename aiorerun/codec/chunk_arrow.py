"""Chunks to Arrow record batches and back, by plain pyarrow: the reference for the faster encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from aiorerun.codec import chunk_schema as names
from aiorerun.codec.compression import MAX_BYTES
from aiorerun.codec.errors import RrdError
from aiorerun.codec.ipc_check import check_schema_stream, check_stream
from aiorerun.pipeline.chunk import Chunk, ComponentData, IndexColumn
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.flat_arrow import as_arrow_buffer, flatten, unflatten
from aiorerun.types.timeline import Timeline, TimelineKind
from aiorerun.types.tuid import Tuid, TuidRange

if TYPE_CHECKING:
    import numpy.typing as npt

    from aiorerun.types.flat import Buffer


def to_record_batch(chunk: Chunk) -> pa.RecordBatch:
    """A chunk as the record batch that is written for it; large buffers are shared."""
    num_rows = chunk.num_rows
    values = [unflatten(component.values) for component in chunk.components]
    schema = names.chunk_schema(
        chunk.entity_path,
        str(chunk.id),
        ((column.timeline, column.is_sorted) for column in chunk.indexes),
        (
            (component.descriptor, array.type)
            for component, array in zip(chunk.components, values, strict=True)
        ),
    )
    arrays = [_plain(names.ROW_ID_TYPE, num_rows, _plain_ids(chunk))]
    arrays.extend(
        _plain(names.TIME_TYPES[column.timeline.kind], num_rows, column.values) for column in chunk.indexes
    )
    arrays.extend(
        _lists(component, array, num_rows) for component, array in zip(chunk.components, values, strict=True)
    )
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _plain_ids(chunk: Chunk) -> npt.NDArray[Any]:
    row_ids: Any = chunk.row_ids
    return row_ids.all() if isinstance(row_ids, TuidRange) else row_ids


def _plain(kind: pa.DataType, num_rows: int, values: npt.NDArray[Any]) -> pa.Array[Any]:
    return pa.Array.from_buffers(kind, num_rows, [None, as_arrow_buffer(values)], 0)


def _lists(component: ComponentData, values: pa.Array[Any], num_rows: int) -> pa.Array[Any]:
    validity: Buffer | None = None
    nulls = 0
    if component.present is not None:
        validity = np.packbits(component.present, bitorder="little")
        nulls = num_rows - int(np.count_nonzero(component.present))
    buffers = [as_arrow_buffer(validity), as_arrow_buffer(component.offsets)]
    return pa.Array.from_buffers(names.list_type(values.type), num_rows, buffers, nulls, 0, [values])


def encode_reference(chunk: Chunk) -> bytes:
    """The Arrow IPC stream of a chunk, written by pyarrow."""
    batch = to_record_batch(chunk)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def decode_ipc(data: Buffer, *, validate: bool = True, max_bytes: int = MAX_BYTES) -> pa.RecordBatch:
    """The first record batch of an Arrow IPC stream.

    Args:
        data: The stream; the arrays of the batch share its memory.
        validate: Check the contents of all arrays, so that nothing done with them can go out of bounds.
            Otherwise only their buffers are checked, which is enough for columns of fixed width.
        max_bytes: What buffers that Arrow has compressed may hold in all.

    Raises:
        RrdError: It is not such a stream, or holds no batch.
    """
    buffer = _buffer(data)
    end = check_stream(memoryview(buffer).cast("B"), max_bytes)
    try:
        with pa.ipc.open_stream(pa.BufferReader(buffer.slice(0, end))) as reader:
            batch = reader.read_next_batch()
        batch.validate(full=validate)
    except Exception as error:
        # Extension types that others have registered may raise anything.
        raise RrdError(f"the Arrow stream of a chunk cannot be read: {error}") from error
    return batch


def _buffer(data: Buffer) -> pa.Buffer:
    buffer = as_arrow_buffer(data)
    assert buffer is not None
    return buffer


def decode_schema(data: Buffer) -> pa.Schema:
    """The schema of an Arrow IPC stream that holds nothing else.

    Raises:
        RrdError: It is not such a stream.
    """
    buffer = _buffer(data)
    check_schema_stream(memoryview(buffer).cast("B"))
    try:
        return pa.ipc.read_schema(buffer)
    except Exception as error:
        raise RrdError(f"an Arrow schema cannot be read: {error}") from error


def from_record_batch(batch: pa.RecordBatch) -> Chunk:
    """The chunk whose record batch this is.

    Raises:
        RrdError: It is not the batch of a chunk.
    """
    try:
        return _chunk_of(batch)
    except UnicodeDecodeError as error:
        raise RrdError("a name in a record batch is not UTF-8") from error


def _chunk_of(batch: pa.RecordBatch) -> Chunk:
    metadata = batch.schema.metadata or {}
    try:
        chunk_id = Tuid.parse(metadata[names.CHUNK_ID].decode())
        entity_path = metadata[names.ENTITY_PATH].decode()
    except (KeyError, ValueError) as error:
        raise RrdError(f"a record batch does not say which chunk it is: {error!r}") from error
    row_ids: npt.NDArray[Any] | None = None
    indexes: list[IndexColumn] = []
    components: list[ComponentData] = []
    for field, array in zip(batch.schema, batch.columns, strict=True):
        kind = (field.metadata or {}).get(names.KIND, b"data")
        if kind in (b"control", b"row_id"):
            row_ids = _row_ids(array)
        elif kind in (b"index", b"time"):
            indexes.append(_index(field, array))
        elif kind in (b"data", b"component"):
            components.append(_component(field, array))
        else:
            raise RrdError(f"column {field.name!r} is of unknown kind {kind!r}")
    if row_ids is None:
        raise RrdError(f"the chunk of {entity_path} has no row ids")
    return Chunk(chunk_id, entity_path, row_ids, tuple(indexes), tuple(components))


def _row_ids(array: pa.Array[Any]) -> npt.NDArray[Any]:
    if array.type != names.ROW_ID_TYPE or array.null_count:
        raise RrdError(f"row ids are 16 bytes each and never null, not {array.type}")
    return row_id_numbers(array)


def row_id_numbers(array: pa.Array[Any]) -> npt.NDArray[Any]:
    """Row ids as the pairs of numbers they are: big-endian uint64 of shape ``(rows, 2)``, shared."""
    data = array.buffers()[1]
    if data is None:
        return np.zeros((0, 2), ">u8")
    return np.frombuffer(data, ">u8", 2 * len(array), 16 * array.offset).reshape(-1, 2)


def fixed_width_values(array: pa.Array[Any]) -> npt.NDArray[np.int64]:
    """The values of an array of 64-bit integers or times, shared with it."""
    data = array.buffers()[1]
    if data is None:
        return np.zeros(0, np.int64)
    return np.frombuffer(data, np.int64, len(array), 8 * array.offset)


def timeline_kind(field: pa.Field[Any]) -> TimelineKind:
    """The kind of a timeline, by the type of its column.

    Raises:
        RrdError: No timeline has values of this type.
    """
    types = pa.types
    if types.is_timestamp(field.type) and field.type.unit == "ns" and field.type.tz in (None, "UTC"):
        return TimelineKind.TIMESTAMP
    if field.type == names.TIME_TYPES[TimelineKind.DURATION]:
        return TimelineKind.DURATION
    if types.is_int64(field.type):
        return TimelineKind.SEQUENCE
    raise RrdError(f"timeline {field.name!r} has values of type {field.type}")


def _index(field: pa.Field[Any], array: pa.Array[Any]) -> IndexColumn:
    kind = timeline_kind(field)
    if array.null_count:
        raise RrdError(f"timeline {field.name!r} has nulls")
    name = field.metadata.get(names.INDEX_NAME, field.name.encode()).decode()
    is_sorted = field.metadata.get(names.IS_SORTED) == b"true"
    return IndexColumn(Timeline(name, kind), fixed_width_values(array), is_sorted)


def _component(field: pa.Field[Any], array: pa.Array[Any]) -> ComponentData:
    metadata = field.metadata or {}
    descriptor = component_of(metadata, metadata.get(names.COMPONENT, field.name.encode()).decode())
    if not pa.types.is_list(field.type):
        # Flat columns count as one instance per row.
        offsets = np.arange(len(array) + 1, dtype=np.int32)
        return ComponentData(descriptor, offsets, flatten(array))
    present = None
    if array.null_count:
        present = _bits(array.is_valid())
    offsets = np.zeros(1, np.int32)
    if len(array):
        # Not by pyarrow's own way to numpy, which imports pandas where that is installed.
        offsets = np.frombuffer(array.buffers()[1], np.int32, len(array) + 1, 4 * array.offset)
    values = array.values.slice(offsets[0], offsets[-1] - offsets[0])
    return ComponentData(descriptor, offsets - offsets[0], flatten(values), present)


def _bits(array: pa.Array[Any]) -> npt.NDArray[np.bool_]:
    """The values of an array of booleans without nulls."""
    bits = np.unpackbits(np.frombuffer(array.buffers()[1], np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)].astype(np.bool_)


def component_of(metadata: dict[bytes, bytes], component: str) -> ComponentDescriptor:
    """The component that a column is about.

    Args:
        metadata: Of its field.
        component: The identifier.

    Raises:
        RrdError: There is no component with such a name.
    """
    archetype, component_type = (
        _text(metadata.get(name)) for name in (names.ARCHETYPE, names.COMPONENT_TYPE)
    )
    try:
        return ComponentDescriptor(component, archetype, component_type)
    except ValueError as error:
        raise RrdError(f"a column with the name of no component: {error}") from error


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode()
