"""Chunks to Arrow IPC streams, by templates.

What pyarrow would write for chunks of one schema differs only in the chunk id, the entity path and the
table of nodes and buffers. So the schema message is made once by pyarrow, for all entities with paths of
one length, and patched; the head of the record batch is packed directly. Buffers are not touched.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from aiorerun.codec.cache import GenerationCache
from aiorerun.codec.chunk_arrow import encode_reference
from aiorerun.codec.chunk_schema import chunk_schema
from aiorerun.codec.columns import ColumnSet, type_key
from aiorerun.codec.counted import is_lazy
from aiorerun.pipeline.chunk import RunColumn
from aiorerun.types.flat import Pieces
from aiorerun.types.flat_arrow import own_buffers
from aiorerun.types.time_run import TimeBytes
from aiorerun.types.tuid import TuidBytes, TuidRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from aiorerun.pipeline.chunk import Chunk

Segment: TypeAlias = "bytes | memoryview"
"""Some of the bytes of a message, one-dimensional and never empty."""

_BIG: Final = 16 << 10
"""Buffers from this size on are passed on as they are; smaller ones are joined."""

_BIG_PIECE: Final = 2 << 10
"""The same for the pieces of a buffer that is not joined yet."""

_BYTE: Final = np.dtype(np.uint8)

_TEMPLATES: Final = 512

_ALIGNMENT: Final = 8
_PADDING: Final = tuple(bytes(-size % _ALIGNMENT) for size in range(_ALIGNMENT))
END_OF_STREAM: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"

_ID_DIGITS: Final = 32
_METADATA_V5: Final = 4
_RECORD_BATCH: Final = 3


class EncodedBatch(NamedTuple):
    """The Arrow IPC stream of a chunk.

    Attributes:
        segments: Its bytes, in pieces. Those of long ranges of ids are :class:`TuidBytes`, made when they are
            compressed.
        nbytes: How many there are.
        columns: What the columns are.
    """

    segments: list[Segment]
    nbytes: int
    columns: ColumnSet


class Template:
    """Encodes chunks of one schema whose entity paths have one length."""

    __slots__ = (
        "_constants", "_id_first", "_last_head", "_pieces", "_schema_size", "_struct", "columns", "is_flat",
    )  # fmt: skip

    def __init__(self, chunk: Chunk, path_length: int, columns: ColumnSet) -> None:
        self.columns = columns
        self.is_flat = all(component.values.arrow is None for component in chunk.components)
        if not self.is_flat:
            return
        self._pieces, self._id_first = _schema_pieces(chunk, path_length, columns)
        self._schema_size = sum(map(len, self._pieces)) + path_length + _ID_DIGITS
        nodes = 1 + len(columns.timelines)
        buffers = 2 * nodes
        for kind in columns.types:
            more_nodes, more_buffers = _shape(kind)
            nodes += 1 + more_nodes
            buffers += 2 + more_buffers
        self._struct, self._constants = _batch_head(nodes, buffers)
        self._last_head: tuple[list[int], list[int], bytes] = ([], [], b"")

    def encode(self, chunk: Chunk, path: bytes) -> EncodedBatch:
        """The IPC stream of a chunk that this template was found for."""
        if not self.is_flat:
            data = encode_reference(chunk)
            return EncodedBatch([data], len(data), self.columns)
        num_rows = len(chunk.row_ids)
        nodes, buffers = _flat_columns(chunk, num_rows)
        before, between, after = self._pieces
        time_ns, inc = chunk.id
        chunk_id = b"%016X%016x" % (time_ns, inc)
        if self._id_first:
            head: list[Segment] = [before, chunk_id, between, path, after, b""]
        else:
            head = [before, path, between, chunk_id, after, b""]
        runs: list[Any] = [head]
        # Columns whose rows have equal numbers of instances have one and the same offsets.
        shared = chunk.components[0].offsets if len(chunk.components) > 1 else None
        spans, body_size = _lay_out(buffers, shared, runs)
        runs[-1].append(END_OF_STREAM)
        head[5] = self._batch_head(nodes, spans, body_size)
        segments: list[Segment] = []
        for run in runs:
            if type(run) is not list:
                segments.append(run)
            elif joined := b"".join(run):
                segments.append(joined)
        return EncodedBatch(segments, self._schema_size + self._struct.size + body_size + 8, self.columns)

    def _batch_head(self, nodes: list[int], spans: list[int], body_size: int) -> bytes:
        # Chunks of few rows follow each other with equal tables; packing them costs more than comparing.
        last_nodes, last_spans, head = self._last_head
        if nodes != last_nodes or spans != last_spans:
            lead, middle, to_nodes, to_buffers = self._constants
            num_rows = nodes[0]
            head = self._struct.pack(lead, body_size, middle, num_rows, to_nodes, *nodes, to_buffers, *spans)
            self._last_head = (nodes, spans, head)
        return head


def _lay_out(
    buffers: Sequence[Any], shared: npt.NDArray[np.int32] | None, runs: list[Any]
) -> tuple[list[int], int]:
    """Puts buffers one after the other.

    Args:
        buffers: What to put.
        shared: Written once, where it occurs several times: LZ4 would hardly shrink the others.
        runs: Lists of small pieces to be joined, and big ones between them; added to.

    Returns:
        Where each buffer begins and how long it is, alternating; the bytes of all.
    """
    spans: list[int] = []
    at = 0
    shared_at = -1
    small = runs[-1]
    for buffer in buffers:
        if buffer is None:
            spans += (at, 0)
            continue
        if shared is not None and buffer is shared:
            if shared_at >= 0:
                spans += (shared_at, shared.nbytes)
                continue
            shared_at = at
        if type(buffer) is np.ndarray and buffer.nbytes < _BIG:
            # By far the most frequent case.
            data: Any = buffer.tobytes()
            size = len(data)
            small.append(data)
        elif type(buffer) is Pieces:
            size = _put_pieces(buffer, runs)
            small = runs[-1]
        else:
            data = buffer if type(buffer) is bytes else _small_or_view(buffer)
            size = len(data)
            if size < _BIG and not is_lazy(data):
                small.append(data)
            else:
                small = []
                runs += (data, small)
        spans += (at, size)
        padding = -size % _ALIGNMENT
        at += size + padding
        if padding:
            small.append(_PADDING[size % _ALIGNMENT])
    return spans, at


def _put_pieces(pieces: Pieces, runs: list[Any]) -> int:
    """Adds a buffer that comes in pieces; gives its size. The last of the runs is a list again."""
    size = 0
    for piece in pieces:
        is_bytes = isinstance(piece, bytes)
        nbytes = len(piece) if is_bytes else piece.nbytes
        size += nbytes
        if nbytes >= _BIG_PIECE:
            # A view of bytes would be one more thing that the garbage collector looks at.
            runs.append(piece if is_bytes else memoryview(piece).cast("B"))
            continue
        if type(runs[-1]) is not list:
            runs.append([])
        runs[-1].append(piece if is_bytes else piece.tobytes())
    if type(runs[-1]) is not list:
        runs.append([])
    return size


def _flat_columns(chunk: Chunk, num_rows: int) -> tuple[list[int], list[Any]]:
    """The nodes and buffers of all columns."""
    nodes = [num_rows, 0]
    row_ids: Any = chunk.row_ids
    are_lazy = type(row_ids) is TuidRange
    buffers: list[Any] = [None, TuidBytes(row_ids) if are_lazy else row_ids]
    for index in chunk.indexes:
        nodes += (num_rows, 0)
        if are_lazy and type(index) is RunColumn:
            buffers += (None, TimeBytes(index.run))
        else:
            buffers += (None, index.values)
    for component in chunk.components:
        present = component.present
        if present is None:
            nodes += (num_rows, 0)
            buffers += (None, component.offsets)
        else:
            nodes += (num_rows, num_rows - int(np.count_nonzero(present)))
            buffers += (np.packbits(present, bitorder="little"), component.offsets)
        values = component.values
        for node in values.nodes:
            nodes += node
        buffers += values.buffers
    return nodes, buffers


def _small_or_view(buffer: Any) -> Any:
    """A copy of a small buffer, or a view of a big one as bytes."""
    if is_lazy(buffer):
        return buffer
    if isinstance(buffer, np.ndarray):
        if buffer.nbytes < _BIG:
            return buffer.tobytes()
        if buffer.dtype is _BYTE and buffer.ndim == 1 and buffer.flags.c_contiguous:
            return buffer.data
        return np.ascontiguousarray(buffer).reshape(-1).view(np.uint8).data
    if isinstance(buffer, pa.Buffer):
        return buffer.to_pybytes() if buffer.size < _BIG else memoryview(buffer).cast("B")
    view = memoryview(buffer)
    return bytes(view) if view.nbytes < _BIG else view.cast("B")


def _shape(kind: pa.DataType) -> tuple[int, int]:
    """How many nodes and buffers arrays of a type have."""
    nodes, buffers = 1, own_buffers(kind)
    for position in range(kind.num_fields):
        more_nodes, more_buffers = _shape(kind.field(position).type)
        nodes += more_nodes
        buffers += more_buffers
    return nodes, buffers


def _schema_pieces(
    chunk: Chunk, path_length: int, columns: ColumnSet
) -> tuple[tuple[bytes, bytes, bytes], bool]:
    """The schema message around the chunk id and the entity path; whether the id comes first.

    Where these two are is found by comparing messages that differ in nothing else.
    """
    indexes = [(index.timeline, index.is_sorted) for index in chunk.indexes]
    components = list(zip(columns.descriptors, columns.types, strict=True))
    one = chunk_schema("\1" * path_length, "0" * _ID_DIGITS, indexes, components).serialize().to_pybytes()
    other_path = chunk_schema("\2" * path_length, "0" * _ID_DIGITS, indexes, components).serialize()
    other_id = chunk_schema("\1" * path_length, "1" * _ID_DIGITS, indexes, components).serialize()
    path_at = _first_difference(one, other_path.to_pybytes())
    id_at = _first_difference(one, other_id.to_pybytes())
    spots = sorted([(path_at, path_at + path_length), (id_at, id_at + _ID_DIGITS)])
    (first, first_end), (second, second_end) = spots
    return (one[:first], one[first_end:second], one[second_end:]), id_at < path_at


def _first_difference(one: bytes, other: bytes) -> int:
    return int(np.flatnonzero(np.frombuffer(one, np.uint8) != np.frombuffer(other, np.uint8))[0])


def _batch_head(nodes: int, buffers: int) -> tuple[struct.Struct, tuple[bytes, bytes, bytes, bytes]]:
    """The message in front of a record batch's body, as a layout and the constant parts of it.

    It is a flatbuffer with two tables, each behind the table of its fields' places: the message
    (at 16) and the record batch (at 48), followed by the vectors of nodes and of buffers. All 64-bit
    numbers are at multiples of 8. The variable parts are the length of the body, the number of rows,
    the nodes and the buffers.
    """
    size = 80 + 16 * (nodes + buffers)
    lead = struct.pack(
        "<iiI6HiI",
        *(-1, size),  # marks a message, and its size
        16,  # root: the message table
        *(12, 20, 16, 18, 4, 8),  # its fields: version, type of header, header, length of body
        *(12, 28),  # distance back to these, and on to the record batch table
    )
    middle = struct.pack(
        "<hBx2x5HiI",
        *(_METADATA_V5, _RECORD_BATCH),
        *(10, 20, 8, 4, 16),  # fields of the record batch: number of rows, nodes, buffers
        *(10, 16),  # distance back to these, and on to the nodes
    )
    to_nodes = struct.pack("<II", 12 + 16 * nodes, nodes)
    to_buffers = struct.pack("<4xI", buffers)
    layout = struct.Struct(f"<{len(lead)}sq{len(middle)}sq8s{2 * nodes}q8s{2 * buffers}q")
    return layout, (lead, middle, to_nodes, to_buffers)


_Known: TypeAlias = "tuple[Template, tuple[pa.DataType, ...]]"

# Types are recognised by identity, which the values of this cache keep valid; equal types that are
# other objects are found by what they serialise to, which takes longer.
_by_identity: GenerationCache[tuple[Any, ...], _Known] = GenerationCache(_TEMPLATES)
_by_value: GenerationCache[tuple[Any, ...], Template] = GenerationCache(_TEMPLATES)


def template_of(chunk: Chunk, path_length: int) -> Template:
    """The template for a chunk whose entity path has so many bytes."""
    key: list[Any] = [path_length]
    for index in chunk.indexes:
        key += (index.timeline, index.is_sorted)
    for component in chunk.components:
        key += (component.descriptor, id(component.values.type))
    identity = tuple(key)
    known = _by_identity.get(identity)
    if known is not None:
        return known[0]
    types = tuple([component.values.type for component in chunk.components])
    template = _template_by_value(chunk, path_length, types)
    _by_identity.put(identity, (template, types))
    return template


def _template_by_value(chunk: Chunk, path_length: int, types: Sequence[pa.DataType]) -> Template:
    key = (
        path_length,
        tuple([(index.timeline, index.is_sorted) for index in chunk.indexes]),
        tuple([component.descriptor for component in chunk.components]),
        tuple(map(type_key, types)),
    )
    template = _by_value.get(key)
    if template is None:
        columns = ColumnSet(
            tuple([index.timeline for index in chunk.indexes]),
            tuple([component.descriptor for component in chunk.components]),
            tuple(types),
        )
        template = Template(chunk, path_length, columns)
        _by_value.put(key, template)
    return template
