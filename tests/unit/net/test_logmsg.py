"""Framing of messages, and looking at them without decoding."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from aiorerun.codec.framing import MessageKind
from aiorerun.codec.messages import Message, blueprint_activation_message, chunk_message, store_info_message
from aiorerun.net import logmsg
from aiorerun.net.logmsg import (
    MAX_BODY,
    PREFIX,
    Framed,
    MalformedMessage,
    MessageTooLargeError,
    frame,
    frame_body,
    frame_bytes,
    parse_log_msg,
    unframe,
)
from aiorerun.proto.rerun.log_msg.v1alpha1 import ArrowMsg, LogMsg, SetStoreInfo
from aiorerun.proto.rerun.sdk_comms.v1alpha1 import ReadMessagesResponse, WriteMessagesRequest
from aiorerun.types.store import StoreKind
from aiorerun.types.tuid import Tuid
from tests.unit.codec.building import BLUEPRINT, STORE, chunk, component, scalar_chunk

if TYPE_CHECKING:
    from collections.abc import Sequence

ROW_ID = Tuid(1, 2)


def static_chunk(size: int = 10) -> Message:
    return chunk_message(STORE, chunk("/a", 1, [], [component("x", [[b"\0" * size]], pa.binary())]))


def body_of(framed: Framed) -> bytes:
    data = b"".join(framed.segments)
    assert len(data) == framed.nbytes
    flag, length = PREFIX.unpack_from(data)
    assert (flag, length) == (0, len(data) - PREFIX.size)
    return data[PREFIX.size :]


MESSAGES = [
    store_info_message(STORE, ROW_ID, (3, 11, 0)),
    store_info_message(BLUEPRINT, ROW_ID, (3, 11, 0)),
    chunk_message(STORE, scalar_chunk(frames=range(1))),
    chunk_message(STORE, scalar_chunk(frames=range(200_000))),
    chunk_message(BLUEPRINT, scalar_chunk(frames=range(3))),
    static_chunk(),
    blueprint_activation_message(BLUEPRINT, make_active=True, make_default=False),
]


@pytest.mark.parametrize("message", MESSAGES, ids=str)
def test_frames_are_the_network_messages(message: Message) -> None:
    body = body_of(frame(message))
    request = WriteMessagesRequest.parse(body)
    assert bytes(request) == body == bytes(ReadMessagesResponse.parse(body))
    assert request.log_msg is not None
    inner = [request.log_msg.set_store_info, request.log_msg.arrow_msg]
    inner.append(request.log_msg.blueprint_activation_command)  # type: ignore[arg-type]
    (found,) = [part for part in inner if part is not None]
    assert bytes(found) == b"".join(message.segments)


@pytest.mark.parametrize("message", MESSAGES, ids=str)
def test_nothing_is_copied(message: Message) -> None:
    head, *segments = frame(message).segments
    assert len(head) <= 5 + 2 * 6
    assert len(segments) == len(message.segments)
    assert all(mine is theirs for mine, theirs in zip(segments, message.segments, strict=True))


def test_payloads_of_records() -> None:
    message = MESSAGES[3]
    payload = b"".join(message.segments)
    framed = frame_bytes(message.kind, payload)
    assert framed.segments[1] is payload
    assert body_of(framed) == body_of(frame(message))
    assert body_of(frame_bytes(MessageKind.SET_STORE_INFO, b"")) == bytes(
        WriteMessagesRequest(log_msg=LogMsg(set_store_info=SetStoreInfo()))
    )


def test_framing_is_undone_without_a_copy() -> None:
    for message in (static_chunk(), static_chunk(1 << 20), store_info_message(STORE, ROW_ID, (3, 11, 7))):
        framed = frame(message)
        kind, payload = unframe(framed)
        assert kind is message.kind
        assert all(one is other for one, other in zip(payload, message.segments, strict=True))
        # And of what came in, and is passed on as it is.
        body = b"".join(map(bytes, framed.segments))[PREFIX.size :]
        kind, payload = unframe(frame_body(body))
        assert (kind, b"".join(map(bytes, payload))) == (message.kind, b"".join(map(bytes, message.segments)))
    assert unframe(frame_bytes(MessageKind.SET_STORE_INFO, b"")) == (MessageKind.SET_STORE_INFO, [])
    with pytest.raises(MalformedMessage):
        unframe(frame_body(b""))


def test_the_footer_of_a_file_is_no_message() -> None:
    with pytest.raises(ValueError, match="footer"):
        frame_bytes(MessageKind.END, b"")


class Huge:
    """Claims a length that no test has memory for."""

    def __len__(self) -> int:
        return MAX_BODY


def test_too_long_messages() -> None:
    with pytest.raises(MessageTooLargeError):
        frame_bytes(MessageKind.ARROW_MSG, Huge())  # type: ignore[arg-type]
    frame_body(Huge())  # type: ignore[arg-type]
    with pytest.raises(MessageTooLargeError):
        frame(Message(MessageKind.ARROW_MSG, (), MAX_BODY - 10, 0, None, STORE))


@pytest.mark.parametrize("message", MESSAGES, ids=str)
def test_parsed(message: Message) -> None:
    body = body_of(frame(message))
    parsed = parse_log_msg(body)
    assert parsed.kind is message.kind
    assert parsed.store == message.store
    assert parsed.store_kind is message.store.kind
    assert bytes(parsed.payload) == b"".join(message.segments)
    assert parsed.body is body
    assert parsed.nbytes == len(body)
    assert body_of(frame_body(body)) == body
    is_chunk = message.kind is MessageKind.ARROW_MSG
    assert parsed.is_persistent == (not is_chunk or message.store.kind is StoreKind.BLUEPRINT)
    assert (parsed.is_static is None) == (not is_chunk)
    assert (parsed.chunk_id is None) == (not is_chunk)


def test_static_or_not() -> None:
    assert parse_log_msg(body_of(frame(static_chunk()))).is_static is True
    assert parse_log_msg(body_of(frame(MESSAGES[2]))).is_static is False


def wrapped(arrow: bytes) -> bytes:
    return bytes(WriteMessagesRequest(log_msg=LogMsg(arrow_msg=ArrowMsg.parse(arrow))))


def test_names_are_not_required() -> None:
    parsed = parse_log_msg(wrapped(b""))
    assert (parsed.store, parsed.store_kind, parsed.is_static, parsed.chunk_id) == (None, None, None, None)
    assert not parsed.is_persistent
    assert parse_log_msg(b"\x0a\x02\x0a\x00").store is None
    assert parse_log_msg(b"\x0a\x02\x1a\x00").store is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "INVALID_ARGUMENT"),
        # An unknown field beside nothing.
        (b"\x10\x01", "INVALID_ARGUMENT"),
        # A LogMsg with no, and with an unknown message.
        (b"\x0a\x00", "INVALID_ARGUMENT"),
        (b"\x0a\x02\x22\x00", "INVALID_ARGUMENT"),
        (b"\xff\xff\xff", "INTERNAL"),
        # Fields that are longer than what is there, or of another type.
        (b"\x0a\x05\x12\x00", "INTERNAL"),
        (b"\x08\x05", "INTERNAL"),
        (b"\x0a\x02\x10\x00", "INTERNAL"),
        (b"\x0a\x04\x12\x02\x28\x01", "INTERNAL"),
        (b"\x0a\x05\x12\x03\x3a\x01\x00", "INTERNAL"),
        (b"\x0a\x06\x12\x04\x0a\x02\x12\xff", "INTERNAL"),
        # A recording id that is not UTF-8.
        (b"\x0a\x07\x12\x05\x0a\x03\x12\x01\xff", "INTERNAL"),
        (b"\x0a\x05\x0a\x03\x12\x01\xff", "INTERNAL"),
        (b"\x10\x01" * 5000, "INTERNAL"),
    ],
)
def test_what_is_no_message(body: bytes, code: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse_log_msg(body)
    assert caught.value.code == code


def fastest(bodies: Sequence[bytes]) -> list[float]:
    """Seconds that parsing takes at best, with turns taken so that noise hits all alike."""
    best = [1.0] * len(bodies)
    for _ in range(200):
        for position, body in enumerate(bodies):
            started = time.perf_counter()
            parse_log_msg(body)
            best[position] = min(best[position], time.perf_counter() - started)
    return best


def test_the_cost_does_not_depend_on_the_size() -> None:
    small, large = fastest([wrapped(bytes(ArrowMsg(payload=b"x" * size))) for size in (10, 50_000_000)])
    # Copying the payload would take 100 times as long.
    assert large < 5 * small + 50e-6


def test_constants() -> None:
    assert MAX_BODY == (1 << 31) - 1
    assert logmsg.PREFIX.size == 5
