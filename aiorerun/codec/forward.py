"""Chunks that were read, encoded again as they are, with ids, columns and metadata, for another store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from aiorerun.codec import chunk_schema as names
from aiorerun.codec.chunk_arrow import from_record_batch
from aiorerun.codec.chunk_template import EncodedBatch
from aiorerun.codec.columns import ColumnSet
from aiorerun.codec.messages import chunk_message, encoded_message

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from aiorerun.codec.messages import Message
    from aiorerun.pipeline.chunk import Chunk
    from aiorerun.types.store import StoreId


def forwarded_message(store: StoreId, batch: pa.RecordBatch) -> Message:
    """Encodes the record batch of a chunk for another store.

    Nothing of it is changed, except that columns which say that they are sorted and are not no longer say so:
    readers rely on it.

    Raises:
        RrdError: It is not the batch of a chunk.
    """
    message = _message(store, batch)
    # When its rows were captured, and by whose clock, is not known here.
    message.captured_ns = 0
    return message


def _message(store: StoreId, batch: pa.RecordBatch) -> Message:
    chunk = from_record_batch(batch)
    batch = _honest(batch, chunk)
    if _is_ours(batch.schema, chunk):
        return chunk_message(store, chunk)
    # Other names, order or metadata than ours: written by pyarrow as it is.
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    data = memoryview(sink.getvalue()).cast("B")
    columns = ColumnSet(
        tuple(index.timeline for index in chunk.indexes),
        tuple(component.descriptor for component in chunk.components),
        tuple(component.values.type for component in chunk.components),
    )
    return encoded_message(store, chunk, EncodedBatch([data], len(data), columns))


def _is_ours(schema: pa.Schema, chunk: Chunk) -> bool:
    """Whether our own encoder makes this schema of the chunk."""
    ours = names.chunk_schema(
        chunk.entity_path,
        str(chunk.id),
        ((index.timeline, index.is_sorted) for index in chunk.indexes),
        ((component.descriptor, component.values.type) for component in chunk.components),
    )
    return bool(schema.equals(ours, check_metadata=True))


def _honest(batch: pa.RecordBatch, chunk: Chunk) -> pa.RecordBatch:
    """The batch without wrong claims to be sorted; the index columns of the chunk are corrected too."""
    wrong = {index.timeline.name for index in chunk.indexes if index.is_sorted and not _ascends(index.values)}
    row_ids = _ids_ascend(chunk.row_ids)
    if not wrong and row_ids:
        return batch
    for index in chunk.indexes:
        index.is_sorted = index.is_sorted and index.timeline.name not in wrong
    fields: list[pa.Field[Any]] = []
    for field in batch.schema:
        metadata = dict(field.metadata or {})
        kind = metadata.get(names.KIND)
        name = metadata.get(names.INDEX_NAME, field.name.encode()).decode()
        if (kind == b"control" and not row_ids) or (kind in (b"index", b"time") and name in wrong):
            metadata.pop(names.IS_SORTED, None)
        fields.append(field.with_metadata(metadata or None))
    schema = pa.schema(fields, metadata=batch.schema.metadata)
    return pa.RecordBatch.from_arrays(batch.columns, schema=schema)


def _ascends(times: npt.NDArray[np.int64]) -> bool:
    return bool((times[1:] >= times[:-1]).all())


def _ids_ascend(ids: npt.NDArray[Any]) -> bool:
    times, counters = ids[:, 0], ids[:, 1]
    same = times[1:] == times[:-1]
    return bool(((times[1:] > times[:-1]) | (same & (counters[1:] >= counters[:-1]))).all())
