"""Sending: both ways, over both loops, to peers that behave and peers that do not."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from aiorerun.net import frames
from aiorerun.net.frames import MessageWriter, can_write_directly
from aiorerun.net.reading import MessageReader
from aiorerun.net.streams import StreamBrokenError
from tests.unit.net.serving import (
    LOOPS,
    SECS,
    Proxy,
    Tap,
    connected,
    framed,
    raw_server,
    reading,
    run_on,
    serving,
    until,
    writing,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from aiorerun.net.channel import WireChannel

WAYS = [True, False]
SIZES = [0, 1, 74, 250, 16_384 - 5, 16_384, 100_000, 3, 1_000_000, 80]
BODIES = [os.urandom(size) for size in SIZES] * 3


class Collector:
    """A handler of ``WriteMessages`` that keeps what comes in."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.error: BaseException | None = None
        self.is_done = asyncio.Event()

    async def __call__(self, stream: Any) -> None:
        try:
            reader = MessageReader(stream)
            async for body in reader:
                self.bodies.append(bytes(body))
            await stream.send_message(b"")
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.is_done.set()


def on_loops(test: Callable[[bool], Coroutine[Any, Any, None]]) -> Any:
    """Runs a test for both ways on both loops."""

    @pytest.mark.parametrize("loop", LOOPS)
    @pytest.mark.parametrize("direct", WAYS, ids=["direct", "by h2"])
    def run(loop: str, direct: bool) -> None:
        async def main() -> None:
            async with asyncio.timeout(SECS):
                await test(direct)

        run_on(loop, main())

    run.__doc__ = test.__doc__
    return run


@on_loops
async def test_everything_arrives(direct: bool) -> None:
    collector = Collector()
    async with serving(Proxy(write=collector)) as endpoint, connected(endpoint) as channel:
        async with writing(channel) as stream:
            writer = MessageWriter(stream, direct=direct)
            for start in range(0, len(BODIES), 7):
                await writer.write([framed(body) for body in BODIES[start : start + 7]])
            await stream.end()
            assert await stream.recv_message() == b""
        assert collector.bodies == BODIES
        assert writer.bytes_written == sum(len(body) + 5 for body in BODIES)
        assert writer.is_direct is direct


@on_loops
async def test_servers_send_too(direct: bool) -> None:
    async def read(stream: Any) -> None:
        assert await stream.recv_message() == b"go"
        writer = MessageWriter(stream, direct=direct)
        await writer.write([framed(body) for body in BODIES])
        await writer.write([])

    async with (
        serving(Proxy(read=read)) as endpoint,
        connected(endpoint) as channel,
        reading(channel) as stream,
    ):
        await stream.send_message(b"go", end=True)
        assert [bytes(body) async for body in MessageReader(stream)] == BODIES


@on_loops
async def test_windows_are_never_exceeded_and_frames_are_long(direct: bool) -> None:
    """What a tap on the wire sees, with the smallest windows there may be."""
    collector = Collector()
    tap = Tap()
    small = [framed(b"x" * 70) for _ in range(5000)]
    async with (
        serving(Proxy(write=collector), window=65_535) as server,
        tap.before(server) as endpoint,
        connected(endpoint) as channel,
        writing(channel) as stream,
    ):
        writer = MessageWriter(stream, direct=direct)
        for start in range(0, len(small), 1000):
            await writer.write(small[start : start + 1000])
        await writer.write([framed(b"y" * 700_001)])
        await stream.end()
        await stream.recv_message()
    assert len(collector.bodies) == 5001
    assert tap.problems == []
    assert len(tap.up.data) == writer.bytes_written
    # Six bursts, each of which may end with a short frame.
    assert sum(size < 256 for size in tap.up.sizes()) <= 6
    assert len(tap.up.sizes()) < 2 * len(tap.up.data) / 16_384 + 30


@pytest.mark.parametrize("loop", LOOPS)
def test_windows_are_used_without_waking_the_task(loop: str) -> None:
    collector = Collector()
    waits = 0

    class Counting(MessageWriter):
        async def _wait_for_room(self, *args: Any, **options: Any) -> None:
            nonlocal waits
            waits += 1
            await super()._wait_for_room(*args, **options)

    async def main() -> None:
        async with (
            serving(Proxy(write=collector), window=100_000) as endpoint,
            connected(endpoint) as channel,
            writing(channel) as stream,
        ):
            await Counting(stream, direct=True).write([framed(b"x" * 10_000_000)])
            await stream.end()
            await stream.recv_message()

    run_on(loop, main())
    assert [len(body) for body in collector.bodies] == [10_000_000]
    # The peer opens its windows at least a hundred times.
    assert 0 < waits < 50


