"""Where rows are encoded: what takes no time on the event loop, everything else in the worker."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import aiorerun as rr
from aiorerun.engine import delivery, jobs
from aiorerun.sinks.memory import encode_stream
from tests.reading import rows_of, scalars_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiorerun.codec.messages import Message

FAR = 1 << 60


class ListSink:
    """Keeps messages."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def open(self, context: Any) -> None: ...

    async def write(self, messages: Sequence[Message]) -> None:
        self.messages.extend(messages)

    async def flush(self) -> None: ...

    async def aclose(self) -> None: ...


def stream() -> rr.AsyncRecordingStream:
    return rr.AsyncRecordingStream(
        "app",
        recording_id="delivery",
        send_properties=False,
        batcher_config=rr.ChunkBatcherConfig.NEVER(),
    )


async def attached() -> tuple[rr.AsyncRecordingStream, ListSink]:
    rec, sink = stream(), ListSink()
    await rec.set_sinks(sink)
    return rec, sink


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where batches were encoded: the name of the thread for each."""
    names: list[str] = []
    encode = jobs._outcome

    def noted(*arguments: Any) -> jobs.Outcome:
        names.append(threading.current_thread().name)
        return encode(*arguments)

    monkeypatch.setattr(jobs, "_outcome", noted)
    return names


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch is encoded alone, and on the loop however slow this machine is."""
    monkeypatch.setattr(jobs, "QUICK_NS", FAR)
    monkeypatch.setattr(delivery, "QUICK_JOB_BYTES", 1)
    monkeypatch.setattr(delivery, "JOB_BYTES", 1)
    monkeypatch.setattr(delivery, "TURN_NS", 1)


async def flushed(rec: rr.AsyncRecordingStream, *values: float) -> None:
    for value in values:
        await rec.log("a", rr.Scalars(value))
    await rec.flush()


async def test_the_first_rows_go_to_the_worker_and_the_next_few_stay(
    threads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow this machine is.
    monkeypatch.setattr(jobs, "QUICK_NS", FAR)
    rec, sink = await attached()
    for value in range(3):
        await flushed(rec, float(value))
    assert threads == ["aiorerun-worker", "MainThread", "MainThread"]
    await rec.disconnect()
    assert scalars_of(encode_stream(sink.messages), "/a") == [0.0, 1.0, 2.0]
    assert rec.stats().rows_delivered == 3


async def test_what_took_long_goes_to_the_worker(threads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "QUICK_NS", -1)
    rec, _ = await attached()
    for value in range(3):
        await flushed(rec, float(value))
    assert threads == ["aiorerun-worker"] * 3
    await rec.disconnect()


async def test_large_rows_go_to_the_worker(threads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "QUICK_NS", FAR)
    rec, sink = await attached()
    for _ in range(3):
        await rec.log("points", rr.Points3D(np.zeros((200_000, 3), np.float32)))
        await rec.flush()
    assert threads == ["aiorerun-worker"] * 3
    await rec.disconnect()
    assert len(rows_of(encode_stream(sink.messages))) == 3


@pytest.mark.usefixtures("alone")
async def test_the_order_is_kept_between_both(threads: list[str]) -> None:
    rec, sink = await attached()
    await flushed(rec, 0.0)
    for value in range(1, 40):
        await rec.log("a", rr.Scalars(float(value)))
        # Ready chunks always go to the worker.
        await rec.send_columns("b", [], rr.Scalars.columns(scalars=[float(value)]))
        rec._engine._cut_all()
    await rec.disconnect()
    assert {"MainThread", "aiorerun-worker"} <= set(threads)
    assert scalars_of(encode_stream(sink.messages), "/a") == [float(value) for value in range(40)]
    assert scalars_of(encode_stream(sink.messages), "/b") == [float(value) for value in range(1, 40)]


async def test_an_error_on_the_loop_loses_its_own_rows_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(jobs, "QUICK_NS", FAR)
    rec, sink = await attached()
    await flushed(rec, 0.0)
    encode: Callable[..., Any] = jobs._outcome

    def fail(*arguments: Any) -> Any:
        monkeypatch.setattr(jobs, "_outcome", encode)
        assert threading.current_thread() is threading.main_thread()
        raise MemoryError("no memory")

    monkeypatch.setattr(jobs, "_outcome", fail)
    await flushed(rec, 1.0)
    await flushed(rec, 2.0)
    await rec.disconnect()
    assert scalars_of(encode_stream(sink.messages), "/a") == [0.0, 2.0]
    assert "could not be encoded: MemoryError" in caplog.text
    stats = rec.stats()
    assert (stats.rows_delivered, stats.rows_dropped, stats.rows_pending) == (2, 1, 0)


@pytest.mark.usefixtures("alone")
async def test_others_have_their_turns_while_much_is_encoded_on_the_loop(threads: list[str]) -> None:
    rec, _ = await attached()
    await flushed(rec, 0.0)
    for value in range(10):
        await rec.log("a", rr.Scalars(float(value)))
        rec._engine._cut_all()
    before = len(threads)
    turns: list[int] = []
    while len(threads) < before + 10:
        await asyncio.sleep(0)
        turns.append(len(threads))
    # Never more than one batch between two turns of this task.
    assert max(after - earlier for earlier, after in zip([before, *turns], turns, strict=False)) == 1
    await rec.disconnect()


@pytest.mark.usefixtures("alone")
async def test_cancelling_everything_in_the_middle_loses_nothing() -> None:
    rec, sink = stream(), ListSink()

    async def program() -> None:
        await rec.set_sinks(sink)
        await flushed(rec, 0.0)
        for value in range(1, 20):
            await rec.log("a", rr.Scalars(float(value)))
            rec._engine._cut_all()
        # In the middle of the batches, all tasks are cancelled: the loop shuts down.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    await asyncio.to_thread(asyncio.run, program())
    assert scalars_of(encode_stream(sink.messages), "/a") == [float(value) for value in range(20)]
