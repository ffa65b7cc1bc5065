"""What the payloads of messages say."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from aiorerun.codec.compression import decompress
from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import MessageKind
from aiorerun.codec.protobuf import BYTES, FIXED64, VARINT, fields
from aiorerun.types.store import StoreId, StoreKind, normal_application_id
from aiorerun.types.tuid import Tuid

if TYPE_CHECKING:
    import pyarrow as pa

    from aiorerun.codec.protobuf import Value

_ARROW_IPC: Final = 1
_MAX_KNOWN_ID: Final = 1024
"""Names of stores up to this size are remembered."""

_MAX_FIELDS: Final = 1024
"""Messages have a handful of fields; what has more than this is no message."""

_Fields: TypeAlias = "dict[int, tuple[int, Value]]"


class SourceKind(NamedTuple):
    """What wrote a store: the number of its kind, and what that kind adds."""

    kind: int
    extra: bytes


class StoreInfo(NamedTuple):
    """The announcement of a store.

    Attributes:
        store: Its name; the application id may be empty in old streams.
        row_id: The id of the announcement.
        source: What wrote it.
        version: Release of the writer, or ``None``.
    """

    store: StoreId
    row_id: Tuid
    source: SourceKind
    version: tuple[int, int, int] | None


class ArrowMsg(NamedTuple):
    """A chunk, still encoded."""

    store: StoreId
    compression: int
    uncompressed_size: int
    payload: memoryview
    chunk_id: Tuid | None
    is_static: bool | None

    def batch(self, max_bytes: int, *, validate: bool = True) -> pa.RecordBatch:
        """The record batch of the chunk.

        Args:
            max_bytes: The most that it may take.
            validate: See :func:`aiorerun.codec.chunk_arrow.decode_ipc`.

        Raises:
            RrdError: It is damaged, or larger than ``max_bytes``.
        """
        from aiorerun.codec.chunk_arrow import decode_ipc

        data = decompress(self.payload, self.compression, self.uncompressed_size, max_bytes)
        return decode_ipc(data, validate=validate, max_bytes=max_bytes)


class BlueprintActivation(NamedTuple):
    """The command to put a blueprint to use."""

    store: StoreId
    make_active: bool
    make_default: bool


class Footer(NamedTuple):
    """The footer, not decoded."""

    payload: memoryview


Decoded: TypeAlias = "StoreInfo | ArrowMsg | BlueprintActivation | Footer"


class StoreNames:
    """Completes the names of stores in old streams, where only the announcement has the application id."""

    __slots__ = ("_applications",)

    def __init__(self) -> None:
        self._applications: dict[tuple[StoreKind, str], str] = {}

    def add(self, info: StoreInfo) -> None:
        """Learns from an announcement."""
        store = info.store
        if store.application_id:
            self._applications[store.kind, store.recording_id] = store.application_id

    def name(self, store: StoreId) -> StoreId:
        """The full name.

        Raises:
            RrdError: The application id is unknown.
        """
        if store.application_id:
            return store
        application_id = self._applications.get((store.kind, store.recording_id))
        if application_id is None:
            raise RrdError(f"a message belongs to recording {store.recording_id!r} of an unknown application")
        return StoreId(store.kind, application_id, store.recording_id)


def decode_message(kind: MessageKind, payload: memoryview) -> Decoded:
    """Decodes the payload of a message.

    Raises:
        RrdError: It is damaged, or lacks what it must have.
    """
    if kind is MessageKind.ARROW_MSG:
        return _arrow_msg(message_fields(payload))
    if kind is MessageKind.SET_STORE_INFO:
        return _store_info(message_fields(payload))
    if kind is MessageKind.BLUEPRINT_ACTIVATION_COMMAND:
        read = message_fields(payload)
        return BlueprintActivation(
            decode_store_id(view_field(read, 1)), bool(number_field(read, 2)), bool(number_field(read, 3))
        )
    return Footer(payload)


def _arrow_msg(read: _Fields) -> ArrowMsg:
    if number_field(read, 4) != _ARROW_IPC:
        raise RrdError(f"a chunk has unknown encoding {number_field(read, 4)}")
    return ArrowMsg(
        store=decode_store_id(view_field(read, 1)),
        compression=number_field(read, 2),
        uncompressed_size=number_field(read, 3),
        payload=view_field(read, 5),
        chunk_id=_tuid(view_field(read, 6)) if 6 in read else None,
        is_static=bool(number_field(read, 7)) if 7 in read else None,
    )


def _store_info(read: _Fields) -> StoreInfo:
    for number, what in ((1, "row id"), (2, "info")):
        if number not in read:
            raise RrdError(f"the announcement of a store has no {what}")
    info = message_fields(view_field(read, 2))
    if 5 not in info:
        raise RrdError("the announcement of a store does not say what wrote it")
    store = decode_store_id(view_field(info, 2))
    if not store.application_id:
        store = store._replace(application_id=_application_id(view_field(info, 1)))
    source = message_fields(view_field(info, 5))
    extra = bytes(view_field(message_fields(view_field(source, 2)), 1))
    version = None
    if 6 in info:
        bits = number_field(message_fields(view_field(info, 6)), 1)
        version = (bits & 0xFF, bits >> 8 & 0xFF, bits >> 16 & 0xFF)
    return StoreInfo(store, _tuid(view_field(read, 1)), SourceKind(number_field(source, 1), extra), version)


def decode_store_id(data: memoryview) -> StoreId:
    """A ``StoreId`` message; the application id may be empty in old streams."""
    return _known_store_id(bytes(data)) if len(data) <= _MAX_KNOWN_ID else _store_id(data)


@lru_cache(maxsize=256)
def _known_store_id(data: bytes) -> StoreId:
    # Every chunk has it, mostly the same one.
    return _store_id(memoryview(data))


def _store_id(data: memoryview) -> StoreId:
    read = message_fields(data)
    kind = StoreKind.BLUEPRINT if number_field(read, 1) == StoreKind.BLUEPRINT else StoreKind.RECORDING
    return StoreId(kind, _application_id(view_field(read, 3)), _text(view_field(read, 2)))


def _application_id(data: memoryview) -> str:
    return normal_application_id(_text(view_field(message_fields(data), 1)))


def _tuid(data: memoryview) -> Tuid:
    read = message_fields(data)
    return Tuid(number_field(read, 1, FIXED64), number_field(read, 2, FIXED64))


def _text(data: memoryview) -> str:
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError as error:
        raise RrdError("a name is not UTF-8") from error


def message_fields(data: memoryview) -> _Fields:
    """All fields of a message by number; the last one counts where there are several.

    Raises:
        RrdError: It is damaged.
    """
    found = list(islice(fields(data), _MAX_FIELDS + 1))
    if len(found) > _MAX_FIELDS:
        raise RrdError(f"a protobuf message has more than {_MAX_FIELDS} fields")
    return {number: (wire_type, value) for number, wire_type, value in found}


def number_field(read: _Fields, number: int, expected: int = VARINT) -> int:
    """A number; 0 if it is left out.

    Raises:
        RrdError: The field is something else.
    """
    wire_type, value = read.get(number, (expected, 0))
    if wire_type != expected or not isinstance(value, int):
        raise RrdError(f"a protobuf field {number} is of the wrong wire type {wire_type}")
    return value


def view_field(read: _Fields, number: int) -> memoryview:
    """The bytes of a string or message; empty if it is left out.

    Raises:
        RrdError: The field is something else.
    """
    wire_type, value = read.get(number, (BYTES, memoryview(b"")))
    if wire_type != BYTES or not isinstance(value, memoryview):
        raise RrdError(f"a protobuf field {number} is of the wrong wire type {wire_type}")
    return value
