"""Reading: both ways, from peers that behave and peers that do not."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from aiorerun.net.assembling import BadMessageError
from aiorerun.net.frames import SWITCH, MessageWriter
from aiorerun.net.inbound import can_count_for_h2
from aiorerun.net.reading import MessageReader, can_read_directly
from aiorerun.net.streams import StreamBrokenError
from tests.unit.net.serving import Proxy, Tap, connected, framed, reading, serving, writing
from tests.unit.net.test_frames import BODIES, on_loops, stalled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.net.channel import WireChannel
    from tests.conftest import Sized


def sends(*bodies: bytes, then: BaseException | None = None) -> Any:
    """A handler of ``ReadMessages`` that sends these."""

    async def read(stream: Any) -> None:
        await stream.recv_message()
        await MessageWriter(stream).write([framed(body) for body in bodies])
        if then is not None:
            raise then

    return read


async def answer_to(channel: WireChannel, *bodies: bytes) -> bytes:
    """What ``WriteMessages`` is answered with, without an end of the stream."""
    async with writing(channel) as stream:
        await MessageWriter(stream).write([framed(body) for body in bodies])
        answer: bytes = await stream.recv_message()
    return answer


async def all_of(reader: MessageReader) -> list[bytes]:
    return [bytes(body) async for body in reader]


@on_loops
async def test_everything_is_read(direct: bool) -> None:
    async with (
        serving(Proxy(read=sends(*BODIES))) as endpoint,
        connected(endpoint) as channel,
        reading(channel) as stream,
    ):
        await stream.send_message(b"", end=True)
        reader = MessageReader(stream, direct=direct)
        assert await all_of(reader) == BODIES
        assert await reader.read() == []
        assert reader.is_direct is direct


@on_loops
async def test_small_windows_and_stock_peers(direct: bool) -> None:
    """Windows open again as messages are read; long messages do not get stuck in them."""
    got: list[bytes] = []

    async def write(stream: Any) -> None:
        got.extend(await all_of(MessageReader(stream, direct=direct)))
        await stream.send_message(b"")

    tap = Tap()
    async with (
        serving(Proxy(write=write), window=65_535) as server,
        tap.before(server) as endpoint,
        connected(endpoint) as channel,
        writing(channel) as stream,
    ):
        for body in BODIES:
            await stream.send_message(body)
        await stream.end()
        await stream.recv_message()
    assert got == BODIES
    assert tap.problems == []


async def test_without_the_packages_own_protocol() -> None:
    got: list[bytes] = []

    async def write(stream: Any) -> None:
        assert not can_read_directly(stream)
        got.extend(await all_of(MessageReader(stream)))
        await stream.send_message(b"")

    async with (
        serving(Proxy(write=write), stock=True) as endpoint,
        connected(endpoint) as channel,
        writing(channel) as stream,
    ):
        await MessageWriter(stream).write([framed(body) for body in BODIES])
        await stream.end()
        await stream.recv_message()
    assert got == BODIES


async def test_the_stock_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """When grpclib's buffer is not what is expected: one message at a time."""
    monkeypatch.setattr("aiorerun.net.reading._has_fresh_buffer", lambda inner: False)
    async with (
        serving(Proxy(read=sends(*BODIES, b"x" * 2_000_000))) as endpoint,
        connected(endpoint) as channel,
        reading(channel) as stream,
    ):
        await stream.send_message(b"", end=True)
        reader = MessageReader(stream, max_body=1_500_000)
        for body in BODIES:
            assert await reader.read() == [body]
        assert reader.take() == []
        with pytest.raises(BadMessageError):
            await reader.read()


async def test_a_reader_that_waits_holds_up_the_writer() -> None:
    wants = asyncio.Event()
    count = 0

    async def write(stream: Any) -> None:
        nonlocal count
        reader = MessageReader(stream)
        count += len(await reader.read())
        await wants.wait()
        async for _ in reader:
            count += 1
        await stream.send_message(b"")

    async with (
        serving(Proxy(write=write), window=200_000) as endpoint,
        connected(endpoint) as channel,
        writing(channel) as stream,
    ):
        writer = MessageWriter(stream)
        task = asyncio.create_task(writer.write([framed(b"x" * 1000)] * 1000))
        await stalled(writer)
        assert writer.bytes_written <= 500_000
        wants.set()
        await task
        await stream.end()
        await stream.recv_message()
    assert count == 1000


