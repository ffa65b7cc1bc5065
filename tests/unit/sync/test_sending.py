"""Sending many rows through the blocking API."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
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
