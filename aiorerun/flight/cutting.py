"""Rows of some time, out of chunks that may hold earlier and later ones too. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aiorerun.codec import chunk_schema as names
from aiorerun.codec.chunk_arrow import row_id_numbers
from aiorerun.codec.compression import MAX_BYTES
from aiorerun.codec.decode_messages import ArrowMsg, decode_message
from aiorerun.codec.forward import forwarded_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy.typing as npt
    import pyarrow as pa

    from aiorerun.codec.messages import Message
    from aiorerun.flight.ring import Dated
    from aiorerun.types.tuid import TuidSource


def cut(
    chunks: Iterable[Dated], begin_ns: int, end_ns: int, ids: TuidSource, pause: Callable[[], None]
) -> Iterator[Message]:
    """The rows that were captured after ``begin_ns`` and not after ``end_ns``.

    The time of a row is that in its id; rows that come from elsewhere count as captured when they came, and
    all of them as before the end: they may have been on their way. A chunk with rows of both sides becomes a
    chunk of its own, with another id; its rows keep theirs.

    Args:
        chunks: In the order in which they came.
        begin_ns: In nanoseconds since the epoch.
        end_ns: Likewise.
        ids: Where ids of chunks come from.
        pause: Called between the chunks.
    """
    for message, captured_ns, arrived_ns in chunks:
        if arrived_ns <= begin_ns or captured_ns > end_ns:
            continue
        if not captured_ns or (captured_ns > begin_ns and arrived_ns <= end_ns):
            yield message
        else:
            part = _part(message, begin_ns, end_ns, ids)
            if part is not None:
                yield part
        pause()


def _part(message: Message, begin_ns: int, end_ns: int, ids: TuidSource) -> Message | None:
    payload = memoryview(b"".join(memoryview(segment).cast("B") for segment in message.segments))
    decoded = decode_message(message.kind, payload)
    assert isinstance(decoded, ArrowMsg)
    batch = decoded.batch(MAX_BYTES, validate=False)
    times = _times(batch)
    # Row ids ascend in every chunk that was encoded here.
    start, end = np.searchsorted(times, (begin_ns, end_ns), side="right").tolist()
    if end - start == len(times):
        return message
    if start == end:
        return None
    rows = batch.slice(start, end - start)
    metadata = dict(rows.schema.metadata)
    metadata[names.CHUNK_ID] = f"{names.CHUNK_ID_PREFIX}{ids.next()}".encode()
    return forwarded_message(message.store, rows.replace_schema_metadata(metadata))


def _times(batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """The times in the ids of all rows."""
    for field, array in zip(batch.schema, batch.columns, strict=True):
        if field.metadata.get(names.KIND) == b"control":
            numbers: npt.NDArray[Any] = row_id_numbers(array)[:, 0]
            return numbers.astype("int64")
    raise AssertionError("a chunk that was encoded here has row ids")
