"""A sink that goes on in another event loop, or in a forked child: nothing of the former loop is touched."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun import process
from aiorerun.errors import SinkOpenError
from aiorerun.sinks.grpc import ConnectionState, GrpcSink, spill_write
from aiorerun.sinks.grpc.at_exit import open_without_threads
from aiorerun.sinks.grpc.errors import ServerStatusError
from aiorerun.sinks.grpc.spill_files import append_all
from tests.unit.sinks.grpc.serving import PATIENCE, Context, FakeServer, is_empty, opened, serving, until
from tests.unit.sinks.grpc.test_sink import bodies, flood, temporal

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path


class ServerThread:
    """A server on an event loop of its own."""

    def __init__(self) -> None:
        self.server: FakeServer | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.call(self._start)

    async def _start(self) -> None:
        self.server = FakeServer()
        await self.server.start()

    def call(self, function: Callable[[], Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(function(), self._loop).result(PATIENCE)

    def stop(self) -> None:
        assert self.server is not None
        self.server.reads.set()
        self.call(self.server.die)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


@pytest.fixture
def server() -> Iterator[FakeServer]:
    thread = ServerThread()
    assert thread.server is not None
    try:
        yield thread.server
    finally:
        thread.stop()


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def socket_of(sink: GrpcSink) -> socket.socket:
    connection: Any = sink._connection
    sock: socket.socket = connection._session._channel._protocol._transport.get_extra_info("socket")
    return sock


@pytest.mark.parametrize("closes_loop", [True, False])
def test_in_another_loop_it_connects_anew_and_sends_again(server: FakeServer, closes_loop: bool) -> None:
    first, second = temporal(3), temporal(2)
    sink = GrpcSink(server.url)
    context = Context()
    loop = asyncio.new_event_loop()

    async def begin() -> None:
        await sink.open(context)
        await sink.write(first)
        await until(lambda: len(server.messages) == 3)

    loop.run_until_complete(begin())
    fd = socket_of(sink).fileno()
    if closes_loop:
        loop.close()

    async def go_on() -> None:
        await sink.write(second)
        await sink.aclose()

    context = Context()
    sink._context = context
    asyncio.run(go_on())
    assert not is_open(fd) or closes_loop
    assert [bytes(each.body) for each in server.streams[-1]] == bodies([*first, *second])
    assert not context.lost
    if not closes_loop:
        loop.close()
    gc.collect()


def test_a_call_that_was_under_way_in_the_former_loop_is_finished_in_the_new_one(server: FakeServer) -> None:
    sink = GrpcSink(server.url)
    context = Context()
    loop = asyncio.new_event_loop()
    server.reads.clear()

    async def begin() -> None:
        await sink.open(context)
        await sink.connected(PATIENCE)
        begin.task = asyncio.ensure_future(sink.write(flood()))  # type: ignore[attr-defined]
        await until(lambda: len(server.streams) == 1)

    loop.run_until_complete(begin())
    loop.close()
    task: Any = begin.task  # type: ignore[attr-defined]
    task._log_destroy_pending = False
    assert not task.done()
    later = temporal(2)

    async def go_on() -> None:
        server._server._server.get_loop().call_soon_threadsafe(server.reads.set)  # type: ignore[union-attr]
        writing = asyncio.ensure_future(sink.write(later))
        await asyncio.sleep(0)
        # The former call is collected as garbage in the middle of this one.
        nonlocal task
        del begin.task  # type: ignore[attr-defined]
        task = None
        gc.collect()
        await asyncio.wait_for(writing, PATIENCE)
        await sink.aclose()

    context._jobs = asyncio.Lock()
    asyncio.run(go_on())
    assert [bytes(each.body) for each in server.streams[-1]] == bodies([*flood(), *later])


def test_a_sink_whose_loop_is_gone_may_be_attached_again(server: FakeServer) -> None:
    sink = GrpcSink(server.url)
    loop = asyncio.new_event_loop()

    async def begin() -> None:
        await sink.open(Context())
        await sink.write(temporal(2))
        await until(lambda: len(server.messages) == 2)
        with pytest.raises(SinkOpenError, match="another recording"):
            await sink.open(Context())

    loop.run_until_complete(begin())
    loop.close()
    messages = temporal(3)

    async def again() -> None:
        async with opened(sink):
            await sink.write(messages)
            await sink.aclose()

    asyncio.run(again())
    assert [bytes(each.body) for each in server.streams[-1]] == bodies(messages)
    gc.collect()


@pytest.mark.parametrize("is_in_time", [True, False], ids=["written", "not written"])
@pytest.mark.parametrize("goes_on_with", ["write", "flush", "flush_acknowledged", "aclose"])
def test_a_write_to_disk_outlives_its_loop(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, goes_on_with: str, is_in_time: bool
) -> None:
    first, second, third = temporal(3), temporal(2), temporal(1)
    sink = GrpcSink(server.url, spill_dir=tmp_path)
    context = Context()
    loop = asyncio.new_event_loop()
    really, begun, goes_on = append_all, threading.Event(), threading.Event()

    def slow(appends: Any) -> None:
        if is_in_time:
            really(appends)
        begun.set()
        assert goes_on.wait(PATIENCE)
        if not is_in_time:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    async def begin() -> None:
        await sink.open(context)
        await sink.write(first)
        with monkeypatch.context() as patch:
            patch.setattr(spill_write, "append_all", slow)
            begin.task = asyncio.ensure_future(sink.write(second))  # type: ignore[attr-defined]
            await until(begun.is_set)

    loop.run_until_complete(begin())
    loop.close()
    begin.task._log_destroy_pending = False  # type: ignore[attr-defined]

    async def go_on() -> None:
        call = asyncio.ensure_future(getattr(sink, goes_on_with)(*[third] * (goes_on_with == "write")))
        await asyncio.sleep(0.05)
        # The former call is collected as garbage meanwhile.
        del begin.task  # type: ignore[attr-defined]
        gc.collect()
        goes_on.set()
        await asyncio.wait_for(call, PATIENCE)
        if goes_on_with != "aclose":
            await sink.flush_acknowledged()
            assert sink.status.rows_unconfirmed == 0
            await sink.aclose()

    context._jobs = asyncio.Lock()
    asyncio.run(go_on())
    expected = [*first, *second, *([third[0]] if goes_on_with == "write" else [])]
    sent = [bytes(each.body) for stream in server.streams for each in stream]
    # What the former loop has sent is sent again.
    assert list(dict.fromkeys(sent)) == bodies(expected)
    assert not context.lost
    assert is_empty(tmp_path)


async def test_a_fork_leaves_the_connection_with_the_parent() -> None:
    async with serving() as server:
        sink = GrpcSink(server.url)
        async with opened(sink):
            await sink.write(temporal())
            connection: Any = sink._connection
            channel = connection._session._channel
            pid = os.fork()
            if pid == 0:
                # Nothing that happens here may show at the parent's connection.
                process.note_fork()
                is_forgotten = channel._protocol is None and connection._session is None
                again = sink.reopened()
                del connection, channel
                gc.collect()
                os._exit(0 if is_forgotten and again.state is ConnectionState.IDLE else 1)
            _, status = await asyncio.to_thread(os.waitpid, pid, 0)
            assert status == 0
            await sink.write(temporal())
            await sink.aclose()
        assert server.ended == 1
        assert len(server.streams) == 1


async def test_names_are_looked_up_without_the_executor_when_there_is_none() -> None:
    async with serving() as server:
        sink = GrpcSink(server.url)
        context = Context()
        channel = await open_without_threads(sink.endpoint, None, PATIENCE, context.run_blocking)
        assert channel.is_connected
        assert channel._authority == f"localhost:{server.port}"
        channel.close()
        await server.die()
        with pytest.raises(OSError, match="Connect"):
            await open_without_threads(sink.endpoint, None, PATIENCE, context.run_blocking)


async def test_chunks_that_no_server_takes_are_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server:
        sink = GrpcSink(server.url)
        async with opened(sink) as context:
            small, large = temporal(2), temporal(1, rows=7)
            large[0].nbytes = 1 << 31
            await sink.write([small[0], *large, small[1]])
            await sink.aclose()
        assert server.bodies == bodies(small)
        assert context.lost == {"too long for gRPC": 7}
    assert [record.levelno for record in caplog.records if record.name == "aiorerun"] == [logging.ERROR]


def test_what_a_server_says_cannot_break_a_log() -> None:
    error = ServerStatusError(3, "line\nbreak\x1b[31m" + "x" * 10_000)
    assert "\n" not in str(error)
    assert "\x1b" not in str(error)
    assert len(str(error)) < 400
    assert ServerStatusError(99, None).status == "status 99"
    assert str(ServerStatusError(16, None)) == "the server answered UNAUTHENTICATED"
