"""Sinks that are dead, frozen or slow: requests do not notice, memory is bounded, all rows are accounted."""

from __future__ import annotations

import asyncio
import socket
import time
import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
from aiorerun.integrations.asgi import RerunMiddleware, lifespan
from tests.asgi import drive, http_scope

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from aiorerun.codec.messages import Message
    from tests.conftest import Sized

LIMIT = 1 << 20


class SlowSink:
    """Takes its time for whatever it is given."""

    def __init__(self) -> None:
        self.rows = 0

    async def open(self, context: rr.SinkContext) -> None: ...

    async def write(self, messages: Sequence[Message]) -> None:
        await asyncio.sleep(0.2)
        self.rows += sum(message.rows for message in messages)

    async def flush(self) -> None: ...

    async def aclose(self) -> None: ...


@contextmanager
def sink_options(kind: str) -> Generator[dict[str, Any]]:
    """What a service is told, and who is at the other end."""
    if kind == "slow":
        yield {"sinks": [SlowSink()]}
        return
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if kind == "frozen":
            # The system accepts connections, and nobody ever reads from them.
            listener.listen()
        yield {"connect_grpc": f"rerun+http://127.0.0.1:{listener.getsockname()[1]}/proxy"}


async def answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"ok"})


async def longest_pause(stop: asyncio.Event) -> float:
    """How long the loop was held up at most."""
    longest = 0.0
    while not stop.is_set():
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        longest = max(longest, time.perf_counter() - before)
    return longest


@pytest.mark.parametrize("kind", ["dead", "frozen", "slow"])
async def test_requests_do_not_notice(kind: str, sized: Sized) -> None:
    rounds = sized(40, 2_000)
    wrapped = RerunMiddleware(answer, rate_interval=0)
    stop = asyncio.Event()
    with sink_options(kind) as options:
        helper = lifespan(max_bytes_in_flight=LIMIT, close_timeout=0.5, **options)
        async with helper("app"):
            recording = rr.get_data_recording()
            assert recording is not None
            watch = asyncio.create_task(longest_pause(stop))
            peak = 0
            for number in range(rounds):
                async with asyncio.timeout(20):
                    answers = await asyncio.gather(
                        *(drive(wrapped, http_scope(f"/{number % 7}")) for _ in range(100))
                    )
                assert all(len(each.sent) == 2 and each.error is None for each in answers)
                peak = max(peak, recording.stats().pending_bytes)
            stop.set()
            held_up = await watch
            # Asking for it hands in what is left. Rows of its name and of its beginning are logged as well.
            recorded = wrapped.stats.recorded
            assert recording.stats().rows_accepted == recorded + 2 == 100 * rounds + 2
            began = time.monotonic()
        ended = time.monotonic() - began
    stats = recording.stats()

    assert peak <= 2 * LIMIT
    assert held_up < 2
    assert ended < 10
    assert stats.rows_pending == 0
    assert stats.rows_accepted == stats.rows_delivered + stats.rows_dropped
    if kind != "slow":
        assert stats.rows_delivered == 0


async def test_memory_is_bounded(sized: Sized) -> None:
    """Nobody takes anything: what is kept stays the same, however many requests there were."""
    rounds = sized(30, 2_000)
    wrapped = RerunMiddleware(answer)
    with sink_options("dead") as options:
        async with lifespan(max_bytes_in_flight=LIMIT >> 2, close_timeout=0.1, **options)("app"):
            sizes = []
            tracemalloc.start()
            for number in range(rounds):
                await asyncio.gather(
                    *(drive(wrapped, http_scope(f"/{number}/x/{number}")) for _ in range(100))
                )
                sizes.append(tracemalloc.get_traced_memory()[0])
            tracemalloc.stop()

    assert sizes[-1] - sizes[len(sizes) // 2] < 4 * LIMIT
