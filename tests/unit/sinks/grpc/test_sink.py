"""The gRPC sink on its own, against a server that can be told to misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
from aiorerun.codec.messages import chunk_message
from aiorerun.errors import InvalidUrlError, SinkOpenError
from aiorerun.net.logmsg import frame
from aiorerun.sinks.base import Sink, SinkUnavailable
from aiorerun.sinks.grpc import ConnectionState, ConnectionStatus, GrpcSink, connection as connection_module
from aiorerun.sinks.grpc.sink import NOT_SENT
from aiorerun.sinks.grpc.supply import LOST_WITH_CONNECTION
from tests.unit.codec.building import STORE, announcement, scalar_chunk
from tests.unit.sinks.grpc.serving import PATIENCE, Context, FakeServer, free_port, opened, serving, until
from tests.unit.sinks.test_resident import static

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aiorerun.codec.messages import Message


def temporal(count: int = 1, *, rows: int = 1) -> list[Message]:
    return [chunk_message(STORE, scalar_chunk("/a", range(rows))) for _ in range(count)]


@cache
def flood() -> list[Message]:
    """More than windows and buffers take when nobody reads."""
    return temporal(1500, rows=1500)


def body(message: Message) -> bytes:
    """What a server gets of a message."""
    return b"".join(bytes(segment) for segment in frame(message).segments)[5:]


def bodies(messages: Sequence[Message]) -> list[bytes]:
    return [body(message) for message in messages]


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "aiorerun"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are short."""
    monkeypatch.setattr(connection_module, "UNREACHABLE_SECS", 0.2)


@pytest.fixture
def kept_errors(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


# --- what it is --------------------------------------------------------------------------------


def test_check_25_it_is_compared_by_its_parsed_url() -> None:
    assert GrpcSink() == GrpcSink("rerun+http://127.0.0.1:9876/proxy/") == GrpcSink(token="x")
    assert len({GrpcSink(), GrpcSink("127.0.0.1/proxy")}) == 1
    assert GrpcSink("localhost/proxy") != GrpcSink("127.0.0.1/proxy")
    assert GrpcSink() != "rerun+http://127.0.0.1:9876/proxy"
    assert isinstance(GrpcSink(), Sink)


async def test_check_25_a_stream_takes_no_two_equal_ones(impatient: None) -> None:
    rec = rr.AsyncRecordingStream("equal", recording_id="e", close_timeout=0.1)
    url = f"rerun+http://127.0.0.1:{free_port()}/proxy"
    with pytest.raises(ValueError, match="Duplicate sinks"):
        await rec.set_sinks(GrpcSink(url), GrpcSink(url + "/"))
    await rec.set_sinks(GrpcSink(url), GrpcSink(url.replace("127.0.0.1", "localhost")))
    assert [sink.state for sink in rec.stats().sinks] == ["connecting", "connecting"]
    await rec.disconnect()


def test_its_url_is_complete_and_shows_no_secrets() -> None:
    sink = GrpcSink("rerun://user:secret@example.com/proxy?key=secret", token="secret")
    assert sink.url == "rerun://example.com:443/proxy"
    assert repr(sink) == "GrpcSink('rerun://example.com:443/proxy')"
    assert "secret" not in repr(sink) + repr(sink.status) + repr(vars(sink)["_progress"].status())


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"url": "http://127.0.0.1:9876/proxy"}, InvalidUrlError),
        ({"replay_bytes": -1}, ValueError),
        ({"spill_bytes": -1}, ValueError),
        ({"overflow": "never"}, ValueError),
        ({"max_queued_bytes": 0}, ValueError),
        ({"token": "line\nbreak"}, ValueError),
        ({"url": 5}, TypeError),
        ({"url": b"localhost/proxy"}, TypeError),
        ({"replay_bytes": "line"}, TypeError),
        ({"token": b"line"}, TypeError),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error) as info:
        GrpcSink(**arguments)
    assert "line" not in str(info.value)


