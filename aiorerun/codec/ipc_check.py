"""What an Arrow IPC stream claims about itself, checked before Arrow acts on it.

Arrow trusts the metadata of a stream in two ways that cost memory: it makes a field of everything that is
listed as one, although many entries may point to the same few bytes, and it makes room for as much as a
compressed buffer says it will hold. Both are bounded here by the bytes that are really there.
"""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from operator import add
from typing import TYPE_CHECKING, Final

from aiorerun.codec.errors import RrdError

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONTINUATION: Final = 0xFFFF_FFFF

# The kinds of messages in a stream.
_SCHEMA: Final = 1
_DICTIONARY_BATCH: Final = 2
_RECORD_BATCH: Final = 3

_UNION: Final = 14
_TIMESTAMP: Final = 10

_MAX_DEPTH: Final = 64
"""Types nested deeper than this are refused."""

_SHARING: Final = 4
"""So many times its own bytes a schema may be read through: encoders share some names, and no more."""

_CACHED: Final = 8 << 10
"""Schemas up to this size are remembered."""

_BITS: Final = 8
_CHUNK_ID: Final = re.compile(rb"chunk_[0-9A-Fa-f]{32}")
_BLANK_ID: Final = b"chunk_" + b"\xff" * 32

_U32: Final = struct.Struct("<I")
_I32: Final = struct.Struct("<i")
_U16: Final = struct.Struct("<H")
_I64: Final = struct.Struct("<q")


def check_stream(data: memoryview, max_bytes: int) -> int:
    """Checks a stream up to its first record batch.

    Args:
        data: The stream.
        max_bytes: What compressed buffers may hold in all.

    Returns:
        Where the first record batch ends.

    Raises:
        RrdError: It has none, is cut off, or claims what cannot be.
    """
    try:
        return _check_stream(data, max_bytes)
    except struct.error:
        raise RrdError("the Arrow stream of a chunk points outside of itself") from None


def check_schema_stream(data: memoryview) -> None:
    """Checks a stream that holds only a schema.

    Raises:
        RrdError: It does not begin with one, or claims what cannot be.
    """
    try:
        start, body = metadata_span(data, 0)
        if body == start or Tables(data[start:body], body - start).message()[0] != _SCHEMA:
            raise RrdError("an Arrow stream does not begin with a schema")
        _check_schema(data[start:body])
    except struct.error:
        raise RrdError("the schema of an Arrow stream points outside of itself") from None


def metadata_span(data: memoryview, position: int) -> tuple[int, int]:
    """Where the metadata of the message at a position begins and ends; it is empty at the end of the stream.

    Raises:
        RrdError: It is cut off.
    """
    size = _U32.unpack_from(data, position)[0]
    start = position + 4
    if size == _CONTINUATION:
        size = _U32.unpack_from(data, start)[0]
        start += 4
    if size > len(data) - start:
        raise RrdError("the Arrow stream of a chunk is cut off")
    return start, start + size


def _check_stream(data: memoryview, max_bytes: int) -> int:
    position, end = 0, len(data)
    has_schema = False
    room = max_bytes
    while position + 8 <= end:
        start, body = metadata_span(data, position)
        if start == body:
            break
        tables = Tables(data[start:body], body - start)
        kind, header, body_size = tables.message()
        if not 0 <= body_size <= end - body:
            raise RrdError(f"an Arrow message claims a body of {body_size} bytes where {end - body} are left")
        position = body + body_size
        if kind == _SCHEMA:
            if has_schema:
                raise RrdError("the Arrow stream of a chunk holds two schemas")
            has_schema = True
            _check_schema(data[start:body])
            continue
        if not has_schema or kind not in (_RECORD_BATCH, _DICTIONARY_BATCH):
            raise RrdError("the Arrow stream of a chunk holds other messages than a schema and batches")
        if kind == _DICTIONARY_BATCH:
            header = tables.child(header, 1)
        room -= _check_batch(tables, header, data[body:position], end, room)
        if kind == _RECORD_BATCH:
            return position
    raise RrdError("the Arrow stream of a chunk holds no record batch")


