"""Messages that were read, on their way into another file: unchanged, but for what its footer needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from aiorerun.codec.batch_index import batch_index
from aiorerun.codec.chunk_arrow import decode_ipc
from aiorerun.codec.chunk_facts import check_texts, chunk_facts
from aiorerun.codec.compression import MAX_BYTES, decompress
from aiorerun.codec.decode_messages import (
    ArrowMsg,
    BlueprintActivation,
    StoreInfo,
    StoreNames,
    decode_message,
    message_fields,
    view_field,
)
from aiorerun.codec.framing import MessageKind
from aiorerun.codec.messages import (
    Message,
    arrow_msg_head,
    arrow_msg_tail,
    blueprint_activation_message,
    store_id_payload,
)
from aiorerun.codec.protobuf import BYTES, FIXED32, FIXED64, VARINT, bytes_field, fields, tag, varint
from aiorerun.codec.quick_index import QuickChunk, QuickIndexer

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from aiorerun.codec.chunk_facts import ChunkFacts
    from aiorerun.codec.decoder import RawMessage
    from aiorerun.types.store import StoreId

_UNCOMPRESSED: Final = (0, 1)
_FIXED_SIZES: Final = {FIXED64: 8, FIXED32: 4}


class ReadChunk(NamedTuple):
    """A chunk that was read: which recording it belongs to, what it is, and its rows."""

    store: StoreId
    facts: ChunkFacts
    batch: pa.RecordBatch


class Passing:
    """Makes messages to be written of messages that were read.

    The bytes stay as they are. Only where a message lacks what the footer of a file needs (a chunk id, the
    name of the application), it is framed anew around the same payload.

    Args:
        validate: Whether all contents of chunks are checked, or only what is needed to list them.
        rename: Says to which recording the messages of one go; by default to the same.

    Attributes:
        rename: The same; may be set.
    """

    def __init__(self, *, validate: bool = False, rename: Callable[[StoreId], StoreId] | None = None) -> None:
        self._validate = validate
        self.rename = rename
        self._names = StoreNames()
        self._quick = QuickIndexer()

    def message(self, raw: RawMessage) -> Message | None:
        """The message to write; ``None`` for the end of a stream.

        Raises:
            RrdError: It is damaged.
        """
        if raw.kind is MessageKind.END:
            # What one stream has announced says nothing about the next one.
            self._names = StoreNames()
            return None
        decoded = decode_message(raw.kind, raw.payload)
        if isinstance(decoded, ArrowMsg):
            return self._chunk(raw, decoded)
        if isinstance(decoded, StoreInfo):
            return self._announcement(raw, decoded)
        assert isinstance(decoded, BlueprintActivation)
        store = self._target(self._names.name(decoded.store))
        if store != decoded.store:
            return blueprint_activation_message(
                store, make_active=decoded.make_active, make_default=decoded.make_default
            )
        return _as_it_is(raw, store)

    def chunk(self, raw: RawMessage) -> ReadChunk:
        """The chunk that a message holds.

        Raises:
            RrdError: It is damaged.
        """
        decoded = decode_message(raw.kind, raw.payload)
        assert isinstance(decoded, ArrowMsg)
        batch = decoded.batch(MAX_BYTES, validate=self._validate)
        return ReadChunk(self.store(decoded), chunk_facts(batch), batch)

    def store(self, decoded: ArrowMsg | StoreInfo | BlueprintActivation) -> StoreId:
        """The full name of the recording that a message belongs to; learns from announcements.

        Raises:
            RrdError: It is unknown.
        """
        if isinstance(decoded, StoreInfo):
            self._names.add(decoded)
        return self._names.name(decoded.store)

    def _target(self, store: StoreId) -> StoreId:
        return store if self.rename is None else self.rename(store)

    def _chunk(self, raw: RawMessage, decoded: ArrowMsg) -> Message:
        store = self._target(self._names.name(decoded.store))
        size = decoded.uncompressed_size
        if decoded.compression in _UNCOMPRESSED:
            size = len(decoded.payload)
        chunk_id, is_static, index = self._described(decoded, size)
        known = (decoded.store, decoded.chunk_id, decoded.is_static, decoded.uncompressed_size)
        # The number of rows comes after the id.
        rows = int.from_bytes(index.record[16:24], "little")
        if known == (store, chunk_id, is_static, size):
            return Message(raw.kind, (raw.payload,), len(raw.payload), rows, index, store)
        head = arrow_msg_head(store, decoded.compression or 1, size, len(decoded.payload))
        tail = arrow_msg_tail(chunk_id.time_ns, chunk_id.inc, is_static=is_static)
        total = len(head) + len(decoded.payload) + len(tail)
        return Message(raw.kind, (head, decoded.payload, tail), total, rows, index, store)

    def _described(self, decoded: ArrowMsg, size: int) -> QuickChunk:
        data = decompress(decoded.payload, decoded.compression, decoded.uncompressed_size, MAX_BYTES)
        if not self._validate:
            described = self._quick.describe(data, size)
            if described is not None:
                return described
        batch = decode_ipc(data, validate=self._validate, max_bytes=MAX_BYTES)
        facts = chunk_facts(batch)
        if self._validate:
            check_texts(batch.schema)
        self._quick.learn(data, batch, facts)
        return QuickChunk(facts.id, not facts.indexes, batch_index(batch, facts, size))

    def _announcement(self, raw: RawMessage, decoded: StoreInfo) -> Message:
        self._names.add(decoded)
        store = self._target(self._names.name(decoded.store))
        if store == decoded.store:
            return _as_it_is(raw, store)
        payload = _renamed(raw.payload, store)
        return Message(raw.kind, (payload,), len(payload), 0, None, store)


def _as_it_is(raw: RawMessage, store: StoreId) -> Message:
    payload = bytes(raw.payload)
    return Message(raw.kind, (payload,), len(payload), 0, None, store)


def _renamed(payload: memoryview, store: StoreId) -> bytes:
    """A ``SetStoreInfo`` message that announces another recording, and is the same otherwise."""
    read = message_fields(payload)
    info = _without(view_field(read, 2), {1, 2}) + bytes_field(2, store_id_payload(store))
    return _without(payload, {2}) + bytes_field(2, info)


def _without(message: memoryview, numbers: set[int]) -> bytes:
    """A message without some of its fields."""
    parts: list[bytes] = []
    for number, wire_type, value in fields(message):
        if number in numbers:
            continue
        if isinstance(value, memoryview):
            parts.append(bytes_field(number, bytes(value)))
        elif wire_type == VARINT:
            parts.append(tag(number, VARINT) + varint(value))
        else:
            assert wire_type != BYTES
            parts.append(tag(number, wire_type) + value.to_bytes(_FIXED_SIZES[wire_type], "little"))
    return b"".join(parts)