def test_a_reopened_sink_is_fresh_and_equal(tmp_path: Path) -> None:
    sink = GrpcSink("localhost/proxy", token="t", spill_dir=tmp_path, overflow="drop_oldest", replay_bytes=5)
    again = sink.reopened()
    assert again is not sink
    assert again == sink
    assert again.overflow == "drop_oldest"
    assert {name: value for name, value in vars(again).items() if name != "_progress"} == {
        name: value for name, value in vars(sink).items() if name != "_progress"
    }


async def test_a_bad_certificate_file_is_told_when_it_is_attached(tmp_path: Path) -> None:
    with pytest.raises(SinkOpenError, match="certificates"):
        await GrpcSink("rerun://localhost:1/proxy", tls=tmp_path / "none.pem").open(Context())


# --- sending -----------------------------------------------------------------------------------


async def test_it_serves_one_recording_at_a_time(tmp_path: Path) -> None:
    async with serving() as server:
        sink = GrpcSink(server.url)
        async with rr.AsyncRecordingStream("one") as one, rr.AsyncRecordingStream("two") as two:
            await one.set_sinks(sink)
            with pytest.raises(SinkOpenError, match="attached to another recording") as caught:
                await two.set_sinks(sink)
            assert caught.value.errno == errno.EBUSY
            await one.log("a", rr.Scalars(1.0))
            await one.flush(acknowledged=True)
            # Again to the same recording, and after that to the other one.
            await one.set_sinks(sink, rr.FileSink(tmp_path / "x.rrd"))
            await one.log("a", rr.Scalars(2.0))
            await one.flush(acknowledged=True)
            assert len(server.chunk_ids()) >= 2
            await one.disconnect()
            before = len(server.chunk_ids())
            await two.set_sinks(sink)
            await two.log("a", rr.Scalars(3.0))
            await two.flush(acknowledged=True)
            assert len(server.chunk_ids()) > before


async def test_a_sink_that_could_not_be_opened_is_attached_to_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "spill"
    directory.write_text("a file")
    sink = GrpcSink("127.0.0.1/proxy", spill_dir=directory)
    for _ in range(2):
        with pytest.raises(SinkOpenError, match="spill_dir"):
            await sink.open(Context())
    directory.unlink()
    async with opened(sink):
        assert sink.state is ConnectionState.CONNECTING


async def test_messages_come_in_once_in_order_and_closing_waits_for_the_answer() -> None:
    messages = [announcement(), *temporal(5)]
    async with serving() as server:
        sink = GrpcSink(server.url)
        async with opened(sink) as context:
            await sink.write(messages[:3])
            await sink.write(messages[3:])
            await sink.flush()
            assert sink.status.rows_unconfirmed == 5
            await sink.aclose()
        assert server.bodies == bodies(messages)
        assert server.ended == 1
    assert sink.state is ConnectionState.CLOSED
    assert sink.status.rows_unconfirmed == 0
    assert not context.lost


async def test_opening_does_not_wait_for_the_server(impatient: None) -> None:
    sink = GrpcSink(f"rerun+http://127.0.0.1:{free_port()}/proxy")
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with opened(sink):
        assert loop.time() - start < 2.0
        assert sink.state is ConnectionState.CONNECTING
        with pytest.raises(TimeoutError, match="not connected"):
            await sink.connected(0.1)


async def test_a_confirmed_flush_ends_the_stream_and_empties_the_outbox() -> None:
    async with serving() as server:
        sink = GrpcSink(server.url)
        async with opened(sink):
            first, second = temporal(3), temporal(2)
            await sink.write(first)
            await sink.flush_acknowledged()
            assert server.ended == 1
            assert server.bodies == bodies(first)
            assert sink.status.rows_unconfirmed == 0
            # There is nothing to confirm: no stream is opened for it.
            await sink.flush_acknowledged()
            assert len(server.streams) == 1
            await sink.write(second)
            await sink.aclose()
        assert [len(stream) for stream in server.streams] == [3, 2]
        assert sink.status.connections == 1


async def test_one_connection_is_used_for_all_streams() -> None:
    async with serving() as server:
        sink = GrpcSink(server.url)
        async with opened(sink):
            for _ in range(5):
                await sink.write(temporal())
                await sink.flush_acknowledged()
            await sink.aclose()
        assert len(server.streams) == 5
        await server.die()
        assert server.connections == 1