@on_loops
async def test_two_streams_share_the_windows_of_a_connection(direct: bool) -> None:
    collectors = [Collector(), Collector()]
    waiting = iter(collectors)

    async def write(stream: Any) -> None:
        await next(waiting)(stream)

    tap = Tap()
    async with (
        serving(Proxy(write=write), window=65_535) as server,
        tap.before(server) as endpoint,
        connected(endpoint) as channel,
    ):

        async def send(fill: bytes) -> None:
            async with writing(channel) as stream:
                writer = MessageWriter(stream, direct=direct)
                for _ in range(20):
                    await writer.write([framed(fill * 30_000), framed(fill)])
                await stream.end()
                await stream.recv_message()

        await asyncio.gather(send(b"a"), send(b"b"))
    assert tap.problems == []
    found = sorted(collector.bodies[0][:1] for collector in collectors)
    assert found == [b"a", b"b"]
    for collector in collectors:
        fill = collector.bodies[0][:1]
        assert collector.bodies == [fill * 30_000, fill] * 20


@on_loops
async def test_a_server_that_does_not_read_stops_the_writer(direct: bool) -> None:
    reads = asyncio.Event()
    count = 0

    async def write(stream: Any) -> None:
        nonlocal count
        await reads.wait()
        async for _ in MessageReader(stream):
            count += 1
        await stream.send_message(b"")

    async with (
        serving(Proxy(write=write), window=100_000) as endpoint,
        connected(endpoint) as channel,
        writing(channel) as stream,
    ):
        writer = MessageWriter(stream, direct=direct)
        task = asyncio.create_task(writer.write([framed(b"x" * 10_000)] * 100))
        await stalled(writer)
        assert writer.bytes_written <= 100_000
        assert not task.done()
        reads.set()
        await task
        await stream.end()
        await stream.recv_message()
    assert count == 100


async def stalled(writer: MessageWriter) -> None:
    """Waits until a writer has sent something and gets no further."""
    before = -1
    while writer.bytes_written != before or before <= 0:
        before = writer.bytes_written
        await asyncio.sleep(0.15)


@on_loops
async def test_cancelling_resets_the_stream(direct: bool) -> None:
    collector = Collector()
    tap = Tap()
    stops = asyncio.Event()

    async def write(stream: Any) -> None:
        if stops.is_set():
            await collector(stream)
            return
        stops.set()
        await asyncio.Event().wait()

    async with (
        serving(Proxy(write=write), window=70_000) as server,
        tap.before(server) as endpoint,
        connected(endpoint) as channel,
    ):
        stream = writing(channel)
        async with stream:
            writer = MessageWriter(stream, direct=direct)
            task = asyncio.create_task(writer.write([framed(b"x" * 200_000)]))
            await stalled(writer)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(StreamBrokenError):
                await writer.write([framed(b"more")])
            stream._cancel_done = True
        await until(lambda: any(kind == 3 for kind, *_ in tap.up.frames))
        # The connection is as good as new.
        async with writing(channel) as stream:
            await MessageWriter(stream, direct=direct).write([framed(b"again")])
            await stream.end()
            await stream.recv_message()
    assert collector.bodies == [b"again"]


@on_loops
async def test_cancelling_before_anything_was_sent_leaves_the_stream(direct: bool) -> None:
    collector = Collector()
    async with (
        serving(Proxy(write=collector)) as endpoint,
        connected(endpoint) as channel,
        writing(channel) as stream,
    ):
        await stream.send_request()
        writer = MessageWriter(stream, direct=direct)
        connection = stream._stream.connection
        connection.write_ready.clear()
        task = asyncio.create_task(writer.write([framed(b"never")]))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        connection.write_ready.set()
        await writer.write([framed(b"sent")])
        await stream.end()
        await stream.recv_message()
    assert collector.bodies == [b"sent"]


@on_loops
async def test_a_server_that_answers_early(direct: bool) -> None:
    """The writer notices, even while it waits for a window."""

    async def write(stream: Any) -> None:
        await asyncio.sleep(0.2)
        raise GRPCError(Status.INVALID_ARGUMENT, "not like this")

    async def call(channel: WireChannel) -> None:
        async with writing(channel) as stream:
            writer = MessageWriter(stream, direct=direct)
            with pytest.raises(StreamBrokenError) as caught:
                await writer.write([framed(b"x" * 1_000_000)])
            assert caught.value.status == Status.INVALID_ARGUMENT.value
            assert caught.value.message == "not like this"
            assert isinstance(caught.value, ConnectionError)
            with pytest.raises(StreamBrokenError):
                await writer.write([framed(b"x")])
            await stream.recv_message()

    async with serving(Proxy(write=write), window=70_000) as endpoint, connected(endpoint) as channel:
        # The usual way to the answer leads to the same.
        with pytest.raises(GRPCError) as answer:
            await call(channel)
        assert answer.value.status is Status.INVALID_ARGUMENT


