"""Stamps: what messages of many rows have in common that differ in ids, times and values only.

Who sends many rows again and again sends as many of the same kind each time, as a rule. All but ids, times
and values of such messages is the same, so it is compressed once. Values that gain nothing, such as
measurements with noise, are not compressed each time to see that they still do not.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from aiorerun.codec.chunk_index import ChunkIndex, record_of
from aiorerun.codec.chunk_template import END_OF_STREAM
from aiorerun.codec.compression import LZ4
from aiorerun.codec.counted import ids_sequences, times_sequences
from aiorerun.codec.framing import MessageKind
from aiorerun.codec.messages import Message, arrow_msg_start, arrow_msg_tail
from aiorerun.codec.probing import MIN_GAIN
from aiorerun.codec.protobuf import varint
from aiorerun.codec.splice import around, literals
from aiorerun.types.encoding import ARRAY
from aiorerun.types.time_run import TimeRun
from aiorerun.types.tuid import ROUND, TuidRange

if TYPE_CHECKING:
    from aiorerun.codec.chunk_index import ChunkGroup
    from aiorerun.codec.chunk_template import EncodedBatch
    from aiorerun.pipeline.chunk import Chunk
    from aiorerun.pipeline.columns import CapturedColumn, ColumnBlock
    from aiorerun.types.flat import FlatArray
    from aiorerun.types.store import StoreId
    from aiorerun.types.timeline import Timeline
    from aiorerun.types.tuid import TuidSource

MAX_ROWS: Final = 4096
"""Beside the values of more rows, what a stamp saves does not count."""
MAX_BYTES: Final = 256 << 10

FRUITLESS: Final = 8
"""After so many messages in a row whose values gained nothing,"""
TRIED: Final = 16
"""only one in so many is tried."""

_ID: Final = struct.Struct(">QQ")
_ALIGNMENT: Final = 8
_PADDING: Final = tuple(bytes(-size % _ALIGNMENT) for size in range(_ALIGNMENT))

_codec: Final = pa.Codec("lz4_raw")


def stamp_of(
    store: StoreId, block: ColumnBlock, chunk: Chunk, batch: EncodedBatch, message: Message
) -> Stamp | None:
    """A stamp for blocks like this one; ``None`` if they are of no simple kind.

    Args:
        store: The recording.
        block: The rows.
        chunk: The chunk that was made of them.
        batch: The Arrow stream of the chunk.
        message: The message.
    """
    ids: Any = chunk.row_ids
    parts = ids_sequences(ids) if type(ids) is TuidRange else None
    if parts is None or message.index is None or message.nbytes >= batch.nbytes:
        return None
    values = [component.values for component in chunk.components]
    if not all(map(_is_as_captured, block.components, values)):
        return None
    if not all(index.is_sorted for index in chunk.indexes):
        return None
    return Stamp(store, block, chunk, batch, message.index.group, *parts)


class Stamp:
    """Makes messages of blocks that are of one kind.

    Args:
        store: The recording.
        block: One of these blocks.
        chunk: The chunk that was made of it.
        batch: The Arrow stream of the chunk.
        group: What the footer says about such chunks.
        sequences: The compressed bytes of all row ids but the first.
        left: The bytes of them that belong to what follows.
    """

    __slots__ = (
        "_around_id", "_columns", "_fruitless", "_group", "_ids", "_left", "_nbytes", "_offsets", "_start",
        "_store", "_timelines",
    )  # fmt: skip

    def __init__(
        self,
        store: StoreId,
        block: ColumnBlock,
        chunk: Chunk,
        batch: EncodedBatch,
        group: ChunkGroup,
        sequences: list[bytes],
        left: bytes,
    ) -> None:
        self._store = store
        self._group = group
        self._nbytes = batch.nbytes
        self._start = arrow_msg_start(store, LZ4, batch.nbytes)
        head: Any = batch.segments[0]
        start, digits, end = head.partition(_digits(*chunk.id))
        self._around_id = around(start, len(digits), end, _ID.size)
        self._ids = b"".join(sequences)
        self._left = left
        self._offsets = _padded(chunk.components[0].offsets.tobytes())
        self._timelines = [index.timeline for index in chunk.indexes]
        self._columns = [_kind(column) for column in block.components]
        self._fruitless = 0

    def message(self, block: ColumnBlock, ids: TuidSource, clock_ns: int) -> Message | None:
        """The message of a block, which has as many rows; ``None`` if it is of another kind."""
        indexes = block.indexes
        if [timeline for timeline, _ in indexes] != self._timelines or not all(map(_ascends, indexes)):
            return None
        if [_kind(column) for column in block.components] != self._columns:
            return None
        count = block.num_rows
        first = ids.block(count + 1, ROUND)
        # The chunk gets the id behind those of its rows.
        time_ns, inc = ids.wall_anchor_ns + clock_ns, first + count
        before, between = self._around_id
        pieces = [before, _digits(time_ns, inc), between, _ID.pack(time_ns, first), self._ids]
        rest = self._add_times(indexes, pieces)
        rest.append(self._offsets)
        rest += [_padded(column.values[1].tobytes()) for column in block.components]
        rest.append(END_OF_STREAM)
        self._add_rest(rest, pieces)
        size = varint(sum(map(len, pieces)))
        tail = arrow_msg_tail(time_ns, inc, is_static=not indexes)
        payload = b"".join((self._start, size, *pieces, tail))
        numbers = [count, self._nbytes]
        for _, values in indexes:
            numbers += _bounds(values)
        index = ChunkIndex(self._group, record_of(time_ns, inc, numbers))
        return Message(MessageKind.ARROW_MSG, (payload,), len(payload), count, index, self._store, time_ns)

    def _add_times(self, indexes: list[tuple[Timeline, Any]], pieces: list[bytes]) -> list[bytes]:
        """Adds the sequences of consecutive times; returns the bytes of what is left, from other times on."""
        left = self._left
        rest: list[bytes] = []
        runs: list[TimeRun] = []
        for _, values in indexes:
            is_run = type(values) is TimeRun
            sequences = times_sequences(values, left, runs) if is_run and not rest else None
            if sequences is not None:
                pieces += sequences
                runs.append(values)
            else:
                rest += (left, values.values().tobytes() if is_run else values.tobytes())
            left = b""
        if left:
            rest.append(left)
        return rest

    def _add_rest(self, rest: list[bytes], pieces: list[bytes]) -> None:
        """Adds the end of the message, compressed or as it is."""
        size = sum(map(len, rest))
        fruitless = self._fruitless
        if fruitless < FRUITLESS or not fruitless % TRIED:
            data: bytes = _codec.compress(b"".join(rest), asbytes=True)
            if len(data) <= size * (1 - MIN_GAIN):
                self._fruitless = 0
                pieces.append(data)
                return
        self._fruitless = fruitless + 1
        pieces.append(literals(size))
        pieces += rest


def _digits(time_ns: int, inc: int) -> bytes:
    """An id as it stands in a schema."""
    return b"%016X%016x" % (time_ns, inc)


def _padded(data: bytes) -> bytes:
    return data + _PADDING[len(data) % _ALIGNMENT] if len(data) % _ALIGNMENT else data


def _kind(column: CapturedColumn) -> tuple[object, ...] | None:
    """What columns of one instance per row have in common that differ in their values only."""
    shape, data = column.values
    if shape != ARRAY or column.offsets is not None or column.present is not None:
        return None
    return column.descriptor, column.encoding, data.shape, data.dtype


def _is_as_captured(column: CapturedColumn, values: FlatArray) -> bool:
    """Whether the values of such a column are written as they were captured."""
    *others, last = values.buffers
    return _kind(column) is not None and last is column.values[1] and all(each is None for each in others)


def _ascends(index: tuple[Timeline, Any]) -> bool:
    values = index[1]
    return type(values) is TimeRun or not np.any(values[1:] < values[:-1])


def _bounds(values: Any) -> tuple[int, int]:
    """The earliest and the latest of times that ascend."""
    if type(values) is TimeRun:
        return values.first, values.first + values.count - 1
    return values.item(0), values.item(-1)
