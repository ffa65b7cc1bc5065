"""What the footer of a file says about a chunk, read straight from its Arrow stream.

Chunks of one recording have few different schemas: what one says is found out once, by Arrow. Of each chunk
only its id, its times and the counts of its columns are read then, which takes a fifth of the time.
"""

from __future__ import annotations

import re
import struct
from operator import add
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from aiorerun.codec.batch_index import column_set
from aiorerun.codec.chunk_index import ChunkGroup, ChunkIndex, record_of
from aiorerun.codec.errors import RrdError
from aiorerun.codec.ipc_check import Tables, metadata_span
from aiorerun.types.tuid import Tuid

if TYPE_CHECKING:
    from aiorerun.codec.chunk_facts import ChunkFacts
    from aiorerun.types.flat import Buffer

_RECORD_BATCH: Final = 3
_MAX_LAYOUTS: Final = 4096
_MAX_SCHEMA: Final = 64 << 10
"""Longer schemas are read each time."""

_CHUNK_ID: Final = re.compile(rb"chunk_([0-9A-Fa-f]{32})")
_I32: Final = struct.Struct("<i")
_I64: Final = struct.Struct("<q")


class QuickChunk(NamedTuple):
    """What was read of a chunk: its id, and what the footer says about it."""

    id: Tuid
    is_static: bool
    listed: ChunkIndex


class _Layout(NamedTuple):
    """What chunks with the same schema have in common.

    Attributes:
        group: What the footer says about them, if all components have instances.
        is_static: Whether they have no timelines.
        columns: Per column, the number of its node.
        times: Per timeline, the number of the buffer with its times.
        offsets: Per component, the number of the buffer with its offsets.
    """

    group: ChunkGroup
    is_static: bool
    columns: tuple[int, ...]
    times: tuple[int, ...]
    offsets: tuple[int, ...]


class QuickIndexer:
    """Describes chunks by their Arrow streams, once it has learnt their schemas."""

    __slots__ = ("_groups", "_layouts")

    def __init__(self) -> None:
        self._layouts: dict[bytes, _Layout | None] = {}
        self._groups: dict[tuple[int, tuple[int, ...]], ChunkGroup] = {}

    def describe(self, data: Buffer, uncompressed_size: int) -> QuickChunk | None:
        """Describes a chunk; ``None`` if its schema is unknown, or if there is anything special about it.

        Whatever is wrong with it is left to whoever reads it by Arrow then.
        """
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        try:
            start, body = metadata_span(view, 0)
            if body - start > _MAX_SCHEMA:
                return None
            schema = bytes(view[start:body])
            found = _CHUNK_ID.search(schema)
            layout = None if found is None else self._layouts.get(_without_id(schema, found))
            if found is None or layout is None:
                return None
            digits = found[1]
            chunk_id = Tuid(int(digits[:16], 16), int(digits[16:], 16))
            return self._described(view, body, layout, chunk_id, uncompressed_size)
        except (struct.error, IndexError, ValueError, RrdError):
            return None

    def learn(self, data: Buffer, batch: pa.RecordBatch, facts: ChunkFacts) -> None:
        """Remembers the schema of a chunk that was read by Arrow."""
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        start, body = metadata_span(view, 0)
        schema = bytes(view[start:body])
        found = _CHUNK_ID.search(schema)
        if found is None or len(schema) > _MAX_SCHEMA or len(self._layouts) >= _MAX_LAYOUTS:
            return
        key = _without_id(schema, found)
        if key in self._layouts:
            return
        # With two such texts it would be unclear which one is the id.
        is_clear = len(_CHUNK_ID.findall(schema)) == 1 and Tuid.parse(found[1].decode()) == facts.id
        self._layouts[key] = _layout(batch.schema, facts) if is_clear else None

    def _described(
        self, view: memoryview, position: int, layout: _Layout, chunk_id: Tuid, uncompressed_size: int
    ) -> QuickChunk | None:
        start, body = metadata_span(view, position)
        if start == body:
            return None
        tables = Tables(view[start:body], body - start)
        kind, header, body_size = tables.message()
        if kind != _RECORD_BATCH or tables.field(header, 3) or not 0 <= body_size <= len(view) - body:
            return None
        nodes, spans = tables.numbers(header, 1), tables.numbers(header, 2)
        rows = tables.number(header, 0, _I64)
        if rows <= 0 or min(spans) < 0 or max(map(add, spans[::2], spans[1::2])) > body_size:
            return None
        for column in layout.columns:
            # Sparse columns take more than a look.
            if nodes[2 * column] != rows or nodes[2 * column + 1]:
                return None
        numbers = [rows, uncompressed_size]
        for buffer in layout.times:
            if spans[2 * buffer + 1] < 8 * rows:
                return None
            numbers += _range(view, body + spans[2 * buffer], rows)
        empty: tuple[int, ...] = ()
        for position, buffer in enumerate(layout.offsets):
            at, size = spans[2 * buffer], spans[2 * buffer + 1]
            if size < 4 * (rows + 1):
                return None
            first = _I32.unpack_from(view, body + at)[0]
            if _I32.unpack_from(view, body + at + 4 * rows)[0] <= first:
                empty += (position,)
        group = layout.group if not empty else self._with_empty(layout, empty)
        record = record_of(chunk_id.time_ns, chunk_id.inc, numbers)
        return QuickChunk(chunk_id, layout.is_static, ChunkIndex(group, record))

    def _with_empty(self, layout: _Layout, empty: tuple[int, ...]) -> ChunkGroup:
        key = (id(layout), empty)
        group = self._groups.get(key)
        if group is None:
            group = layout.group._replace(empty=empty)
            if len(self._groups) < _MAX_LAYOUTS:
                self._groups[key] = group
        return group


