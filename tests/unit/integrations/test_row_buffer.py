"""Rows of requests side by side: how much room they get, and when they are handed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
from aiorerun.integrations import row_buffer
from aiorerun.integrations.asgi import RerunMiddleware
from aiorerun.integrations.row_buffer import WIDTH, RowBuffer, pack_into
from aiorerun.testing import CaptureSink
from tests.asgi import drive, http_scope, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def rec() -> AsyncIterator[rr.AsyncRecordingStream]:
    async with rr.AsyncRecordingStream("rows", send_properties=False) as recording:
        yield recording


def fill(buffer: RowBuffer, rows: int) -> int:
    """Makes room and packs rows; returns how many there would have been room for."""
    buffer.make_room()
    for number in range(rows):
        pack_into(buffer.memory, buffer.place, number, number, number, 0.5, 0.25, 200, 0, 2, False, False)
        buffer.place += WIDTH
    return buffer.end // WIDTH


async def test_room_grows_at_once_and_shrinks_little_by_little(rec: rr.AsyncRecordingStream) -> None:
    sink = CaptureSink()
    await rec.set_sinks(sink)
    buffer = RowBuffer(rec, "/requests")
    rooms = []
    for rows in (32, 64, 128, 3, 3, 100):
        rooms.append(fill(buffer, rows))
        assert buffer.rows == rows
        assert buffer.push() == rows
    assert rooms == [32, 64, 128, 256, 224, 196]
    assert len(await sink.rows("requests")) == 32 + 64 + 128 + 3 + 3 + 100
    for _ in range(30):
        fill(buffer, 1)
        buffer.push()
    assert fill(buffer, 1) == 32


async def test_room_has_an_end(rec: rr.AsyncRecordingStream) -> None:
    buffer = RowBuffer(rec, "/requests")
    rooms = []
    for rows in (20_000, 3):
        fill(buffer, 0)
        buffer.memory.extend(bytes(rows * WIDTH))
        buffer.place = rows * WIDTH
        buffer.push()
        rooms.append(fill(buffer, 0))
    assert rooms == [16384, 16384 - 16384 // 8]
    fill(buffer, 3)
    assert buffer.push(drop=True) == 3
    assert rec.stats().rows_accepted == 20_003


async def test_a_push_without_rows_is_none(rec: rr.AsyncRecordingStream) -> None:
    buffer = RowBuffer(rec, "/requests")
    assert buffer.push() == 0
    assert rec.stats().rows_accepted == 0


@pytest.mark.parametrize(("requests", "first"), [(3, "requests"), (600, "rate")])
async def test_only_many_requests_wait_for_the_rates(
    rec: rr.AsyncRecordingStream, requests: int, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of messages tells: what is handed over by its own timer comes before the first rates."""
    # Or the first ones would be handed over because there is no room for more.
    monkeypatch.setattr(row_buffer, "_LEAST_ROWS", 1000)

    async def ok(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    sink = CaptureSink()
    await rec.set_sinks(sink)
    wrapped = RerunMiddleware(ok, recording=rec, rate_interval=1.0)
    for _ in range(requests):
        await drive(wrapped, http_scope("/a"))

    def kinds() -> list[str]:
        paths = [message.index.group.entity_path for message in sink._messages if message.index is not None]
        return [path.split("/")[2] for path in paths if path.startswith("/http/")]

    async def both() -> bool:
        return {"requests", "rate"} <= set(kinds())

    await until(both)
    assert kinds()[0] == first
    assert wrapped.stats.recorded == requests