async def test_states_are_told_and_what_the_callback_raises_is_logged(
    kept_errors: pytest.LogCaptureFixture,
) -> None:
    told: list[ConnectionStatus] = []

    def note(status: ConnectionStatus) -> None:
        told.append(status)
        raise RuntimeError("mine")

    async with serving() as server:
        sink = GrpcSink(server.url, on_state=note)
        async with opened(sink):
            await sink.connected(PATIENCE)
            await server.die()
            await until(lambda: sink.state is ConnectionState.DISCONNECTED)
            await server.start()
            await sink.connected(PATIENCE)
            await sink.aclose()
    states = ConnectionState
    assert [status.state for status in told] == [
        states.CONNECTING, states.CONNECTED, states.DISCONNECTED, states.CONNECTED, states.CLOSED,
    ]  # fmt: skip
    assert told[2].error
    assert told[3].connections == 2
    assert sum("on_state" in line for line in lines(kept_errors)) == 5
    with pytest.raises(ConnectionError, match="closed"):
        await sink.connected(1.0)


async def test_waiting_for_a_connection_may_start_before_it_is_attached() -> None:
    async with serving() as server:
        sink = GrpcSink(server.url)
        waiting = asyncio.ensure_future(sink.connected(PATIENCE))
        await asyncio.sleep(0)
        async with opened(sink):
            await waiting


# --- losses ------------------------------------------------------------------------------------


async def test_nothing_is_taken_without_a_connection(impatient: None) -> None:
    sink = GrpcSink(f"rerun+http://127.0.0.1:{free_port()}/proxy")
    async with opened(sink) as context:
        for _ in range(2):
            with pytest.raises(SinkUnavailable, match="unreachable"):
                await sink.write(temporal())
        with pytest.raises(SinkUnavailable):
            await sink.flush_acknowledged()
        assert sink.status.rows_unconfirmed == 0
        await sink.aclose()
    assert not context.lost


async def test_a_server_that_comes_late_gets_everything(impatient: None) -> None:
    server = FakeServer()
    server.port = free_port()
    sink = GrpcSink(server.url)
    messages = [announcement(), *temporal(3)]
    async with opened(sink):
        with pytest.raises(SinkUnavailable):
            await sink.write(messages)
        waiting = asyncio.ensure_future(sink.wait_available())
        await asyncio.sleep(0)
        assert not waiting.done()
        await server.start()
        await asyncio.wait_for(waiting, PATIENCE)
        await sink.write(messages)
        await sink.aclose()
    assert server.bodies == bodies(messages)
    await server.die()


async def test_after_a_loss_everything_unconfirmed_is_sent_again_unchanged(
    kept_errors: pytest.LogCaptureFixture,
) -> None:
    async with serving() as server:
        sink = GrpcSink(server.url)
        async with opened(sink) as context:
            info, first, second = announcement(), temporal(3), temporal(2)
            await sink.write([info, *first])
            await until(lambda: len(server.messages) == 4)
            await server.die()
            await until(lambda: sink.state is ConnectionState.DISCONNECTED)
            await server.start()
            await sink.write(second)
            await sink.aclose()
        assert [bytes(each.body) for each in server.streams[1]] == bodies([info, *first, *second])
        assert sink.status.rows_replayed == 3
        assert not context.lost
    told = lines(kept_errors)
    assert len(told) == 2
    assert "the connection is lost" in told[0]
    assert "connected again, 3 rows in 4 messages" in told[1]


async def test_a_new_server_gets_what_was_confirmed_only_as_far_as_it_is_resident() -> None:
    async with serving() as server:
        sink = GrpcSink(server.url)
        async with opened(sink):
            info, mesh, old, new = announcement(), static("/mesh"), static("/s"), static("/s")
            await sink.write([info, old, *temporal(2), mesh, new])
            await sink.flush_acknowledged()
            await server.die()
            await server.start()
            await until(lambda: sink.status.connections == 2)
            later = temporal(1)
            await sink.write(later)
            await sink.aclose()
        assert [bytes(each.body) for each in server.streams[1]] == bodies([info, mesh, new, *later])