class Tables:
    """Reads FlatBuffers tables, at most so many bytes of them; nothing outside of the data is read.

    Args:
        data: The buffer.
        budget: How many bytes may be read through, those of shared tables each time.
    """

    __slots__ = ("_budget", "data")

    def __init__(self, data: bytes | memoryview, budget: int) -> None:
        self.data = data
        self._budget = budget

    def charge(self, cost: int) -> None:
        """Counts bytes that were read through."""
        self._budget -= cost
        if self._budget < 0:
            raise RrdError("the Arrow metadata of a chunk claims more than its bytes can hold")

    def field(self, table: int, number: int) -> int:
        """Where a field of a table is; 0 if it is left out."""
        vtable = table - _I32.unpack_from(self.data, table)[0]
        slot = 4 + 2 * number
        if vtable < 0:
            raise RrdError("the Arrow metadata of a chunk points before its start")
        if slot + 2 > _U16.unpack_from(self.data, vtable)[0]:
            return 0
        offset: int = _U16.unpack_from(self.data, vtable + slot)[0]
        return table + offset if offset else 0

    def target(self, position: int) -> int:
        """What the offset at a position points to."""
        found: int = position + _U32.unpack_from(self.data, position)[0]
        return found

    def child(self, table: int, number: int) -> int:
        """The table, vector or string that a field holds.

        Raises:
            RrdError: It is left out.
        """
        position = self.field(table, number)
        if not position:
            raise RrdError("the Arrow metadata of a chunk lacks a part")
        return self.target(position)

    def vector(self, table: int, number: int, width: int) -> tuple[int, int]:
        """Where the elements of a vector begin, and how many there are; they are all inside."""
        position = self.field(table, number)
        if not position:
            return 0, 0
        start = self.target(position)
        count: int = _U32.unpack_from(self.data, start)[0]
        if count * width > len(self.data) - start - 4:
            raise RrdError("a vector in the Arrow metadata of a chunk is longer than its buffer")
        return start + 4, count

    def numbers(self, table: int, number: int) -> tuple[int, ...]:
        """The pairs of 64-bit integers in a vector, one after the other."""
        start, count = self.vector(table, number, 16)
        return _pairs(count).unpack_from(self.data, start) if count else ()

    def number(self, table: int, number: int, layout: struct.Struct) -> int:
        """A number; 0 if it is left out."""
        position = self.field(table, number)
        return layout.unpack_from(self.data, position)[0] if position else 0

    def byte(self, table: int, number: int) -> int:
        """A number of one byte; 0 if it is left out."""
        position = self.field(table, number)
        if position >= len(self.data):
            raise RrdError("the Arrow metadata of a chunk points outside of itself")
        return self.data[position] if position else 0

    def message(self) -> tuple[int, int, int]:
        """Kind, header and size of the body of a message."""
        root = self.target(0)
        return self.byte(root, 1), self.child(root, 2), self.number(root, 3, _I64)

    def check_fields(self, table: int, number: int, depth: int) -> None:
        """Reads through the fields that a vector lists."""
        if depth > _MAX_DEPTH:
            raise RrdError(f"the types of a chunk are nested deeper than {_MAX_DEPTH} levels")
        start, count = self.vector(table, number, 4)
        self.charge(4 * count)
        for position in range(start, start + 4 * count, 4):
            field = self.target(position)
            self.charge(16)
            self._check_text(field, 0)
            self._check_type(field)
            self.check_metadata(field, 6)
            self.check_fields(field, 5, depth + 1)

    def _check_type(self, field: int) -> None:
        kind = self.byte(field, 2)
        if kind == _UNION:
            self.charge(4 * self.vector(self.child(field, 3), 1, 4)[1])
        elif kind == _TIMESTAMP:
            self._check_text(self.child(field, 3), 1)

    def check_metadata(self, table: int, number: int) -> None:
        """Reads through keys and values."""
        start, count = self.vector(table, number, 4)
        self.charge(12 * count)
        for position in range(start, start + 4 * count, 4):
            pair = self.target(position)
            self._check_text(pair, 0)
            self._check_text(pair, 1)

    def _check_text(self, table: int, number: int) -> None:
        self.charge(4 + self.vector(table, number, 1)[1])


def _check_schema(data: memoryview) -> None:
    """Checks a schema, once for all that differ in nothing but the chunk id."""
    if len(data) > _CACHED:
        _read_through(bytes(data))
        return
    # What the digits are cannot matter: with these in their place nothing that points anywhere is in range.
    _read_through_once(_CHUNK_ID.sub(_BLANK_ID, data, count=1))


def _read_through(data: bytes) -> None:
    tables = Tables(data, _SHARING * len(data) + 64)
    _, schema, _ = tables.message()
    tables.check_fields(schema, 1, 0)
    tables.check_metadata(schema, 2)


@lru_cache(maxsize=64)
def _pairs(count: int) -> struct.Struct:
    return struct.Struct(f"<{2 * count}q")


_read_through_once: Final = lru_cache(maxsize=1024)(_read_through)


def _check_batch(tables: Tables, batch: int, body: memoryview, stream_size: int, room: int) -> int:
    """Checks the tables of nodes and buffers; returns how many bytes compressed buffers will take."""
    spans = tables.numbers(batch, 2)
    starts, sizes = spans[::2], spans[1::2]
    inflated = 0
    if spans:
        if min(spans) < 0 or max(map(add, starts, sizes)) > len(body):
            raise RrdError("a buffer of a chunk is not inside of its message")
        if tables.field(batch, 3):
            inflated = _inflated_size(starts, sizes, body, room)
    nodes = tables.numbers(batch, 1)
    longest = _BITS * (stream_size + inflated)
    rows = tables.number(batch, 0, _I64)
    if not 0 <= rows <= longest or (nodes and (min(nodes) < 0 or max(nodes) > longest)):
        raise RrdError("a column of a chunk claims to be longer than its bytes allow")
    return inflated


def _inflated_size(starts: Sequence[int], sizes: Sequence[int], body: memoryview, room: int) -> int:
    """What the buffers of a compressed body say that they will take."""
    total = 0
    for start, size in zip(starts, sizes, strict=True):
        if not size:
            continue
        if size < _I64.size:
            raise RrdError("a compressed buffer of a chunk is too short")
        inflated = _I64.unpack_from(body, start)[0]
        if inflated < -1:
            raise RrdError(f"a compressed buffer of a chunk claims {inflated} bytes")
        # -1 stands for a buffer that is left as it is.
        total += max(inflated, 0)
        if total > room:
            raise RrdError(f"the buffers of a chunk claim {total} bytes or more, {room} are accepted")
    return total
