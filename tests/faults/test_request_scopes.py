"""Many requests at once, with waits, tasks, threads and ends of all kinds: no row in the scope of another."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
from aiorerun.integrations.asgi import RerunMiddleware
from aiorerun.testing import CaptureSink
from tests.asgi import drive, http_scope, socket_scope

if TYPE_CHECKING:
    from tests.conftest import Sized

ENDS = ("answers", "streams", "raises", "raises late", "raises group", "is cancelled", "socket")


async def log(own: str, what: str) -> None:
    await rr.log("inside", rr.TextLog(f"{own} {what}"))


async def pause() -> None:
    await asyncio.sleep(random.random() * 0.01)


async def works(own: str) -> None:
    """What handlers do: log, wait, start tasks and threads, enter and leave scopes of their own."""
    await log(own, "begins")
    await pause()
    with rr.at("step", sequence=1):
        await log(own, "is in a step")
        await pause()
    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(waits_and_logs(own, f"task {number}"))
    await asyncio.to_thread(rr.log_nowait, "inside", rr.TextLog(f"{own} thread"))
    await pause()
    await log(own, "ends")


async def waits_and_logs(own: str, what: str) -> None:
    await pause()
    await log(own, what)


class App:
    """Ends as the path says; some of its tasks go on for longer than the request."""

    def __init__(self) -> None:
        self.background: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        _, number, end = scope["path"].split("/")
        await rr.log("numbers", rr.TextLog(number))
        self.background.add(asyncio.create_task(waits_and_logs(number, "later")))
        if end == "socket":
            await receive()
            await send({"type": "websocket.accept"})
            await works(number)
            await send({"type": "websocket.close"})
            return
        await works(number)
        if end == "raises":
            raise RuntimeError(number)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if end == "raises late":
            raise RuntimeError(number)
        if end == "raises group":
            raise BaseExceptionGroup(number, [ValueError(number), asyncio.CancelledError()])
        if end == "streams":
            for chunk in range(5):
                await pause()
                await log(number, f"chunk {chunk}")
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
        if end == "is cancelled":
            await asyncio.sleep(60)
        await send({"type": "http.response.body", "body": number.encode()})
        await log(number, "after")


async def one(app: Any, number: int) -> None:
    end = ENDS[number % len(ENDS)]
    await pause()
    if end == "socket":
        await drive(app, socket_scope(f"/{number}/{end}"), [{"type": "websocket.connect"}])
        return
    await drive(app, http_scope(f"/{number}/{end}"), cancel_after=1 if end == "is cancelled" else None)


@pytest.mark.parametrize("enters", [True, False], ids=["explicit recording", "active recording"])
async def test_no_row_is_in_the_scope_of_another_request(enters: bool, sized: Sized) -> None:
    count = sized(500, 20_000)
    sink = CaptureSink()
    app = App()
    async with rr.AsyncRecordingStream("scopes") as rec:
        await rec.set_sinks(sink)
        wrapped = RerunMiddleware(app, recording=rec if enters else None)
        for start in range(0, count, 500):
            await asyncio.gather(*(one(wrapped, number) for number in range(start, start + 500)))
        await asyncio.gather(*app.background)
        await wrapped._recorder.settle()
        assert rec._times.get()[1] == ()

    # What the application calls them, and the number that they have on the timeline.
    numbers = {row["text"][0]: row.times["request"] for row in await sink.rows("numbers")}
    assert len(set(numbers.values())) == len(numbers) == count
    rows = await sink.rows("inside")
    wrong = [row for row in rows if row.times.get("request") != numbers[row["text"][0].split()[0]]]
    assert wrong == []
    steps = Counter("step" in row.times for row in rows)
    assert steps[True] == count
    assert len(rows) > 8 * count

    requests = [row for row in await sink.rows() if row.entity_path.startswith("/http/requests/")]
    assert sorted(row.times["request"] for row in requests) == sorted(numbers.values())
    failures = await sink.rows("http/log")
    for row in failures:
        number = row["text"][0].rsplit(" ", 1)[-1]
        assert row.times["request"] in numbers.values(), number
    kinds = Counter(ENDS[number % len(ENDS)] for number in range(count))
    assert len(failures) == kinds["raises"] + kinds["raises late"] + kinds["raises group"]
    failed = {row.times["request"] for row in requests if row["failed"] == [True]}
    assert failed == {row.times["request"] for row in failures}
    gone = sum(row["client_disconnected"] == [True] for row in requests)
    assert gone == kinds["is cancelled"]
    assert (wrapped.stats.recorded, wrapped.stats.in_progress, wrapped._recorder.recent) == (count, 0, [])
