"""What the payloads of messages say."""

from __future__ import annotations

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
_MAX_LZ4_RATIO: Final = 255
"""An LZ4 block cannot grow by more."""

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

    def batch(self, max_bytes: int) -> pa.RecordBatch:
        """The record batch of the chunk.

        Raises:
            RrdError: It is damaged, or larger than ``max_bytes``.
        """
        from aiorerun.codec.chunk_arrow import decode_ipc

        size = self.uncompressed_size
        if size > max_bytes or size > len(self.payload) * _MAX_LZ4_RATIO + 64:
            raise RrdError(f"a chunk claims to have {size} bytes in {len(self.payload)} compressed ones")
        return decode_ipc(decompress(self.payload, self.compression, size))


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
        return _arrow_msg(_read(payload))
    if kind is MessageKind.SET_STORE_INFO:
        return _store_info(_read(payload))
    if kind is MessageKind.BLUEPRINT_ACTIVATION_COMMAND:
        read = _read(payload)
        return BlueprintActivation(_store_id(_view(read, 1)), bool(_number(read, 2)), bool(_number(read, 3)))
    return Footer(payload)


def _arrow_msg(read: _Fields) -> ArrowMsg:
    if _number(read, 4) != _ARROW_IPC:
        raise RrdError(f"a chunk has unknown encoding {_number(read, 4)}")
    return ArrowMsg(
        store=_store_id(_view(read, 1)),
        compression=_number(read, 2),
        uncompressed_size=_number(read, 3),
        payload=_view(read, 5),
        chunk_id=_tuid(_view(read, 6)) if 6 in read else None,
        is_static=bool(_number(read, 7)) if 7 in read else None,
    )


def _store_info(read: _Fields) -> StoreInfo:
    for number, what in ((1, "row id"), (2, "info")):
        if number not in read:
            raise RrdError(f"the announcement of a store has no {what}")
    info = _read(_view(read, 2))
    if 5 not in info:
        raise RrdError("the announcement of a store does not say what wrote it")
    store = _store_id(_view(info, 2))
    if not store.application_id:
        store = store._replace(application_id=_application_id(_view(info, 1)))
    source = _read(_view(info, 5))
    extra = bytes(_view(_read(_view(source, 2)), 1))
    version = None
    if 6 in info:
        bits = _number(_read(_view(info, 6)), 1)
        version = (bits & 0xFF, bits >> 8 & 0xFF, bits >> 16 & 0xFF)
    return StoreInfo(store, _tuid(_view(read, 1)), SourceKind(_number(source, 1), extra), version)


def _store_id(data: memoryview) -> StoreId:
    read = _read(data)
    kind = StoreKind.BLUEPRINT if _number(read, 1) == StoreKind.BLUEPRINT else StoreKind.RECORDING
    return StoreId(kind, _application_id(_view(read, 3)), _text(_view(read, 2)))


def _application_id(data: memoryview) -> str:
    return normal_application_id(_text(_view(_read(data), 1)))


def _tuid(data: memoryview) -> Tuid:
    read = _read(data)
    return Tuid(_number(read, 1, FIXED64), _number(read, 2, FIXED64))


def _text(data: memoryview) -> str:
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError as error:
        raise RrdError("a name is not UTF-8") from error


def _read(data: memoryview) -> _Fields:
    """All fields by number; the last one counts where there are several."""
    return {number: (wire_type, value) for number, wire_type, value in fields(data)}


def _number(read: _Fields, number: int, expected: int = VARINT) -> int:
    wire_type, value = read.get(number, (expected, 0))
    if wire_type != expected or not isinstance(value, int):
        raise RrdError(f"a protobuf field {number} is of the wrong wire type {wire_type}")
    return value


def _view(read: _Fields, number: int) -> memoryview:
    wire_type, value = read.get(number, (BYTES, memoryview(b"")))
    if wire_type != BYTES or not isinstance(value, memoryview):
        raise RrdError(f"a protobuf field {number} is of the wrong wire type {wire_type}")
    return value