@on_loops
async def test_the_longest_message(direct: bool) -> None:
    errors: list[BadMessageError] = []
    got: list[bytes] = []

    async def write(stream: Any) -> None:
        reader = MessageReader(stream, max_body=1000, direct=direct)
        try:
            async for body in reader:
                # A comprehension would lose what came before the error.
                got.append(bytes(body))  # noqa: PERF401
        except BadMessageError as error:
            errors.append(error)
            raise GRPCError(Status[error.code], str(error)) from None

    async with serving(Proxy(write=write)) as endpoint, connected(endpoint) as channel:
        with pytest.raises(GRPCError) as caught:
            await answer_to(channel, b"x" * 1000, b"y" * 1001, b"z")
        assert caught.value.status is Status.RESOURCE_EXHAUSTED
        assert got == [b"x" * 1000]
        assert len(errors) == 1
        # Other calls of the connection go on.
        with pytest.raises(GRPCError):
            await answer_to(channel, b"a", b"y" * 5000)
        assert got[1:] == [b"a"]


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"\1\0\0\0\1a", "UNIMPLEMENTED"), (b"\5\0\0\0\1a", "INTERNAL"), (b"\0\0\0\0\5abc", "INTERNAL")],
)
async def test_what_is_no_message(data: bytes, code: str) -> None:
    errors: list[str] = []

    async def write(stream: Any) -> None:
        try:
            await all_of(MessageReader(stream))
        except BadMessageError as error:
            errors.append(error.code)
            raise GRPCError(Status[error.code], str(error)) from None

    async with (
        serving(Proxy(write=write)) as endpoint,
        connected(endpoint) as channel,
        writing(channel) as stream,
    ):
        await stream.send_request()
        await stream._stream.send_data(data, end_stream=True)
        stream._end_done = True
        with pytest.raises(GRPCError):
            await stream.recv_message()
        stream._cancel_done = True
    assert errors == [code]


async def test_errors_of_the_server_come_after_its_messages() -> None:
    proxy = Proxy(read=sends(b"a", b"b", then=GRPCError(Status.RESOURCE_EXHAUSTED, "too slow")))
    async with (
        serving(proxy) as endpoint,
        connected(endpoint) as channel,
        reading(channel) as stream,
    ):
        await stream.send_message(b"", end=True)
        reader = MessageReader(stream)
        bodies: list[Any] = []
        while len(bodies) < 2:
            bodies += await reader.read()
        assert bodies == [b"a", b"b"]
        with pytest.raises(StreamBrokenError) as caught:
            await reader.read()
        assert caught.value.status == Status.RESOURCE_EXHAUSTED.value
        assert caught.value.message == "too slow"
        stream._cancel_done = True


async def test_a_refused_call() -> None:
    async def read(stream: Any) -> None:
        raise GRPCError(Status.UNAUTHENTICATED, "no token")

    async with (
        serving(Proxy(read=read)) as endpoint,
        connected(endpoint) as channel,
        reading(channel) as stream,
    ):
        await stream.send_message(b"", end=True)
        with pytest.raises(GRPCError, match="no token"):
            await MessageReader(stream).read()
        stream._cancel_done = True


@on_loops
async def test_a_connection_that_breaks(direct: bool) -> None:
    async def read(stream: Any) -> None:
        await stream.recv_message()
        await MessageWriter(stream).write([framed(b"a")])
        transports.append(stream._stream._transport)
        await asyncio.Event().wait()

    transports: list[Any] = []
    async with serving(Proxy(read=read)) as endpoint, connected(endpoint) as channel:
        stream = reading(channel)
        async with stream:
            await stream.send_message(b"", end=True)
            reader = MessageReader(stream, direct=direct)
            assert await reader.read() == [b"a"]
            task = asyncio.create_task(reader.read())
            await asyncio.sleep(0)
            transports[0].abort()
            with pytest.raises(StreamBrokenError):
                await task
            assert task.cancelling() == 0
            with pytest.raises(StreamBrokenError):
                await reader.read()


async def test_what_came_before_the_client_was_lost_is_there() -> None:
    left: list[bytes] = []
    has_come = asyncio.Event()
    is_done = asyncio.Event()

    async def write(stream: Any) -> None:
        reader = MessageReader(stream)
        try:
            assert await reader.read() == [b"first"]
            has_come.set()
            await asyncio.Event().wait()
        finally:
            left.extend(bytes(body) for body in reader.take())
            is_done.set()

    async with serving(Proxy(write=write)) as endpoint, connected(endpoint) as channel:
        stream = writing(channel)
        async with stream:
            writer = MessageWriter(stream)
            await writer.write([framed(b"first")])
            await has_come.wait()
            await writer.write([framed(b"second"), framed(b"third")])
            channel.close()
        await asyncio.wait_for(is_done.wait(), 10)
    assert left == [b"second", b"third"]


