"""Sending many rows through the asyncio API: gates, counters, the byte limit, cancelling."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

import aiorerun as rr
from aiorerun import errors
from aiorerun.codec.decoder import read_chunks
from aiorerun.pipeline.capture import FULL
from aiorerun.sinks.memory import encode_stream
from tests.reading import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
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


async def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - it is about the inside of the pipeline
            await asyncio.sleep(0.001)


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
        # The warning.
        assert rec.stats().rows_accepted == 1

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
        from aiorerun.codec import blocks

        def broken(*_: Any, **__: Any) -> Any:
            raise RuntimeError("broken")

        async with stream() as rec:
            memory = await rec.memory_recording()
            monkeypatch.setattr(blocks, "chunks_of", broken)
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


class TestTables:
    async def test_a_reader_is_read_batch_by_batch_as_there_is_room(self) -> None:
        sink = SlowSink()
        read = 0

        def batches() -> Iterator[pa.RecordBatch]:
            nonlocal read
            for start in range(0, 50_000, 5000):
                read += 1
                rows = np.arange(start, start + 5000)
                yield pa.record_batch({"f": rows, "x": rows / 2})

        schema = pa.schema({"f": pa.int64(), "x": pa.float64()})
        reader = pa.RecordBatchReader.from_batches(schema, batches())
        async with stream(max_bytes_in_flight=400_000, max_wait=60) as rec:
            await rec.set_sinks(sink)
            await rec.flush()
            sink.gate.clear()
            task = asyncio.create_task(rec.send_dataframe(reader, index="f", entity_path="a"))
            await until(lambda: rec._capture.gate == FULL)
            # It reads no further, however long it waits.
            await asyncio.sleep(0.02)
            assert read < 10
            sink.gate.set()
            await task
        assert read == 10
        assert sink.frames() == list(range(50_000))

    async def test_cancelling_stops_between_batches(self) -> None:
        sink = SlowSink()
        table = pa.table({"f": np.arange(50_000), "x": np.arange(50_000.0)})
        async with stream(max_bytes_in_flight=400_000, max_wait=60) as rec:
            await rec.set_sinks(sink)
            await rec.flush()
            sink.gate.clear()
            reader = table.to_reader(max_chunksize=5000)
            task = asyncio.create_task(rec.send_dataframe(reader, index="f"))
            await until(lambda: rec._capture.gate == FULL)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            accepted = rec.stats().rows_accepted
            sink.gate.set()
        assert 0 < accepted < 50_000
        assert sink.frames() == list(range(accepted))

    async def test_large_batches_are_copied_in_a_thread(self) -> None:
        values = np.arange(300_000.0)
        async with stream() as rec:
            memory = await rec.memory_recording()
            await rec.send_dataframe(pa.table({"f": np.arange(300_000), "x": values}), index="f")
            values[:] = 0
            (row,) = rows_of(await memory.drain_as_bytes())[-1:]
        assert (row.times, row.values) == ({"f": 299_999}, {"x": [299_999.0]})

    async def test_without_an_index_the_rows_are_static_with_one_warning(self) -> None:
        async with stream() as rec:
            memory = await rec.memory_recording()
            reader = pa.table({"x": [1, 2, 3, 4]}).to_reader(max_chunksize=2)
            with pytest.warns(rr.RerunWarning, match="static") as caught:
                await rec.send_dataframe(reader)
            assert [warning.filename for warning in caught] == [__file__]
            rows = rows_of(await memory.drain_as_bytes())
        assert [(row.path, row.times, row.values["x"]) for row in rows] == [
            ("/", {}, [x]) for x in (1, 2, 3, 4)
        ]

    @pytest.mark.parametrize(
        ("table", "options", "error", "text"),
        [
            ([1], {}, TypeError, "df must be a pyarrow Table"),
            (pa.table({"x": [1]}), {"index": "t"}, ValueError, "index 't': there is no such column.*x"),
            (pa.table({"t": [1.5], "x": [1]}), {"index": "t"}, ValueError, "'t' holds double"),
            (pa.table({"t": [None, 1], "x": [1, 2]}), {"index": "t"}, ValueError, "'t'.*nulls"),
            (pa.table({"t": [1]}), {"index": "t"}, ValueError, "no component column"),
            (pa.table({"t": [1], "x": [1]}), {"index": [1]}, TypeError, "names of columns"),
            (pa.table({"x": [1], "/:x": [1]}), {"index": None}, ValueError, "several columns.*'x' of /"),
            (pa.table({"x": [1]}), {"index": None, "entity_path": 3}, TypeError, "entity_path"),
        ],
    )
    async def test_wrong_use_warns_or_raises(
        self, table: Any, options: dict[str, Any], error: type[Exception], text: str
    ) -> None:
        rec = stream()
        with pytest.warns(rr.RerunWarning, match=f"send_dataframe: {error.__name__}.*{text}"):
            await rec.send_dataframe(table, **options)
        rr.set_strict_mode(True)
        with pytest.raises(error, match=text):
            await rec.send_dataframe(table, **options)
        # The warning.
        assert rec.stats().rows_accepted == 1

    async def test_what_a_table_raises_while_it_is_read_comes_through(self) -> None:
        def batches() -> Iterator[pa.RecordBatch]:
            yield pa.record_batch({"x": [1, 2]})
            raise OSError("the disk is gone")

        rec = stream()
        reader = pa.RecordBatchReader.from_batches(pa.schema({"x": pa.int64()}), batches())
        with pytest.raises(OSError, match="the disk is gone"):
            await rec.send_dataframe(reader, index=None)
        assert rec.stats().rows_accepted == 2

    async def test_disabled_and_closed_streams(self) -> None:
        wrong: Any = None
        await stream(default_enabled=False).send_dataframe(wrong)
        rec = stream()
        await rec.aclose()
        with pytest.warns(rr.RerunWarning, match="send_record_batch: StreamClosedError"):
            await rec.send_record_batch(wrong)

    @pytest.mark.parametrize("library", ["pandas", "polars"])
    async def test_frames_of_other_libraries(self, library: str) -> None:
        module = pytest.importorskip(library)
        frame = module.DataFrame(
            {"t": [3, 1, 2], "x": [1.5, 2.5, 3.5], "text": ["a", "b", "a string of some length"]}
        )
        async with stream() as rec:
            memory = await rec.memory_recording()
            await rec.send_dataframe(frame, index="t", entity_path="a")
            rows = rows_of(await memory.drain_as_bytes())
        assert [row.times["t"] for row in rows] == [3, 1, 2]
        assert [row.values["text"] for row in rows] == [["a"], ["b"], ["a string of some length"]]

    async def test_old_spellings_of_metadata_are_read(self) -> None:
        fields = [
            pa.field("t", pa.int64(), metadata={"rerun.kind": "time", "rerun.index_name": "frame"}),
            pa.field("x", pa.int64(), metadata={"rerun.entity_path": "/old"}),
        ]
        async with stream() as rec:
            memory = await rec.memory_recording()
            await rec.send_record_batch(
                pa.record_batch([pa.array([1]), pa.array([2])], schema=pa.schema(fields))
            )
            (row,) = rows_of(await memory.drain_as_bytes())
        assert (row.path, row.times, row.values) == ("/old", {"frame": 1}, {"x": [2]})

    async def test_row_ids_that_do_not_ascend_are_replaced(self) -> None:
        fields = [
            pa.field("r", pa.binary(16), metadata={"rerun:kind": "control"}),
            pa.field("x", pa.int64()),
        ]
        schema = pa.schema(fields, metadata={"rerun:id": "chunk_18EA9056986876EB305723030e3002b0"})
        async with stream() as rec:
            memory = await rec.memory_recording()
            for ids in ([b"0" * 16, b"1" * 16], [b"1" * 16, b"0" * 16], [b"0" * 16, None]):
                await rec.send_record_batch(
                    pa.record_batch([pa.array(ids, pa.binary(16)), pa.array([1, 2])], schema=schema)
                )
            rows = rows_of(await memory.drain_as_bytes())
        assert [row.row_id for row in rows[:2]] == [b"0" * 16, b"1" * 16]
        assert not {row.row_id for row in rows[2:]} & {b"0" * 16, b"1" * 16}

    async def test_the_batches_of_a_table_are_chunks_of_their_own(self) -> None:
        fields = [
            pa.field("r", pa.binary(16), metadata={"rerun:kind": "control"}),
            pa.field("x", pa.int64()),
        ]
        schema = pa.schema(fields, metadata={"rerun:id": "chunk_18EA9056986876EB305723030e3002b0"})
        ids = [bytes([number]) * 16 for number in range(4)]
        whole = pa.record_batch([pa.array(ids, pa.binary(16)), pa.array([1, 2, 3, 4])], schema=schema)
        async with stream() as rec:
            memory = await rec.memory_recording()
            await rec.send_dataframe(pa.Table.from_batches([whole.slice(0, 2), whole.slice(2)]))
            data = await memory.drain_as_bytes()
        assert [row.row_id for row in rows_of(data)] == ids
        chunk_ids = [batch.schema.metadata[b"rerun:id"] for _, batch in read_chunks(data)]
        # Viewers drop a second chunk with the id of the first.
        assert len(set(chunk_ids)) == 2
        assert chunk_ids[0].lower() == schema.metadata[b"rerun:id"].lower()


class TestProperties:
    async def test_they_are_static_values_below_the_properties(self) -> None:
        async with stream() as rec:
            memory = await rec.memory_recording()
            rec.set_time("f", sequence=1)
            await rec.send_property("foo/bar", rr.AnyValues(sent_property=1))
            await rec.send_recording_name("name")
            await rec.send_recording_start_time_nanos(np.int64(42))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
            batches = [batch for _, batch in read_chunks(await memory.drain_as_bytes())]
        found = {}
        for batch in batches:
            columns = dict(zip(batch.schema.names[1:], batch.columns[1:], strict=True))
            path = batch.schema.metadata[b"rerun:entity_path"].decode()
            found.update({(path, name): column.to_pylist() for name, column in columns.items()})
        assert found == {
            ("/__properties/foo\\/bar", "sent_property"): [[1]],
            ("/__properties", "RecordingInfo:name"): [["name"]],
            ("/__properties", "RecordingInfo:start_time"): [[42]],
        }

    @pytest.mark.parametrize(
        ("name", "arguments", "error"),
        [
            ("send_property", (3, []), TypeError),
            ("send_property", ("x", 3), TypeError),
            ("send_recording_name", (None,), TypeError),
            ("send_recording_start_time_nanos", (1.5,), TypeError),
            ("send_recording_start_time_nanos", (2**63,), OverflowError),
        ],
    )
    async def test_wrong_use_warns_or_raises(self, name: str, arguments: Any, error: type[Exception]) -> None:
        rec = stream()
        with pytest.warns(rr.RerunWarning, match=error.__name__):
            await getattr(rec, name)(*arguments)
        rr.set_strict_mode(True)
        with pytest.raises(error):
            await getattr(rec, name)(*arguments)
        # The warning.
        assert rec.stats().rows_accepted == 1

    async def test_module_functions(self) -> None:
        first, second = stream(), stream()
        for recording in (None, second):
            with first:
                await rr.send_property("x", rr.AnyValues(sent_property=1), recording)
                await rr.send_recording_name("x", recording)
                await rr.send_recording_start_time_nanos(1, recording)
                await rr.send_record_batch(pa.record_batch({"x": [1]}), recording, index=None)
                await rr.send_dataframe(pa.table({"x": [1]}), recording, index=None)
        assert (first.stats().rows_accepted, second.stats().rows_accepted) == (5, 5)
        await rr.send_property("x", rr.AnyValues(sent_property=1))
        await rr.send_dataframe(pa.table({"x": [1]}))