def _without_id(schema: bytes, found: re.Match[bytes]) -> bytes:
    return schema[: found.start(1)] + schema[found.end(1) :]


def _range(view: memoryview, start: int, rows: int) -> tuple[int, int]:
    if rows == 1:
        only: int = _I64.unpack_from(view, start)[0]
        return only, only
    times = np.frombuffer(view, np.int64, rows, start)
    return int(times.min()), int(times.max())


def _layout(schema: pa.Schema, facts: ChunkFacts) -> _Layout | None:
    """Where everything is; ``None`` if a column is not of a usual type."""
    nodes: list[int] = []
    buffers: list[int] = []
    node = buffer = 0
    for field in schema:
        nodes.append(node)
        buffers.append(buffer)
        size = _size(field.type)
        if size is None:
            return None
        node, buffer = node + size[0], buffer + size[1]
    if not all(pa.types.is_list(schema.field(each.column).type) for each in facts.components):
        return None
    return _Layout(
        ChunkGroup(facts.entity_path, column_set(facts), (), ()),
        not facts.indexes,
        tuple(nodes),
        # Validity comes first.
        tuple(buffers[each.column] + 1 for each in facts.indexes),
        tuple(buffers[each.column] + 1 for each in facts.components),
    )


def _size(kind: pa.DataType) -> tuple[int, int] | None:
    """How many nodes and buffers a column has; ``None`` for types that are not usual."""
    types: Any = pa.types
    if types.is_list(kind) or types.is_large_list(kind):
        nodes, buffers = 1, 2
    elif types.is_struct(kind) or types.is_fixed_size_list(kind):
        nodes, buffers = 1, 1
    elif types.is_primitive(kind) or types.is_fixed_size_binary(kind):
        return 1, 2
    elif types.is_string(kind) or types.is_binary(kind):
        return 1, 3
    else:
        return None
    for position in range(kind.num_fields):
        inner = _size(kind.field(position).type)
        if inner is None:
            return None
        nodes, buffers = nodes + inner[0], buffers + inner[1]
    return nodes, buffers
