"""Messages: what sinks are given, encoded once for all of them."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from aiorerun.codec import framing
from aiorerun.codec.chunk import encode_batch
from aiorerun.codec.chunk_index import chunk_index
from aiorerun.codec.compression import compress
from aiorerun.codec.framing import MessageKind
from aiorerun.codec.protobuf import bytes_field, fixed64_field, tag, text_field, varint, varint_field
from aiorerun.types.tuid import TuidRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.codec.chunk_index import ChunkIndex
    from aiorerun.codec.chunk_template import EncodedBatch, Segment
    from aiorerun.pipeline.chunk import Chunk
    from aiorerun.types.store import StoreId
    from aiorerun.types.tuid import Tuid

_PYTHON_SDK: Final = 2
"""The kind of source that store info names."""

_ARROW_IPC: Final = 1
_JOINED: Final = 64 << 10
"""Payloads up to this size become one piece, which is cheaper to pass on than three."""

# Chunk id and static flag, the last two fields of an ArrowMsg; the numbers of an id are little-endian here.
_TAIL: Final = struct.Struct("<3sQBQBB")
_TAIL_START: Final = bytes((6 << 3 | 2, 18, 1 << 3 | 1))
_TAIL_INC: Final = 2 << 3 | 1
_TAIL_STATIC: Final = 7 << 3


class Message:
    """An encoded message of an RRD stream. It never changes, so any number of sinks may share it.

    Attributes:
        kind: What it is.
        segments: The Protocol Buffers message that is its payload, in pieces.
        nbytes: Bytes of the payload.
        rows: Rows of data in it.
        index: What the footer of a file says about it; ``None`` if it is no chunk.
        store: The recording or blueprint it belongs to.
        captured_ns: The time in the id of its oldest row, if this process has captured its rows; otherwise 0.
    """

    __slots__ = ("captured_ns", "index", "kind", "nbytes", "rows", "segments", "store")

    def __init__(
        self,
        kind: MessageKind,
        segments: tuple[Segment, ...],
        nbytes: int,
        rows: int,
        index: ChunkIndex | None,
        store: StoreId,
        captured_ns: int = 0,
    ) -> None:
        self.kind = kind
        self.segments = segments
        self.nbytes = nbytes
        self.rows = rows
        self.index = index
        self.store = store
        self.captured_ns = captured_ns

    def __repr__(self) -> str:
        return f"Message({self.kind.name}, {self.nbytes} bytes, {self.rows} rows, {self.store})"


@lru_cache(maxsize=256)
def store_id_payload(store: StoreId) -> bytes:
    """A ``StoreId`` message."""
    return (
        varint_field(1, store.kind)
        + text_field(2, store.recording_id)
        + bytes_field(3, text_field(1, store.application_id))
    )


def tuid_payload(tuid: Tuid) -> bytes:
    """A ``Tuid`` message."""
    return fixed64_field(1, tuid.time_ns) + fixed64_field(2, tuid.inc)


def store_info_message(store: StoreId, row_id: Tuid, python_version: Sequence[int]) -> Message:
    """Announces a recording or blueprint.

    Args:
        store: Its name.
        row_id: A fresh id.
        python_version: Major, minor and patch version of the interpreter.
    """
    major, minor, patch = python_version
    version = varint_field(1, major) + varint_field(2, minor) + varint_field(3, patch)
    source = varint_field(1, _PYTHON_SDK) + bytes_field(2, bytes_field(1, version))
    info = (
        bytes_field(2, store_id_payload(store))
        + bytes_field(5, source)
        + bytes_field(6, varint_field(1, framing.version_bits()))
    )
    payload = bytes_field(1, tuid_payload(row_id)) + bytes_field(2, info)
    return Message(MessageKind.SET_STORE_INFO, (payload,), len(payload), 0, None, store)


def blueprint_activation_message(store: StoreId, *, make_active: bool, make_default: bool) -> Message:
    """Puts a blueprint to use; it comes after the blueprint's chunks.

    Args:
        store: The blueprint.
        make_active: Show it now.
        make_default: Show it when the viewer's own blueprint is reset.
    """
    payload = (
        bytes_field(1, store_id_payload(store)) + varint_field(2, make_active) + varint_field(3, make_default)
    )
    kind = MessageKind.BLUEPRINT_ACTIVATION_COMMAND
    return Message(kind, (payload,), len(payload), 0, None, store)


def chunk_message(store: StoreId, chunk: Chunk) -> Message:
    """Encodes a chunk. Its big buffers are shared with the message where LZ4 would gain nothing."""
    return encoded_message(store, chunk, encode_batch(chunk))


def encoded_message(store: StoreId, chunk: Chunk, batch: EncodedBatch) -> Message:
    """A chunk whose Arrow stream is made already."""
    payload, nbytes, compression = compress(
        batch.segments, batch.nbytes, (store, chunk.entity_path, batch.columns)
    )
    is_static = not chunk.indexes
    time_ns, inc = chunk.id
    head = arrow_msg_head(store, compression, batch.nbytes, nbytes)
    tail = _TAIL.pack(_TAIL_START, time_ns, _TAIL_INC, inc, _TAIL_STATIC, is_static)
    segments = (head, *payload, tail)
    total = len(head) + nbytes + len(tail)
    if total <= _JOINED:
        segments = (b"".join(segments),)
    index = chunk_index(chunk, batch.columns, batch.nbytes)
    ids: Any = chunk.row_ids
    count = len(ids)
    captured_ns = ids.time_ns if type(ids) is TuidRange else ids.item(0) if count else 0
    return Message(MessageKind.ARROW_MSG, segments, total, count, index, store, captured_ns)


_SIZE_TAG: Final = tag(3, 0)
_ENCODING_AND_PAYLOAD_TAG: Final = varint_field(4, _ARROW_IPC) + tag(5, 2)


@lru_cache(maxsize=256)
def _arrow_msg_start(store: StoreId, compression: int) -> bytes:
    return bytes_field(1, store_id_payload(store)) + varint_field(2, compression) + _SIZE_TAG


def arrow_msg_start(store: StoreId, compression: int, uncompressed_size: int) -> bytes:
    """An ``ArrowMsg`` up to the size of its payload."""
    return _arrow_msg_start(store, compression) + varint(uncompressed_size) + _ENCODING_AND_PAYLOAD_TAG


def arrow_msg_head(store: StoreId, compression: int, uncompressed_size: int, nbytes: int) -> bytes:
    """An ``ArrowMsg`` up to its payload of ``nbytes``."""
    return (
        _arrow_msg_start(store, compression)
        + varint(uncompressed_size)
        + _ENCODING_AND_PAYLOAD_TAG
        + varint(nbytes)
    )


def arrow_msg_tail(time_ns: int, inc: int, *, is_static: bool) -> bytes:
    """What follows the payload of an ``ArrowMsg``: the chunk's id, and whether it is static."""
    return _TAIL.pack(_TAIL_START, time_ns, _TAIL_INC, inc, _TAIL_STATIC, is_static)