async def test_cancelling_loses_nothing() -> None:
    goes = asyncio.Event()

    async def read(stream: Any) -> None:
        await stream.recv_message()
        await stream.send_initial_metadata()
        await goes.wait()
        await MessageWriter(stream).write([framed(b"a" * 100_000)])

    async with (
        serving(Proxy(read=read)) as endpoint,
        connected(endpoint) as channel,
        reading(channel) as stream,
    ):
        await stream.send_message(b"", end=True)
        reader = MessageReader(stream)
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(), 0.02)
        goes.set()
        assert await all_of(reader) == [b"a" * 100_000]


async def test_data_for_a_call_that_is_over_opens_the_window_again() -> None:
    """Nobody reads what still comes in, and the other calls of the connection must not wait for it."""
    calls = 0

    async def write(stream: Any) -> None:
        nonlocal calls
        calls += 1
        reader = MessageReader(stream)
        if calls <= 20:
            await reader.read()
            raise GRPCError(Status.ABORTED, "enough")
        await all_of(reader)
        await stream.send_message(b"")

    async with serving(Proxy(write=write), window=65_535) as endpoint, connected(endpoint) as channel:
        for _ in range(20):
            with pytest.raises((GRPCError, StreamBrokenError)):
                await answer_to(channel, *[b"x" * 10_000] * 6)
        async with asyncio.timeout(10), writing(channel) as stream:
            await MessageWriter(stream).write([framed(b"x" * 500_000)])
            await stream.end()
            assert await stream.recv_message() == b""


async def test_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(Proxy(read=sends(b"a"))) as endpoint, connected(endpoint) as channel:
        for value, expected in (("0", False), ("1", True)):
            monkeypatch.setenv(SWITCH, value)
            async with reading(channel) as stream:
                await stream.send_message(b"", end=True)
                assert can_read_directly(stream) is expected
                reader = MessageReader(stream)
                assert await all_of(reader) == [b"a"]
                assert reader.is_direct is expected


def test_h2_is_as_the_direct_way_needs_it() -> None:
    """Fails when h2 changes in a way that has to be looked at."""
    assert can_count_for_h2()


async def stalls(until: asyncio.Event) -> float:
    """The most computing time that others took between two turns of this task."""
    longest, last = 0.0, time.thread_time()
    while not until.is_set():
        await asyncio.sleep(0)
        now = time.thread_time()
        longest, last = max(longest, now - last), now
    return longest


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_check_21_huge_messages(sized: Sized) -> None:
    """Both ways, without holding up the loop, and within a small multiple of their size."""
    size = sized(96, 512) << 20

    async def main() -> None:
        body = memoryview(os.urandom(1 << 20) * (size >> 20))
        before = peak_mb()
        got: list[Any] = []

        async def write(stream: Any) -> None:
            got.extend([body async for body in MessageReader(stream)])
            await stream.send_message(b"")

        async def read(stream: Any) -> None:
            await stream.recv_message()
            await MessageWriter(stream).write([_framed_view(got.pop())])

        async with (
            serving(Proxy(write=write, read=read)) as endpoint,
            connected(endpoint) as channel,
        ):
            is_done = asyncio.Event()
            watching = asyncio.create_task(stalls(is_done))
            async with asyncio.timeout(300), writing(channel) as stream:
                await MessageWriter(stream).write([_framed_view(body)])
                await stream.end()
                await stream.recv_message()
            async with asyncio.timeout(300), reading(channel) as stream:
                await stream.send_message(b"", end=True)
                (back,) = [body async for body in MessageReader(stream)]
            is_done.set()
            assert await watching < 0.05
            assert peak_mb() - before < 2.5 * (size >> 20) + 64
            assert back == body

    asyncio.run(main())


def _framed_view(body: Any) -> Any:
    from aiorerun.net.logmsg import frame_body

    return frame_body(body)


def test_bodies_differ() -> None:
    # What the tests above compare would otherwise prove little.
    kinds: Sequence[int] = sorted({len(body) for body in BODIES})
    assert len(kinds) == 10
