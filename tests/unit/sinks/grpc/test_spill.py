"""Messages that wait on disk: written before they count, sent later, by another program if need be."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status

from aiorerun import process
from aiorerun.sinks.base import SinkUnavailable
from aiorerun.sinks.grpc import ConnectionState, GrpcSink, spill as spill_module, spill_write
from aiorerun.sinks.grpc.spill import DAMAGED, MIN_FILE_BYTES, NO_ROOM
from aiorerun.sinks.grpc.spill_dir import take_over
from aiorerun.sinks.grpc.supply import LOST_WITH_CONNECTION, REFUSED
from tests.unit.codec.building import announcement
from tests.unit.sinks.grpc.serving import PATIENCE, FakeServer, free_port, is_empty, opened, serving, until
from tests.unit.sinks.grpc.test_sink import bodies, lines, temporal
from tests.unit.sinks.grpc.test_spill_files import spoil
from tests.unit.sinks.test_resident import static

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.codec.messages import Message


def files(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*.spill"))


def size(directory: Path) -> int:
    """Bytes of all files."""
    return sum(path.stat().st_size for path in files(directory))


def tear(path: Path) -> None:
    """Takes the last bytes off a file, as a crash does."""
    path.write_bytes(path.read_bytes()[:-7])


def rows(messages: Sequence[Message]) -> int:
    return sum(message.rows for message in messages)


def unreachable() -> str:
    return f"rerun+http://127.0.0.1:{free_port()}/proxy"


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file has room for a few messages, and little stays in memory."""
    monkeypatch.setattr(spill_module, "MIN_FILE_BYTES", 8 << 10)
    monkeypatch.setattr(spill_module, "FILE_BYTES", 8 << 10)
    monkeypatch.setattr(spill_module, "TAIL_BYTES", 4 << 10)


