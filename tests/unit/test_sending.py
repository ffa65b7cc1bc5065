"""Sending many rows through the asyncio API: gates, counters, the byte limit, cancelling."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import aiorerun as rr
from aiorerun import errors
from aiorerun.sinks.memory import encode_stream
from tests.reading import rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aiorerun.codec.messages import Message


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mode of a new process."""
    monkeypatch.setattr(errors._Mode, "strict", None)


class SlowSink:
    """Keeps messages; takes none while ``gate`` is cleared."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def open(self, context: Any) -> None: ...

    async def write(self, messages: Sequence[Message]) -> None:
        await self.gate.wait()
        self.messages.extend(messages)

    async def flush(self) -> None: ...

    async def aclose(self) -> None: ...

    def frames(self) -> list[int]:
        return [row.times["f"] for row in rows_of(encode_stream(self.messages))]


def stream(**options: Any) -> rr.AsyncRecordingStream:
    options.setdefault("send_properties", False)
    return rr.AsyncRecordingStream("app", recording_id="sending", **options)


def scalars(rows: int, start: int = 0) -> tuple[str, list[rr.TimeColumn], rr.ComponentColumnList]:
    frames = [rr.TimeColumn("f", sequence=range(start, start + rows))]
    return "a", frames, rr.Scalars.columns(scalars=np.arange(float(rows)))


class TestSendColumns:
    async def test_rows_arrive_with_their_times_and_no_others(self, tmp_path: Path) -> None:
        path = tmp_path / "x.rrd"
        async with stream() as rec:
            await rec.save(path)
            rec.set_time("other", sequence=1)
            await rec.log("b", rr.Scalars(1.0))
            await rec.send_columns(*scalars(3))
            await rec.log("b", rr.Scalars(2.0))
        rows = rows_of(path)
        assert [row.times for row in rows if row.path == "/a"] == [{"f": 0}, {"f": 1}, {"f": 2}]
        assert [row.times["log_tick"] for row in rows if row.path == "/b"] == [0, 1]

    async def test_what_is_sent_before_the_first_sink_waits_for_it(self, tmp_path: Path) -> None:
        rec = stream()
        await rec.send_columns(*scalars(3))
        assert rec.stats().rows_pending == 3
        async with rec:
            await rec.save(tmp_path / "x.rrd")
            await rec.flush()
            assert (rec.stats().rows_accepted, rec.stats().rows_delivered, rec.stats().chunks) == (3, 3, 1)
        assert len(rows_of(tmp_path / "x.rrd")) == 3

    async def test_paths_may_be_lists(self) -> None:
        async with stream() as rec:
            memory = await rec.memory_recording()
            await rec.send_columns(["a/b", 1], *scalars(1)[1:])
            rows = rows_of(await memory.drain_as_bytes())
        assert [row.path for row in rows] == ["/a\\/b/1"]

    async def test_wrong_use_warns_or_raises(self) -> None:
        rec = stream()
        path, frames, _ = scalars(2)
        columns = rr.Scalars.columns(scalars=[1.0])
        with pytest.warns(
            rr.RerunWarning, match="send_columns: ValueError.*'Scalars:scalars' has 1"
        ) as caught:
            await rec.send_columns(path, frames, columns)
        assert caught[0].filename == __file__
        with pytest.raises(ValueError, match="'Scalars:scalars' has 1"):
            await rec.send_columns(path, frames, columns, strict=True)
        rr.set_strict_mode(True)
        with pytest.raises(ValueError, match="'Scalars:scalars' has 1"):
            await rec.send_columns(path, frames, columns)
        assert rec.stats().rows_accepted == 0

    async def test_a_disabled_stream_takes_nothing_without_a_word(self) -> None:
        rec = stream(default_enabled=False)
        wrong: Any = None
        await rec.send_columns(wrong, wrong, wrong, strict=True)
        assert rec.stats().rows_accepted == 0

    async def test_a_closed_stream_refuses(self) -> None:
        rec = stream()
        await rec.aclose()
        with pytest.warns(rr.RerunWarning, match="send_columns: StreamClosedError"):
            await rec.send_columns(*scalars(1))
        with pytest.raises(rr.StreamClosedError):
            await rec.send_columns(*scalars(1), strict=True)

    async def test_the_sink_that_the_environment_asks_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("_RERUN_TEST_FORCE_SAVE", str(tmp_path / "forced.rrd"))
        async with stream() as rec:
            await rec.send_columns(*scalars(2))
        assert len(rows_of(tmp_path / "forced.rrd")) == 2


class TestModuleFunction:
    async def test_it_uses_the_active_recording_or_the_given_one(self) -> None:
        first, second = stream(), stream()
        await rr.send_columns(*scalars(1))
        with first:
            await rr.send_columns(*scalars(2))
            await rr.send_columns(*scalars(3), recording=second)
        assert (first.stats().rows_accepted, second.stats().rows_accepted) == (2, 3)


class TestOverload:
    async def test_over_the_limit_the_call_waits(self) -> None:
        sink = SlowSink()
        async with stream(max_bytes_in_flight=160_000) as rec:
            await rec.set_sinks(sink)
            await rec.flush()
            sink.gate.clear()
            await rec.send_columns(*scalars(10_000))
            waiting = asyncio.create_task(rec.send_columns(*scalars(10, 10_000)))
            done, _ = await asyncio.wait({waiting}, timeout=0.05)
            assert not done
            assert rec.stats().rows_accepted == 10_000
            sink.gate.set()
            await waiting
        assert sink.frames() == list(range(10_010))

    async def test_after_max_wait_all_rows_of_the_call_are_refused(self) -> None:
        sink = SlowSink()
        async with stream(max_bytes_in_flight=160_000, max_wait=0.05) as rec:
            await rec.set_sinks(sink)
            await rec.flush()
            sink.gate.clear()
            await rec.send_columns(*scalars(10_000))
            with pytest.warns(rr.RerunWarning, match="are refused"):
                await rec.send_columns(*scalars(7, 10_000))
            stats = rec.stats()
            assert (stats.rows_accepted, stats.rows_refused) == (10_000, 7)
            assert stats.reasons == {"over the byte limit": 7}
            sink.gate.set()
        assert sink.frames() == list(range(10_000))

    async def test_what_waits_is_what_was_given_at_the_call(self) -> None:
        sink = SlowSink()
        values = np.zeros(5)
        import pyarrow as pa

        class Column:
            def component_descriptor(self) -> rr.ComponentDescriptor:
                return rr.ComponentDescriptor("x")

            def as_arrow_array(self) -> Any:
                return pa.array(values)

        async with stream(max_bytes_in_flight=160_000) as rec:
            await rec.set_sinks(sink)
            await rec.flush()
            sink.gate.clear()
            await rec.send_columns(*scalars(10_000))
            waiting = asyncio.create_task(
                rec.send_columns("own", [rr.TimeColumn("f", sequence=range(5))], [Column()])
            )
            await asyncio.sleep(0)
            values[:] = 7.0
            sink.gate.set()
            await waiting
        rows = rows_of(encode_stream(sink.messages))
        assert [row.values["x"] for row in rows if row.path == "/own"] == [[0.0]] * 5

    async def test_cancelling_loses_nothing_that_was_accepted(self) -> None:
        sink = SlowSink()
        async with stream(max_bytes_in_flight=160_000) as rec:
            await rec.set_sinks(sink)
            await rec.flush()
            sink.gate.clear()
            tasks = [asyncio.create_task(rec.send_columns(*scalars(5000, 5000 * i))) for i in range(6)]
            await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            accepted = rec.stats().rows_accepted
            sink.gate.set()
            # Nobody stands in the way of the next call.
            await rec.send_columns(*scalars(1, 10**6))
        assert accepted >= 5000
        assert len(sink.frames()) == accepted + 1
        stats = rec.stats()
        assert (stats.rows_delivered, stats.rows_dropped, stats.rows_pending) == (accepted + 1, 0, 0)

    async def test_rows_that_cannot_be_encoded_are_counted(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        from aiorerun.pipeline import column_chunks

        def broken(*_: Any, **__: Any) -> Any:
            raise RuntimeError("broken")

        async with stream() as rec:
            memory = await rec.memory_recording()
            monkeypatch.setattr(column_chunks, "chunks_of", broken)
            await rec.send_columns(*scalars(3))
            await rec.flush()
            monkeypatch.undo()
            await rec.send_columns(*scalars(2))
            assert len(rows_of(await memory.drain_as_bytes())) == 2
        assert rec.stats().reasons == {"could not be encoded: RuntimeError": 3}
        assert "3 rows" in caplog.text

    async def test_large_calls_do_not_hold_up_the_loop(self) -> None:
        """What the loop does not do shows in how long the call takes: nothing in it grows with the rows."""
        async with stream() as rec:
            await rec.memory_recording()
            given = scalars(1_000_000)
            loop = asyncio.get_running_loop()
            times = []
            for _ in range(5):
                before = loop.time()
                await rec._send_block("send_columns", rec._captured("send_columns", *given, None), None)  # type: ignore[arg-type]
                times.append(loop.time() - before)
                await rec.flush()
            assert min(times) < 0.05