@on_loops
async def test_a_connection_that_breaks(direct: bool) -> None:
    """A writer that waits, for whatever reason, is told."""
    connections: list[Any] = []

    async def write(stream: Any) -> None:
        connections.append(stream._stream._transport)
        await asyncio.Event().wait()

    async with serving(Proxy(write=write), window=70_000) as endpoint, connected(endpoint) as channel:
        stream = writing(channel)
        async with stream:
            writer = MessageWriter(stream, direct=direct)
            task = asyncio.create_task(writer.write([framed(b"x" * 1_000_000)]))
            await stalled(writer)
            connections[0].abort()
            with pytest.raises(StreamBrokenError):
                await task
            assert task.cancelling() == 0
            with pytest.raises(StreamBrokenError):
                await writer.write([framed(b"x")])
        assert not channel.is_connected


@on_loops
async def test_a_connection_that_breaks_while_the_transport_is_full(direct: bool) -> None:
    async def swallow(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # SETTINGS with a huge window, and a connection window to match; nothing is ever read after that.
        writer.write(bytes.fromhex("000006040000000000") + bytes.fromhex("00047fffffff"))
        writer.write(bytes.fromhex("000004080000000000") + (0x7FFF_0000).to_bytes(4, "big"))
        peers.append(writer)
        _reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    peers: list[asyncio.StreamWriter] = []
    async with raw_server(swallow) as endpoint, connected(endpoint) as channel:
        stream = writing(channel)
        async with stream:
            writer = MessageWriter(stream, direct=direct)
            task = asyncio.create_task(writer.write([framed(bytes(1 << 20))] * 64))
            await stalled(writer)
            assert writer.bytes_written < 32 << 20
            # What waits in the transport is bounded.
            assert stream._stream._transport.get_write_buffer_size() < 1 << 20
            peers[0].transport.abort()
            with pytest.raises(StreamBrokenError):
                await task


@on_loops
async def test_a_goaway(direct: bool) -> None:
    connections: list[Any] = []

    async def write(stream: Any) -> None:
        connections.append(stream._stream)
        await asyncio.Event().wait()

    async with serving(Proxy(write=write), window=70_000) as endpoint, connected(endpoint) as channel:
        stream = writing(channel)
        async with stream:
            writer = MessageWriter(stream, direct=direct)
            task = asyncio.create_task(writer.write([framed(b"x" * 1_000_000)]))
            await stalled(writer)
            connections[0]._h2_connection.close_connection(11)
            connections[0].connection.flush()
            with pytest.raises(StreamBrokenError, match="GOAWAY"):
                await task


@pytest.mark.parametrize("loop", LOOPS)
def test_other_tasks_have_their_turn(loop: str) -> None:
    """Even when the peer takes everything at once."""

    async def main() -> None:
        collector = Collector()
        async with (
            serving(Proxy(write=collector), window=64 << 20) as endpoint,
            connected(endpoint) as channel,
            writing(channel) as stream,
        ):
            turns = 0

            async def count() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            counting = asyncio.create_task(count())
            writer = MessageWriter(stream)
            await writer.write([framed(b"x" * (20 << 20))])
            counting.cancel()
            # Two megabytes, one written by the task and one when a window is opened, take less than 1 ms.
            assert turns >= 10
            await stream.end()
            await stream.recv_message()

    run_on(loop, main())


async def test_short_windows_do_not_stop_it_for_ever() -> None:
    """A peer whose windows have room for a few bytes only."""
    got = bytearray()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Windows of streams have 100 bytes.
        writer.write(bytes.fromhex("000006040000000000") + bytes.fromhex("000400000064"))
        await reader.readexactly(24)
        while True:
            head = await reader.readexactly(9)
            payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
            if head[3] == 0 and payload:
                got.extend(payload)
                writer.write(bytes.fromhex("00000408") + b"\0" + head[5:9] + len(payload).to_bytes(4, "big"))

    async with raw_server(answer) as endpoint, connected(endpoint) as channel, asyncio.timeout(SECS):
        stream = writing(channel)
        async with stream:
            writer = MessageWriter(stream)
            await writer.write([framed(b"x" * 395)])
            await until(lambda: len(got) == 400)
            await stream.cancel()


async def test_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = Collector()
    async with serving(Proxy(write=collector)) as endpoint, connected(endpoint) as channel:
        for value, expected in (("0", False), ("1", True)):
            monkeypatch.setenv(frames.SWITCH, value)
            async with writing(channel) as stream:
                await stream.send_request()
                assert can_write_directly(stream) is expected
                writer = MessageWriter(stream)
                await writer.write([framed(b"a")])
                assert writer.is_direct is expected
                await stream.end()
                await stream.recv_message()


async def test_the_libraries_are_as_the_direct_way_needs_them() -> None:
    """Fails when grpclib or h2 change in a way that has to be looked at."""
    collector = Collector()
    async with (
        serving(Proxy(write=collector)) as endpoint,
        connected(endpoint) as channel,
        writing(channel) as stream,
    ):
        assert not can_write_directly(stream)
        await stream.send_request()
        assert can_write_directly(stream)
        state = stream._stream._h2_connection.streams[stream._stream.id]
        kept = state.outbound_flow_control_window
        state.outbound_flow_control_window = "changed"
        assert not can_write_directly(stream)
        state.outbound_flow_control_window = kept
        await stream.end()
        await stream.recv_message()