async def test_a_write_that_is_under_way_when_the_server_dies_is_sent_again() -> None:
    async with serving() as server:
        sink = GrpcSink(server.url)
        async with opened(sink) as context:
            await sink.connected(PATIENCE)
            server.reads.clear()
            messages = flood()
            writing = asyncio.ensure_future(sink.write(messages))
            await until(lambda: len(server.streams) == 1)
            await asyncio.sleep(0.1)
            assert not writing.done()
            await server.die()
            server.reads.set()
            await server.start()
            await asyncio.wait_for(writing, PATIENCE)
            await sink.aclose()
        assert [bytes(each.body) for each in server.streams[-1]] == bodies(messages)
        assert not context.lost


async def test_a_write_in_vain_takes_nothing_even_if_the_server_got_a_part_of_it(impatient: None) -> None:
    async with serving() as server:
        sink = GrpcSink(server.url)
        async with opened(sink) as context:
            await sink.connected(PATIENCE)
            server.reads.clear()
            writing = asyncio.ensure_future(sink.write(flood()))
            await until(lambda: len(server.streams) == 1)
            await server.die()
            with pytest.raises(SinkUnavailable):
                await asyncio.wait_for(writing, PATIENCE)
            assert sink.status.rows_unconfirmed == 0
            server.reads.set()
            await server.start()
            await sink.wait_available()
            last = temporal(1)
            await sink.write(last)
            await sink.aclose()
        assert [bytes(each.body) for each in server.streams[-1]] == bodies(last)
        assert not context.lost


async def test_forgotten_rows_are_lost_once_when_the_connection_breaks() -> None:
    async with serving() as server:
        sink = GrpcSink(server.url, replay_bytes=0)
        async with opened(sink) as context:
            await sink.write([static("/s"), *temporal(2, rows=5)])
            await sink.flush_acknowledged()
            await sink.write([static("/t"), *temporal(3, rows=7)])
            for _ in range(2):
                await server.die()
                await until(lambda: sink.state is ConnectionState.DISCONNECTED)
                await server.start()
                await sink.connected(PATIENCE)
                # Static data is kept for new connections in any case.
                assert context.lost == {LOST_WITH_CONNECTION: 21}
            await sink.aclose()
    assert sink.status.rows_lost == 21


async def test_a_confirmed_flush_tells_of_rows_that_are_lost_while_it_waits() -> None:
    async with serving() as server:
        server.answers.clear()
        sink = GrpcSink(server.url, replay_bytes=0)
        async with opened(sink) as context:
            await sink.write(temporal(3, rows=7))
            flush = asyncio.ensure_future(sink.flush_acknowledged())
            await until(lambda: len(server.messages) == 3)
            await server.die()
            await server.start()
            server.answers.set()
            with pytest.raises(
                SinkUnavailable, match="21 rows are lost.*forgotten before the connection broke"
            ):
                await asyncio.wait_for(flush, PATIENCE)
            assert context.lost == {LOST_WITH_CONNECTION: 21}
            await sink.write(temporal())
            await asyncio.wait_for(sink.flush_acknowledged(), PATIENCE)
            await sink.aclose()


async def test_a_loss_is_noticed_while_nothing_is_sent() -> None:
    async with serving() as server:
        sink = GrpcSink(server.url)
        async with opened(sink):
            for is_confirmed in (False, True):
                await sink.write(temporal())
                if is_confirmed:
                    await sink.flush_acknowledged()
                server.cut()
                connections = sink.status.connections
                await until(lambda count=connections: sink.status.connections > count)  # type: ignore[misc]
                await sink.connected(PATIENCE)
            await sink.aclose()


async def test_a_viewer_that_is_not_there_holds_nobody_up_who_asks_for_that(impatient: None) -> None:
    rec = rr.AsyncRecordingStream("away", recording_id="w", close_timeout=0.2, send_properties=False)
    sink = GrpcSink(
        f"rerun+http://127.0.0.1:{free_port()}/proxy", overflow="drop_oldest", max_queued_bytes=50_000
    )
    await rec.set_sinks(sink)
    rows = 20_000
    async with asyncio.timeout(PATIENCE):
        for row in range(rows):
            await rec.log("a", rr.Scalars(float(row)))
            if row % 1000 == 0:
                # As a tick would; nobody waits for it.
                with contextlib.suppress(ConnectionError):
                    await rec.flush()
    await rec.disconnect()
    stats = rec.stats()
    assert (stats.rows_delivered, stats.rows_dropped, stats.rows_pending) == (0, rows, 0)
    assert any("overflow" in reason for reason in stats.reasons)


