"""Messages that are passed on: as they are, unless the new file's footer needs more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from aiorerun.codec.decode_messages import ArrowMsg, BlueprintActivation, StoreInfo, decode_message
from aiorerun.codec.decoder import RawMessage
from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import MessageKind
from aiorerun.codec.messages import blueprint_activation_message, chunk_message, store_id_payload
from aiorerun.codec.protobuf import bytes_field, fields, varint_field
from aiorerun.files.passing import Passing
from aiorerun.types.store import StoreId, StoreKind
from tests.unit.codec.building import BLUEPRINT, STORE, announcement, scalar_chunk

if TYPE_CHECKING:
    from aiorerun.codec.messages import Message

OLD = StoreId(StoreKind.RECORDING, "", "demo")


def raw_of(message: Message) -> RawMessage:
    return RawMessage(message.kind, memoryview(b"".join(message.segments)), 100)


def bytes_of(message: Message | None) -> bytes:
    assert message is not None
    data = b"".join(map(bytes, message.segments))
    assert message.nbytes == len(data)
    return data


def changed(raw: RawMessage, **fields_by_name: bytes) -> RawMessage:
    """A message of a chunk with other fields, ``f6=b""`` leaving one out."""
    parts = []
    for number, wire_type, value in fields(raw.payload):
        replacement = fields_by_name.get(f"f{number}")
        if replacement is not None:
            parts.append(replacement)
        elif isinstance(value, memoryview):
            parts.append(bytes_field(number, bytes(value)))
        else:
            parts.append(varint_field(number, value))
            assert wire_type == 0
    return RawMessage(raw.kind, memoryview(b"".join(parts)), raw.offset)


@pytest.mark.parametrize("validate", [True, False])
def test_what_is_in_order_is_passed_on_unchanged(validate: bool) -> None:
    passing = Passing(validate=validate)
    for frames in ((1,), (3, 1, 2), (1, 2, 3)):
        message = chunk_message(STORE, scalar_chunk("/a", frames))
        found = passing.message(raw_of(message))
        assert found is not None
        assert bytes_of(found) == bytes_of(message)
        assert (found.index, found.rows, found.store) == (message.index, len(frames), STORE)
    for other in (
        announcement(),
        blueprint_activation_message(BLUEPRINT, make_active=True, make_default=True),
    ):
        assert bytes_of(passing.message(raw_of(other))) == bytes_of(other)
    assert passing.message(RawMessage(MessageKind.END, memoryview(b""), 0)) is None


@pytest.mark.parametrize(
    "change",
    [{"f6": b""}, {"f6": bytes_field(6, b"")}, {"f7": b"\x38\x01"}, {"f7": b""}, {"f4": b"\x20\x01"}],
)
def test_what_a_chunk_lacks_is_added_around_the_same_payload(change: dict[str, bytes]) -> None:
    message = chunk_message(STORE, scalar_chunk())
    found = Passing().message(changed(raw_of(message), **change))
    assert bytes_of(found) == bytes_of(message)
    assert found is not None
    assert found.index == message.index


def test_names_of_old_files_are_completed() -> None:
    passing = Passing()
    chunk = raw_of(chunk_message(STORE, scalar_chunk()))
    old_chunk = changed(chunk, f1=bytes_field(1, store_id_payload(OLD)))
    old_command = raw_of(blueprint_activation_message(OLD, make_active=True, make_default=False))
    with pytest.raises(RrdError, match="unknown application"):
        passing.message(old_chunk)
    passing.message(raw_of(announcement()))
    assert bytes_of(passing.message(old_chunk)) == bytes(chunk.payload)
    command = passing.message(old_command)
    assert command is not None
    assert command.store == STORE
    passing.message(RawMessage(MessageKind.END, memoryview(b""), 0))
    with pytest.raises(RrdError, match="unknown application"):
        passing.message(old_chunk)


def test_recordings_get_other_names() -> None:
    other = StoreId(StoreKind.RECORDING, "app", "another")
    passing = Passing(rename=lambda store: other)
    info = passing.message(raw_of(announcement()))
    decoded: Any = decode_message(MessageKind.SET_STORE_INFO, memoryview(bytes_of(info)))
    before: Any = decode_message(MessageKind.SET_STORE_INFO, raw_of(announcement()).payload)
    assert isinstance(decoded, StoreInfo)
    assert decoded == before._replace(store=other)
    chunk = passing.message(raw_of(chunk_message(STORE, scalar_chunk())))
    decoded = decode_message(MessageKind.ARROW_MSG, memoryview(bytes_of(chunk)))
    assert isinstance(decoded, ArrowMsg)
    assert decoded.store == other
    command = blueprint_activation_message(BLUEPRINT, make_active=True, make_default=True)
    decoded = decode_message(command.kind, memoryview(bytes_of(passing.message(raw_of(command)))))
    assert decoded == BlueprintActivation(other, make_active=True, make_default=True)


def test_unknown_fields_of_announcements_stay() -> None:
    more = bytes_field(99, b"x") + b"\x99\x06" + bytes(8) + b"\x9d\x06" + bytes(4) + varint_field(98, 7)
    raw = RawMessage(MessageKind.SET_STORE_INFO, memoryview(bytes(raw_of(announcement()).payload) + more), 0)
    found = Passing(rename=lambda store: store._replace(recording_id="b")).message(raw)
    assert more in bytes_of(found)


@pytest.mark.parametrize("validate", [True, False])
def test_damage_is_raised(validate: bool) -> None:
    raw = raw_of(chunk_message(STORE, scalar_chunk()))
    for end in range(len(raw.payload)):
        with pytest.raises(RrdError):
            Passing(validate=validate).message(
                raw._replace(payload=raw.payload[: min(end, len(raw.payload) - 40)])
            )
