"""Sending many rows through the blocking API."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

import aiorerun.sync as rr
from aiorerun import errors
from tests.reading import rows_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mode of a new process."""
    monkeypatch.setattr(errors._Mode, "strict", None)


def stream(**options: Any) -> rr.RecordingStream:
    return rr.RecordingStream("app", recording_id="sending", send_properties=False, **options)


def scalars(rows: int, start: int = 0) -> tuple[str, list[rr.TimeColumn], rr.ComponentColumnList]:
    frames = [rr.TimeColumn("f", sequence=range(start, start + rows))]
    return "a", frames, rr.Scalars.columns(scalars=np.arange(float(rows)))


def test_rows_arrive_from_many_threads(tmp_path: Path) -> None:
    rec = stream(max_bytes_in_flight=400_000)
    rec.save(tmp_path / "x.rrd")

    def run(thread: int) -> None:
        for call in range(20):
            rec.send_columns(*scalars(100, 100 * (20 * thread + call)))

    threads = [threading.Thread(target=run, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rec.disconnect()
    stats = rec.stats()
    assert (stats.rows_accepted, stats.rows_delivered, stats.rows_refused) == (8000, 8000, 0)
    assert sorted(row.times["f"] for row in rows_of(tmp_path / "x.rrd")) == list(range(8000))


def test_module_function() -> None:
    rr.send_columns(*scalars(1))
    first, second = stream(), stream()
    with first:
        rr.send_columns(*scalars(2))
        rr.send_columns(*scalars(3), recording=second)
    assert (first.stats().rows_accepted, second.stats().rows_accepted) == (2, 3)


def test_wrong_use_warns_or_raises() -> None:
    rec = stream()
    path, frames, _ = scalars(2)
    columns = rr.Scalars.columns(scalars=[1.0])
    with pytest.warns(rr.RerunWarning, match="send_columns: ValueError") as caught:
        rec.send_columns(path, frames, columns)
    assert caught[0].filename == __file__
    with pytest.raises(ValueError, match="'Scalars:scalars' has 1"):
        rec.send_columns(path, frames, columns, strict=True)
    rec.close()
    with pytest.raises(rr.StreamClosedError):
        rec.send_columns(*scalars(1), strict=True)


def test_after_max_wait_all_rows_of_the_call_are_refused() -> None:
    release = threading.Event()

    class Sink:
        async def open(self, context: Any) -> None:
            self._run = context.run_blocking

        async def write(self, messages: Any) -> None:
            await self._run(lambda: release.wait(60))

        async def flush(self) -> None: ...

        async def aclose(self) -> None: ...

    rec = stream(max_bytes_in_flight=160_000, max_wait=0.05)
    rec.set_sinks(Sink())
    rec.send_columns(*scalars(10_000))
    with pytest.warns(rr.RerunWarning, match="are refused"):
        rec.send_columns(*scalars(7))
    assert rec.stats().rows_refused == 7
    release.set()
    rec.disconnect()
    assert rec.stats().rows_delivered == 10_000


def test_tables(tmp_path: Path) -> None:
    rec = stream(max_bytes_in_flight=400_000, max_wait=60)
    rec.save(tmp_path / "x.rrd")
    table = pa.table({"f": np.arange(50_000), "x": np.arange(50_000.0)})
    rec.send_dataframe(table.to_reader(max_chunksize=5000), index="f", entity_path="a")
    rec.send_record_batch(table.slice(0, 3).to_batches()[0], index=None)
    rec.disconnect()
    rows = rows_of(tmp_path / "x.rrd")
    assert sorted(row.times["f"] for row in rows if row.path == "/a") == list(range(50_000))
    assert len(rows) == 50_003


def test_wrong_tables_warn_or_raise() -> None:
    rec = stream()
    wrong: Any = 3
    with pytest.warns(rr.RerunWarning, match="send_dataframe: TypeError.*df must be"):
        rec.send_dataframe(wrong)
    with pytest.warns(rr.RerunWarning, match="send_dataframe: ValueError.*no such column"):
        rec.send_dataframe(pa.table({"x": [1]}), index="t")
    with pytest.warns(rr.RerunWarning, match="send_dataframe: ValueError.*nulls"):
        rec.send_dataframe(pa.table({"t": [None, 1], "x": [1, 2]}), index="t")
    # The warnings, which are recorded.
    assert rec.stats().rows_accepted == 3
    rec.close()
    with pytest.warns(rr.RerunWarning, match="send_dataframe: StreamClosedError"):
        rec.send_dataframe(wrong)


def test_properties_and_module_functions() -> None:
    first, second = stream(), stream()
    for recording in (None, second):
        with first:
            rr.send_property("x", rr.AnyValues(sent_property=1), recording)
            rr.send_recording_name("x", recording)
            rr.send_recording_start_time_nanos(1, recording)
            rr.send_record_batch(pa.record_batch({"x": [1]}), recording, index=None)
            rr.send_dataframe(pa.table({"x": [1]}), recording, index=None)
    assert (first.stats().rows_accepted, second.stats().rows_accepted) == (5, 5)
    rr.send_property("x", rr.AnyValues(sent_property=1))
    wrong: Any = 3
    with pytest.warns(rr.RerunWarning, match="send_property: TypeError"):
        first.send_property(wrong, [])
    with pytest.warns(rr.RerunWarning, match="send_recording_name: TypeError"):
        first.send_recording_name(wrong)
    with pytest.warns(rr.RerunWarning, match="send_recording_start_time_nanos: TypeError"):
        first.send_recording_start_time_nanos(wrong / 2)
    # And the three warnings.
    assert first.stats().rows_accepted == 5 + 3