# --- the end -----------------------------------------------------------------------------------


async def test_a_server_that_never_answers_does_not_hold_up_the_end(
    kept_errors: pytest.LogCaptureFixture,
) -> None:
    async with serving() as server:
        server.answers.clear()
        sink = GrpcSink(server.url)
        async with opened(sink) as context:
            await sink.write(temporal(2, rows=3))
            await until(lambda: len(server.messages) == 2)
            closing = asyncio.ensure_future(sink.aclose())
            await asyncio.sleep(0.1)
            assert not closing.done()
            await context.give_up(closing)
            assert sink.state is ConnectionState.CLOSED
    # It was sent: that counts as written.
    assert not context.lost
    told = [line for line in lines(kept_errors) if "without a confirmation" in line]
    assert len(told) == 1
    assert "6 rows in 2 messages were sent" in told[0]


async def test_a_confirmed_flush_without_an_answer_ends_and_everything_is_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_module, "ANSWER_SECS", 0.2)
    async with serving() as server:
        server.answers.clear()
        sink = GrpcSink(server.url)
        async with opened(sink) as context:
            messages = temporal(3)
            await sink.write(messages)
            with pytest.raises(SinkUnavailable, match="not answered"):
                await sink.flush_acknowledged()
            server.answers.set()
            await sink.connected(PATIENCE)
            await sink.flush_acknowledged()
            await sink.aclose()
        assert [bytes(each.body) for each in server.streams[-1]] == bodies(messages)
        assert not context.lost


async def test_closing_without_an_answer_does_not_try_for_ever(
    monkeypatch: pytest.MonkeyPatch, kept_errors: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection_module, "ANSWER_SECS", 0.2)
    async with serving() as server:
        server.answers.clear()
        sink = GrpcSink(server.url)
        async with opened(sink) as context:
            await sink.write(temporal(3))
            await asyncio.wait_for(sink.aclose(), PATIENCE)
        assert len(server.streams) == 1
    assert not context.lost
    assert "3 rows in 3 messages were sent" in lines(kept_errors)[-1]


async def test_what_could_not_be_sent_again_is_lost_at_the_end(
    kept_errors: pytest.LogCaptureFixture,
) -> None:
    async with serving() as server:
        sink = GrpcSink(server.url)
        async with opened(sink) as context:
            await sink.write(temporal(2, rows=3))
            await server.die()
            await until(lambda: sink.state is ConnectionState.DISCONNECTED)
            closing = asyncio.ensure_future(sink.aclose())
            await asyncio.sleep(0.1)
            assert not closing.done()
            await context.give_up(closing)
    assert context.lost == {NOT_SENT: 6}
    assert "6 rows in 2 messages were not sent" in lines(kept_errors)[-1]


async def test_giving_up_in_the_middle_of_a_write_resets_the_stream() -> None:
    async with serving() as server:
        sink = GrpcSink(server.url)
        async with opened(sink) as context:
            await sink.write(temporal(1))
            await until(lambda: len(server.messages) == 1)
            server.reads.clear()
            writing = asyncio.ensure_future(sink.write(flood()))
            await asyncio.sleep(0.1)
            assert not writing.done()
            await context.give_up(writing)
            await sink.aclose()
            server.reads.set()
            # Half a message was never taken for a whole one, and nothing was confirmed.
            await asyncio.sleep(0.05)
            assert server.ended == 0
    assert not context.lost


async def test_a_cancelled_event_loop_does_not_end_it() -> None:
    async with serving() as server:
        sink = GrpcSink(server.url)
        async with opened(sink) as context:
            await sink.write(temporal(1))
            for task in asyncio.all_tasks():
                if task.get_name() == "aiorerun-grpc":
                    task.cancel()
            await asyncio.sleep(0.01)
            await sink.write(temporal(1))
            await sink.aclose()
        assert server.ended == 1
        assert len(server.streams) == 1
        assert not context.lost