async def test_writing_waits_for_no_connection(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sink = GrpcSink(unreachable(), spill_dir=tmp_path)
    async with opened(sink) as context:
        async with asyncio.timeout(PATIENCE):
            await sink.write([announcement(), *temporal(3, rows=2)])
            await sink.flush()
        assert sink.status.rows_unconfirmed == 6
        assert len(files(tmp_path)) == 1
        await until(lambda: sink.status.attempts_failed > 2)
        context.has_given_up = True
        await sink.aclose()
    assert not context.lost
    assert len(files(tmp_path)) == 1
    told = lines(caplog)
    assert len(told) == 2
    assert "no connection yet" in told[0]
    assert "6 rows in 4 messages are not confirmed" in told[1]


async def test_what_is_confirmed_is_removed(tmp_path: Path) -> None:
    async with serving() as server:
        sink = GrpcSink(server.url, spill_dir=tmp_path)
        async with opened(sink):
            first, second = temporal(3), temporal(2)
            await sink.write(first)
            await sink.flush_acknowledged()
            assert files(tmp_path) == []
            await sink.write(second)
            await sink.flush()
            assert len(files(tmp_path)) == 1
            await sink.aclose()
        assert server.bodies == bodies([*first, *second])
    assert is_empty(tmp_path)


@pytest.mark.usefixtures("small_files")
async def test_a_server_that_comes_late_gets_all_of_it_from_disk_in_order(tmp_path: Path) -> None:
    server = FakeServer()
    server.port = free_port()
    sink = GrpcSink(server.url, spill_dir=tmp_path)
    messages = [announcement(), *temporal(200)]
    async with opened(sink) as context:
        for start in range(0, len(messages), 20):
            await sink.write(messages[start : start + 20])
        assert len(files(tmp_path)) > 10
        await server.start()
        await sink.flush_acknowledged()
        assert files(tmp_path) == []
        await sink.aclose()
    assert server.bodies == bodies(messages)
    assert not context.lost
    await server.die()


@pytest.mark.usefixtures("small_files")
async def test_after_a_loss_the_unconfirmed_is_sent_again(tmp_path: Path) -> None:
    async with serving() as server:
        sink = GrpcSink(server.url, spill_dir=tmp_path)
        async with opened(sink) as context:
            mesh, confirmed, kept = static("/mesh"), temporal(30), temporal(40)
            await sink.write([mesh, *confirmed])
            await sink.flush_acknowledged()
            await sink.write(kept)
            await until(lambda: len(server.messages) == 71)
            await server.die()
            await until(lambda: sink.state is ConnectionState.DISCONNECTED)
            more = temporal(5)
            await sink.write(more)
            await server.start()
            await sink.connected(PATIENCE)
            await sink.aclose()
        assert [bytes(each.body) for each in server.streams[-1]] == bodies([mesh, *kept, *more])
        assert sink.status.rows_replayed == 40
        assert not context.lost


@pytest.mark.usefixtures("small_files")
async def test_the_next_program_sends_what_is_left_before_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = FakeServer()
    server.port = free_port()
    info, left, own = announcement(), temporal(100), temporal(3)
    former = GrpcSink(server.url, spill_dir=tmp_path)
    async with opened(former):
        await former.write([info, *left])
    assert len(files(tmp_path)) > 4
    await server.start()
    sink = GrpcSink(server.url, spill_dir=tmp_path)
    async with opened(sink):
        await sink.write(own)
        await sink.aclose()
    # The announcement stands at the beginning of each file, for the case that the first ones are gone.
    announcements = [body for body in server.bodies if body in bodies([info])]
    assert len(announcements) > 4
    assert [body for body in server.bodies if body not in announcements] == bodies([*left, *own])
    assert server.bodies[0] == announcements[0]
    assert is_empty(tmp_path)
    assert any("former program" in line for line in lines(caplog))
    await server.die()


@pytest.mark.usefixtures("small_files")
async def test_a_torn_end_of_a_former_program_is_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = FakeServer()
    server.port = free_port()
    left, own = temporal(10), temporal(3)
    former = GrpcSink(server.url, spill_dir=tmp_path)
    async with opened(former):
        await former.write(left)
    tear(files(tmp_path)[-1])
    await server.start()
    sink = GrpcSink(server.url, spill_dir=tmp_path)
    async with opened(sink):
        await sink.write(own)
        await sink.aclose()
    assert server.bodies == bodies([*left[:-1], *own])
    assert sum("cannot be read to its end" in line for line in lines(caplog)) == 1
    assert is_empty(tmp_path)
    await server.die()


@pytest.mark.usefixtures("small_files")
async def test_over_the_limit_the_oldest_unsent_rows_are_lost_and_counted(tmp_path: Path) -> None:
    limit = 40 << 10
    server = FakeServer()
    server.port = free_port()
    sink = GrpcSink(server.url, spill_dir=tmp_path, spill_bytes=limit)
    messages = temporal(300)
    info, mesh = announcement(), static("/mesh")
    async with opened(sink) as context:
        await sink.write([info, mesh])
        for message in messages:
            await sink.write([message])
        assert size(tmp_path) <= limit + (8 << 10)
        await server.start()
        await sink.aclose()
    arrived = set(server.bodies)
    missing = [message for message in messages if bodies([message])[0] not in arrived]
    assert context.lost == {NO_ROOM: rows(missing)}
    assert 0 < len(missing) < 300
    # The oldest ones, and what has no time is kept in any case.
    assert missing == messages[: len(missing)]
    assert server.bodies[:2] == bodies([info, mesh])
    await server.die()


@pytest.mark.usefixtures("small_files")
async def test_sent_rows_that_had_no_room_are_lost_only_if_the_connection_breaks(tmp_path: Path) -> None:
    async with serving() as server:
        sink = GrpcSink(server.url, spill_dir=tmp_path, spill_bytes=40 << 10)
        async with opened(sink) as context:
            messages = temporal(100)
            for message in messages:
                await sink.write([message])
                await sink.flush()
            await sink.flush_acknowledged()
            assert not context.lost
            for message in messages:
                await sink.write([message])
                await sink.flush()
            await until(lambda: len(server.messages) == 200)
            await server.die()
            await server.start()
            await until(lambda: sink.status.connections == 2)
            await sink.aclose()
        again = len(server.streams[-1])
        assert context.lost == {LOST_WITH_CONNECTION: 100 - again}
        assert 0 < again < 100


async def refused_by_a_full_disk(
    sink: GrpcSink, messages: Sequence[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writes messages while the disk has no room for them."""

    def fail(appends: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(spill_write, "append_all", fail)
        with pytest.raises(SinkUnavailable, match="No space left"):
            await sink.write(messages)


async def test_a_disk_that_takes_nothing_makes_the_sink_unavailable_until_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving() as server:
        sink = GrpcSink(server.url, spill_dir=tmp_path)
        async with opened(sink):
            first, second = temporal(2), temporal(2)
            await sink.write(first)
            await refused_by_a_full_disk(sink, second, monkeypatch)
            await asyncio.wait_for(sink.wait_available(), PATIENCE)
            # What was confirmed meanwhile is gone from the disk.
            assert files(tmp_path) == []
            await sink.write(second)
            await sink.aclose()
        assert server.bodies == bodies([*first, *second])


async def test_the_answer_to_a_former_question_confirms_nothing_that_came_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving() as server:
        server.answers.clear()
        sink = GrpcSink(server.url, spill_dir=tmp_path)
        async with opened(sink):
            first, second = temporal(2), temporal(3)
            await sink.write(first)
            await refused_by_a_full_disk(sink, second, monkeypatch)
            # It asks, and does not wait for an answer that takes long.
            await asyncio.wait_for(sink.wait_available(), PATIENCE)
            await sink.write(second)
            flush = asyncio.ensure_future(sink.flush_acknowledged())
            await asyncio.sleep(0)
            server.answers.set()
            await asyncio.wait_for(flush, PATIENCE)
            assert server.bodies == bodies([*first, *second])
            assert server.ended == 2
            assert files(tmp_path) == []
            await sink.aclose()


async def test_two_sinks_share_a_directory(tmp_path: Path) -> None:
    async with serving() as server:
        sinks = [GrpcSink(server.url, spill_dir=tmp_path) for _ in range(2)]
        async with opened(sinks[0]), opened(sinks[1]):
            messages = [temporal(3), temporal(4)]
            for sink, part in zip(sinks, messages, strict=True):
                await sink.write(part)
            for sink in sinks:
                await sink.aclose()
        assert sorted(server.bodies) == sorted(bodies([*messages[0], *messages[1]]))
    assert is_empty(tmp_path)


async def test_files_are_bigger_without_a_tiny_limit(tmp_path: Path) -> None:
    sink = GrpcSink(unreachable(), spill_dir=tmp_path, spill_bytes=1)
    async with opened(sink) as context:
        for _ in range(3):
            await sink.write(temporal(60))
        assert len(files(tmp_path)) == 1
        assert size(tmp_path) > MIN_FILE_BYTES // 2
        await asyncio.sleep(0)
        assert context.lost.total() + sink.status.rows_unconfirmed == 180


@pytest.mark.usefixtures("small_files")
async def test_files_that_cannot_be_read_back_cost_their_rows_and_no_others(tmp_path: Path) -> None:
    server = FakeServer()
    server.port = free_port()
    sink = GrpcSink(server.url, spill_dir=tmp_path)
    messages = temporal(100)
    async with opened(sink) as context:
        for message in messages:
            await sink.write([message])
        tear(files(tmp_path)[1])
        await server.start()
        await sink.aclose()
    (lost,) = [message for message in messages if bodies([message])[0] not in set(server.bodies)]
    assert context.lost == {DAMAGED: lost.rows}
    assert server.bodies == bodies([message for message in messages if message is not lost])
    assert is_empty(tmp_path)
    await server.die()


@pytest.mark.usefixtures("small_files")
async def test_damaged_files_are_not_deleted(tmp_path: Path) -> None:
    server = FakeServer()
    server.port = free_port()
    sink = GrpcSink(server.url, spill_dir=tmp_path)
    messages = temporal(100)
    async with opened(sink) as context:
        for message in messages:
            await sink.write([message])
        spoilt = files(tmp_path)[1]
        spoil(spoilt, spoilt.stat().st_size // 2)
        content = spoilt.read_bytes()
        await server.start()
        await sink.aclose()
    missing = [message for message in messages if bodies([message])[0] not in set(server.bodies)]
    assert context.lost == {DAMAGED: len(missing)}
    (kept,) = tmp_path.iterdir()
    assert kept.suffix == ".damaged"
    assert kept.read_bytes() == content
    await server.die()


@pytest.mark.usefixtures("small_files")
async def test_what_cannot_be_read_for_a_moment_is_sent_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = FakeServer()
    server.port = free_port()
    left, own = temporal(40), temporal(40)
    former = GrpcSink(server.url, spill_dir=tmp_path)
    async with opened(former):
        await former.write(left)
    sink = GrpcSink(server.url, spill_dir=tmp_path)
    failed: set[Path] = set()
    really = Path.open

    def open_second(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.suffix == ".spill" and path not in failed and len(failed) < 3:
            failed.add(path)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return really(path, *arguments, **options)

    async with opened(sink) as context:
        await sink.write(own)
        monkeypatch.setattr(Path, "open", open_second)
        await server.start()
        await until(lambda: bodies(own)[-1] in server.bodies)
        await sink.flush_acknowledged()
        await sink.aclose()
    assert len(failed) == 3
    assert not context.lost
    there = [bytes(each.body) for each in server.messages]
    assert set(there) == set(bodies([*left, *own]))
    assert is_empty(tmp_path)
    await server.die()


async def test_a_directory_that_is_removed_is_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as server:
        directory = tmp_path / "spill"
        sink = GrpcSink(server.url, spill_dir=directory)
        async with opened(sink) as context:
            first, second, third = temporal(3), temporal(2), temporal(4)
            await sink.write(first)
            await sink.flush()
            shutil.rmtree(directory)
            await sink.write(second)
            await sink.flush_acknowledged()
            await sink.write(third)
            assert len(files(directory)) == 1
            await sink.aclose()
        assert server.bodies == bodies([*first, *second, *third])
        assert not context.lost
    assert is_empty(directory)
    assert sum("somebody has removed" in line for line in lines(caplog)) == 1


@pytest.mark.usefixtures("small_files")
async def test_what_was_in_a_directory_that_is_removed_is_counted(tmp_path: Path) -> None:
    server = FakeServer()
    server.port = free_port()
    sink = GrpcSink(server.url, spill_dir=tmp_path)
    messages, later = temporal(100), temporal(3)
    async with opened(sink) as context:
        for message in messages:
            await sink.write([message])
        (directory,) = tmp_path.iterdir()
        shutil.rmtree(directory)
        await sink.write(later)
        await server.start()
        await sink.aclose()
    there = set(server.bodies)
    missing = [message for message in messages if bodies([message])[0] not in there]
    assert set(bodies(later)) <= there
    assert len(missing) > 50
    assert context.lost == {DAMAGED: len(missing)}
    assert is_empty(tmp_path)
    await server.die()


@pytest.mark.usefixtures("small_files")
async def test_files_that_the_server_never_takes_are_given_up_one_by_one(tmp_path: Path) -> None:
    async with serving() as server:
        server.refuses_after = (0, Status.INVALID_ARGUMENT)
        sink = GrpcSink(server.url, spill_dir=tmp_path)
        async with opened(sink) as context:
            messages = temporal(30)
            await sink.write(messages)
            count = len(files(tmp_path))
            assert count > 2
            await until(lambda: bool(context.lost))
            server.refuses_after = None
            await sink.aclose()
        there = [bytes(each.body) for each in server.streams[-1]]
        assert there == bodies(messages[30 - len(there) :])
        assert context.lost == {REFUSED: 30 - len(there)}
        assert 0 < len(there) < 30


@pytest.mark.usefixtures("small_files")
async def test_what_former_programs_left_goes_first_when_there_is_no_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = FakeServer()
    server.port = free_port()
    former = GrpcSink(server.url, spill_dir=tmp_path)
    async with opened(former):
        await former.write(temporal(60))
    own = temporal(40)
    limit = sum(message.nbytes for message in own) + (16 << 10)
    sink = GrpcSink(server.url, spill_dir=tmp_path, spill_bytes=limit)
    async with opened(sink) as context:
        for message in own:
            await sink.write([message])
        await server.start()
        await sink.aclose()
    # They are in nobody's statistics.
    assert not context.lost
    assert server.bodies[-40:] == bodies(own)
    assert len(server.bodies) < 100
    assert any("deleted undelivered" in line for line in lines(caplog))
    await server.die()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on Windows")
async def test_a_forked_child_does_not_keep_the_lock_of_its_parent(tmp_path: Path) -> None:
    sink = GrpcSink(unreachable(), spill_dir=tmp_path)
    async with opened(sink):
        await sink.write(temporal())
        spill = sink._spill
        assert spill is not None
        (lock,) = [owner._lock_fd for owner in spill._owners]
        assert lock is not None
        pid = os.fork()
        if pid == 0:
            process.note_fork()
            try:
                os.fstat(lock)
            except OSError:
                os._exit(0)
            os._exit(1)
        _, status = await asyncio.to_thread(os.waitpid, pid, 0)
        assert status == 0
        # The parent still has it.
        assert await asyncio.to_thread(lambda: list(take_over(tmp_path, sink.url))) == []


@pytest.fixture(autouse=True)
def _info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
