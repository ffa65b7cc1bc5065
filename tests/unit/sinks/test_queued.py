"""The wrapper that gives any sink a queue of its own."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
from aiorerun.sinks.memory import MemorySink

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_the_sink_it_wraps(tmp_path: Path) -> None:
    file = rr.FileSink(tmp_path / "a.rrd")
    queued = rr.QueuedSink(file, overflow="keep_latest", max_queued_bytes=100)
    assert isinstance(queued, rr.Sink)
    assert queued == file
    assert file == queued
    assert queued == rr.QueuedSink(file)
    assert queued != rr.FileSink(tmp_path / "b.rrd")
    assert hash(queued) == hash(file)
    assert queued.is_file
    assert rr.QueuedSink(MemorySink()).is_memory
    assert not hasattr(queued, "is_memory")
    assert copy.copy(queued) == file
    assert repr(queued) == f"QueuedSink({file!r}, overflow='keep_latest', max_queued_bytes=100)"
    assert repr(rr.QueuedSink(file)) == f"QueuedSink({file!r}, overflow='drop_oldest')"


async def test_it_passes_everything_on() -> None:
    class Sink:
        calls: list[Any]

        def __init__(self) -> None:
            self.calls = []

        async def open(self, context: Any) -> None:
            self.calls.append(context)

        async def write(self, messages: Any) -> None:
            self.calls.append(messages)

        async def flush(self) -> None:
            self.calls.append("flush")

        async def aclose(self) -> None:
            self.calls.append("aclose")

    sink = Sink()
    queued = rr.QueuedSink(sink)
    context: Any = "context"
    await queued.open(context)
    await queued.write([])
    await queued.flush()
    await queued.aclose()
    assert sink.calls == ["context", [], "flush", "aclose"]


def test_what_is_no_sink_is_refused() -> None:
    for other in (5, None, "a.rrd"):
        with pytest.raises(TypeError, match=r"QueuedSink: .* is not a sink"):
            rr.QueuedSink(other)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="max_queued_bytes must be a number, got str"):
        rr.QueuedSink(MemorySink(), max_queued_bytes="1MB")  # type: ignore[arg-type]


async def test_the_same_file_twice_is_still_refused(tmp_path: Path) -> None:
    file = rr.FileSink(tmp_path / "a.rrd")
    rec = rr.AsyncRecordingStream("app", recording_id="queued")
    with pytest.raises(ValueError, match="Duplicate sinks"):
        await rec.set_sinks(file, rr.QueuedSink(file))
