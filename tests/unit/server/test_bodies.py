"""From messages to entries."""

from __future__ import annotations

import pytest

import aiorerun as rr
from aiorerun.codec.framing import MessageKind
from aiorerun.net.logmsg import PREFIX, MalformedMessage
from aiorerun.server.bodies import arrow_msg_of, entry_of_body, entry_of_message, entry_of_table
from aiorerun.server.entries import OVERHEAD, Queue
from aiorerun.sinks.memory import MemorySink
from tests.unit.server.peers import activation, arrow_msg, request, store_info, table


@pytest.mark.parametrize(
    ("body", "queue"),
    [
        (store_info(), Queue.PERSISTENT),
        (activation(), Queue.PERSISTENT),
        (arrow_msg(b"x", blueprint=True), Queue.PERSISTENT),
        (arrow_msg(b"x", blueprint=True, static=True), Queue.PERSISTENT),
        (arrow_msg(b"x", static=True), Queue.STATIC),
        (arrow_msg(b"x"), Queue.DISPOSABLE),
        (request(2, b""), Queue.DISPOSABLE),
    ],
)
def test_queues(body: bytes, queue: Queue) -> None:
    made = entry_of_body(body)
    assert made.queue is queue
    assert b"".join(map(bytes, made.framed.segments)) == PREFIX.pack(0, len(body)) + body
    assert made.size == made.framed.nbytes + OVERHEAD


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "INVALID_ARGUMENT"),
        (request(4, b""), "INVALID_ARGUMENT"),
        (b"\x0a\x00", "INVALID_ARGUMENT"),
        (b"\xff", "INTERNAL"),
        (b"\x0a\x05abc", "INTERNAL"),
    ],
)
def test_what_is_no_message(body: bytes, code: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        entry_of_body(body)
    assert caught.value.code == code


def test_tables() -> None:
    body = table("name")
    assert entry_of_table(body).queue is Queue.TABLE
    for wrong, code in ((b"", "INVALID_ARGUMENT"), (body[:8], "INVALID_ARGUMENT"), (b"\xff", "INTERNAL")):
        with pytest.raises(MalformedMessage) as caught:
            entry_of_table(wrong)
        assert caught.value.code == code


async def test_messages_of_this_process_are_told_apart_without_decoding() -> None:
    memory = MemorySink()
    async with rr.AsyncRecordingStream("app") as rec:
        await rec.set_sinks(memory)
        rec.set_time("frame", sequence=1)
        await rec.log("a", rr.TextLog("temporal"))
        await rec.log("b", rr.TextLog("static"), static=True)
        await rec.flush()
        messages = memory.take_messages()
    entries = [entry_of_message(message) for message in messages]
    for message, made in zip(messages, entries, strict=True):
        # Sorted as the same message from the network would be.
        body = b"".join(map(bytes, made.framed.segments))[PREFIX.size :]
        assert entry_of_body(body).queue is made.queue
        # And not copied.
        assert all(segment in made.framed.segments for segment in message.segments)
        if message.kind is MessageKind.ARROW_MSG:
            assert arrow_msg_of(made.framed) == b"".join(map(bytes, message.segments))
    assert {made.queue for made in entries} == {Queue.PERSISTENT, Queue.STATIC, Queue.DISPOSABLE}
