"""The four calls over HTTP/2."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from grpclib.client import StreamUnaryMethod
from grpclib.const import Status
from grpclib.exceptions import GRPCError, StreamTerminatedError

import aiorerun as rr
from aiorerun.net.frames import MessageWriter
from aiorerun.net.logmsg import PREFIX, frame_body
from aiorerun.net.methods import READ_MESSAGES, READ_TABLES, WRITE_MESSAGES, WRITE_TABLE
from aiorerun.net.reading import MessageReader
from tests.unit.net.serving import LOOPS, run_on
from tests.unit.server.peers import (
    Client,
    activation,
    arrow_msg,
    greedy_request,
    random_bytes,
    serving,
    store_info,
    table,
    take,
    until,
    write_request,
)

if TYPE_CHECKING:
    from tests.conftest import Sized


async def test_what_one_writes_others_read() -> None:
    bodies = [store_info(), arrow_msg(b"static", static=True), arrow_msg(b"1"), arrow_msg(b"2"), activation()]
    async with serving() as (_, port), Client(port) as writer, Client(port) as reader:
        async with reader.reading() as live:
            assert await writer.write(bodies) == b""
            assert await take(live, 5) == bodies
        # Persistent, then static, then the rest.
        assert await reader.read(5) == [bodies[0], bodies[4], bodies[1], bodies[2], bodies[3]]


async def test_newest_first() -> None:
    bodies = [store_info(), *(arrow_msg(b"%d" % number) for number in range(4))]
    async with serving(newest_first=True) as (_, port), Client(port) as client:
        await client.write(bodies)
        assert await client.read(5) == [bodies[0], *bodies[:0:-1]]


async def test_a_request_without_messages_is_answered() -> None:
    async with serving() as (_, port), Client(port) as client:
        assert await client.write([]) == b""


async def test_headers_come_before_the_first_message() -> None:
    # Entering waits for them.
    async with serving() as (_, port), Client(port) as client, client.reading(), client.reading(READ_TABLES):
        pass


async def test_tables() -> None:
    async with serving() as (_, port), Client(port) as client:
        assert await client.write_table(table("a")) == b""
        async with client.reading(READ_TABLES) as live, client.reading() as messages:
            await client.write_table(table("b"))
            await client.write([store_info()])
            assert await take(live, 2) == [table("a"), table("b")]
            assert await take(messages, 1) == [store_info()]


def _framed(*bodies: bytes) -> bytes:
    return b"".join(PREFIX.pack(0, len(body)) + body for body in bodies)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (_framed(b""), Status.INVALID_ARGUMENT),
        (_framed(b"\x0a\x00"), Status.INVALID_ARGUMENT),
        (_framed(b"\xff\xff"), Status.INTERNAL),
        (b"\x02\x00\x00\x00\x00", Status.INTERNAL),
        (_framed(b"\x0a\x02\x1a\x00")[:-2], Status.INTERNAL),
        (PREFIX.pack(0, 1001) + b"x", Status.RESOURCE_EXHAUSTED),
    ],
)
async def test_check_16_what_is_wrong_has_its_status(data: bytes, status: Status) -> None:
    async with serving(max_message_bytes=1000) as (_, port), Client(port) as client:
        with pytest.raises(GRPCError) as caught:
            await client.write_raw(_framed(store_info()) + data)
        assert caught.value.status is status
        assert caught.value.message
        # What came before is kept, and the connection is fine.
        assert await client.read(1) == [store_info()]


async def test_check_16_unknown_methods() -> None:
    async with serving() as (_, port), Client(port) as client:
        for path in ("/rerun.sdk_comms.v1alpha1.MessageProxyService/Nothing", "/a.B/C"):
            with pytest.raises(GRPCError) as caught:
                await client.write_raw(_framed(b""), path)
            assert caught.value.status is Status.UNIMPLEMENTED


async def test_check_16_a_table_without_id() -> None:
    async with serving() as (_, port), Client(port) as client:
        with pytest.raises(GRPCError) as caught:
            await client.write_table(table("x")[5:])
        assert caught.value.status is Status.INVALID_ARGUMENT
        with pytest.raises(GRPCError) as caught:
            await client.write_raw(b"", WRITE_TABLE)
        assert caught.value.status is Status.INTERNAL


async def test_tokens() -> None:
    async with serving(token="s3cret") as (_, port):
        for token in (None, "wrong"):
            async with Client(port, token=token) as client:
                for call in (client.write([store_info()]), client.read(1), client.read_tables(1)):
                    with pytest.raises(GRPCError) as caught:
                        await call
                    assert caught.value.status is Status.UNAUTHENTICATED
                    assert "s3cret" not in str(caught.value)
        async with Client(port, token="s3cret") as client:
            await client.write([store_info(7)])
            assert await client.read(1) == [store_info(7)]


async def test_check_21_a_huge_message_goes_both_ways(sized: Sized) -> None:
    body = arrow_msg(random_bytes(1 << 20) * sized(64, 512))
    async with serving() as (server, port), Client(port) as client:
        async with StreamUnaryMethod(client.channel, WRITE_MESSAGES, bytes, bytes).open() as stream:
            await MessageWriter(stream).write([frame_body(body)])
            await stream.end()
            async with asyncio.timeout(60):
                await stream.recv_message()
        async with client.reading() as stream, asyncio.timeout(60):
            (got,) = await MessageReader(stream).read()
            assert got == body
        assert len(server.hub.history) == 1


async def test_large_messages() -> None:
    body = arrow_msg(random_bytes(20 << 20))
    async with serving() as (_, port), Client(port) as client:
        await client.write([store_info(), body])
        assert await client.read(2) == [store_info(), body]


@pytest.mark.parametrize("direct", ["0", "1"])
async def test_many_small_messages_in_and_out(
    direct: str, monkeypatch: pytest.MonkeyPatch, sized: Sized
) -> None:
    monkeypatch.setenv("AIORERUN_DIRECT_FRAMES", direct)
    bodies = [store_info(number) for number in range(sized(20_000, 100_000))]
    async with serving() as (_, port), Client(port) as writer, Client(port) as reader:
        async with reader.reading() as live:
            await writer.write(bodies)
            assert await take(live, len(bodies)) == bodies
        assert await reader.read(len(bodies)) == bodies


async def test_what_came_before_a_lost_connection_is_kept() -> None:
    bodies = [arrow_msg(b"%d" % number) for number in range(300)]
    async with serving() as (server, port):
        client = Client(port)
        async with client:
            with suppress(StreamTerminatedError):
                async with StreamUnaryMethod(client.channel, WRITE_MESSAGES, bytes, bytes).open() as stream:
                    await stream.send_request()
                    await stream._stream.send_data(_framed(*bodies[:1]))
                    await until(lambda: len(server.hub.history) == 1)
                    await stream._stream.send_data(_framed(*bodies[1:]) + b"\0\0")
                    stream._stream._transport.close()
        await until(lambda: len(server.hub.history) == len(bodies))


async def test_closing_tells_writers_and_readers() -> None:
    async with (
        serving() as (server, port),
        Client(port) as client,
        Client(port) as other,
        other.reading() as live,
    ):
        method = StreamUnaryMethod(client.channel, WRITE_MESSAGES, bytes, bytes)
        async with method.open() as stream:
            await stream.send_request()
            await stream.send_message(store_info())
            await until(lambda: len(server.hub.history) == 1)
            closing = asyncio.create_task(server.close())
            with pytest.raises((GRPCError, StreamTerminatedError)) as caught:
                async with asyncio.timeout(5):
                    await stream.recv_message()
            if isinstance(caught.value, GRPCError):
                assert caught.value.status is Status.UNAVAILABLE
            stream._cancel_done = True
        # The reader is sent what is waiting, and then the end.
        assert await take(live, 1) == [store_info()]
        async with asyncio.timeout(5):
            assert await live.recv_message() is None
            await live.recv_trailing_metadata()
        await closing


async def test_nothing_is_logged_when_clients_come_and_go(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "aiorerun")
    caplog.set_level(logging.WARNING, "grpclib")
    caplog.set_level(logging.WARNING, "asyncio")
    async with serving() as (server, port):
        for _ in range(5):
            async with Client(port) as client:
                await client.write([store_info()])
                async with client.reading():
                    pass
                async with client.reading(READ_MESSAGES) as live:
                    live._stream._transport.abort()
        await until(lambda: server.hub.num_readers == 0 and server.num_connections == 0)
    assert [
        record for record in caplog.records if record.name != "asyncio" or "took" not in record.message
    ] == []


async def test_this_package_s_own_client() -> None:
    async with serving() as (server, _):
        async with rr.AsyncRecordingStream("app", recording_id="mine") as rec:
            await rec.set_sinks(rr.GrpcSink(server.uri))
            for number in range(100):
                rec.set_time("frame", sequence=number)
                await rec.log("logs", rr.TextLog(f"{number}"))
            await rec.flush(acknowledged=True)
            assert len(server.hub.history) >= 2
        assert rec.stats().rows_dropped == 0
        await until(lambda: server.num_connections == 0)


def _data_frames(data: bytes) -> list[int]:
    """The lengths of the DATA frames in what a server has sent."""
    lengths: list[int] = []
    while len(data) >= 9:
        length = int.from_bytes(data[:3], "big")
        if data[3] == 0:
            lengths.append(length)
        data = data[9 + length :]
    return lengths


@pytest.mark.parametrize("direct", ["0", "1"])
async def test_check_10_no_short_frames_but_the_last(direct: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIORERUN_DIRECT_FRAMES", direct)
    # Many small ones, and large ones whose last frame would be short.
    bodies = [store_info(number) for number in range(5000)]
    bodies += [arrow_msg(bytes(16384 * 2 + extra)) for extra in range(0, 200, 10)]
    total = sum(len(body) + PREFIX.size for body in bodies)
    async with serving() as (_, port), Client(port) as client:
        await client.write(bodies)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(greedy_request())
        data = b""
        async with asyncio.timeout(20):
            while sum(_data_frames(data)) < total:
                data += await reader.read(1 << 20)
        writer.transport.abort()
    lengths = _data_frames(data)
    # Static ones, small ones and the rest are taken in a few bursts, each of which may end with a short one.
    assert len([length for length in lengths if length < 256]) <= 10
    assert len(lengths) < 150


@pytest.mark.parametrize("is_complete", [False, True])
@pytest.mark.parametrize("loop", LOOPS)
def test_what_came_together_with_the_end_of_its_connection_is_kept(loop: str, is_complete: bool) -> None:
    """All of it is there before the task of the call has had its first turn."""
    bodies = [store_info(number) for number in range(150)]

    async def main() -> None:
        async with serving() as (server, port):
            # On purpose without giving the server a turn.
            with socket.create_connection(("127.0.0.1", port), 10) as client:
                client.sendall(write_request(bodies, is_complete=is_complete))
            await until(lambda: len(server.hub.history) == len(bodies))
            await until(lambda: server.num_connections == 0)

    run_on(loop, main())


@pytest.mark.parametrize("loop", LOOPS)
def test_a_request_in_one_piece_has_its_answer(loop: str) -> None:
    bodies = [store_info(number) for number in range(150)]

    async def main() -> None:
        async with serving() as (server, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(write_request(bodies, is_complete=True))
            answer = b""
            async with asyncio.timeout(20):
                # The frame of the trailers ends the stream: a frame of headers with both flags.
                while b"\x01\x05\x00\x00\x00\x01" not in answer:
                    data = await reader.read(65536)
                    assert data, "the connection was closed without an answer"
                    answer += data
            assert len(server.hub.history) == len(bodies)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    run_on(loop, main())


async def test_a_client_that_is_gone_is_not_told_that_the_server_closes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as (server, port):
        publishing = 0

        async def publish(_entries: object) -> None:
            nonlocal publishing
            publishing += 1
            await asyncio.Event().wait()

        monkeypatch.setattr(server.hub, "publish", publish)
        with socket.create_connection(("127.0.0.1", port), 10) as client:
            client.sendall(write_request([store_info()], is_complete=False))
            await until(lambda: publishing == 1)
        # Its call still wants to keep what has come.
        await until(lambda: publishing == 2)
        await server.close()
    assert [record.getMessage() for record in caplog.records if record.name.startswith("grpclib")] == []
