"""A recording in parts is the recording: the official program verifies, merges and compares them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import aiorerun as rr
import aiorerun.blueprint as rrb
import aiorerun.sync as blocking
from tests.reading import assert_verified, rerun_cli, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def merged(files: Sequence[Path], into: Path) -> Path:
    """What the official program makes of several files."""
    result = rerun_cli("rrd", "merge", *files, "-o", into)
    assert result.returncode == 0, result.stderr
    return into


def rows(file: Path) -> list[Any]:
    return sorted(
        (row.recording, row.row_id, row.path, repr(row.times), repr(row.values)) for row in rows_of(file)
    )


def assert_equal(parts: Sequence[Path], whole: Path, folder: Path) -> None:
    """The parts, merged, have the chunks and rows of the one file."""
    one = merged(parts, folder / "merged parts.rrd")
    # Merging lets go of static rows that newer ones hide, and names other chunks than it read.
    other = merged([whole], folder / "merged whole.rrd")
    assert rows(one) == rows(other)
    compared = rerun_cli("rrd", "compare", "--unordered", one, other)
    assert compared.returncode == 0, compared.stdout + compared.stderr


async def test_merged_parts_equal_the_recording_in_one_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    sink = rr.RotatingFileSink(tmp_path / "run-{start:%Y%m%d}-{index:03}.rrd", max_bytes=60_000)
    rec = rr.AsyncRecordingStream("parts", recording_id="parts")
    await rec.set_sinks(sink, rr.FileSink(tmp_path / "whole.rrd"))
    await rec.log("map", rr.Points3D(rng.random((100, 3))), static=True)
    await rec.send_blueprint(rrb.Blueprint(rrb.Spatial3DView(origin="/")))
    for number in range(600):
        rec.set_time("row", sequence=number)
        rec.set_time("clock", duration=number / 10)
        await rec.log(f"wave{number % 3}", rr.Scalars(np.sin(number / 10)))
        if number % 10 == 0:
            await rec.log("cloud", rr.Points3D(rng.random((30, 3)), labels=[f"at {number}"]))
            await rec.flush()
        if number == 300:
            await rec.send_property("half", rr.AnyValues(done=True))
            await rec.log("map", rr.Points3D(rng.random((50, 3))), static=True)
            await rec.send_blueprint(rrb.Blueprint(rrb.TimeSeriesView(origin="/")))
    await rec.disconnect()

    assert len(sink.parts) > 3
    assert_verified(sink.parts)
    assert_equal(sink.parts, tmp_path / "whole.rrd", tmp_path)


@pytest.mark.parametrize("seconds", [0.05, 0.3])
def test_parts_of_the_blocking_api_by_time(seconds: float, tmp_path: Path) -> None:
    sink = blocking.RotatingFileSink(tmp_path / "run.rrd", max_seconds=seconds)
    rec = blocking.RecordingStream("parts", recording_id="parts")
    rec.set_sinks(sink, blocking.FileSink(tmp_path / "whole.rrd"))
    number = 0
    deadline = time.monotonic() + 60
    while len(sink.parts) < 4 and time.monotonic() < deadline:
        rec.set_time("row", sequence=number)
        rec.log("a", blocking.Scalars(float(number)))
        number += 1
        if number % 100 == 0:
            rec.flush()
    rec.disconnect()
    assert len(sink.parts) >= 4
    assert_verified(sink.parts)
    assert_equal(sink.parts, tmp_path / "whole.rrd", tmp_path)


async def test_a_dump_is_what_the_official_program_verifies_and_prints(tmp_path: Path) -> None:
    sink = rr.FlightRecorderSink(max_seconds=60)
    rec = rr.AsyncRecordingStream("parts", recording_id="parts")
    await rec.set_sinks(sink, rr.FileSink(tmp_path / "whole.rrd"))
    await rec.log("map", rr.Points3D([[1, 2, 3]]), static=True)
    await rec.send_blueprint(rrb.Blueprint(rrb.TimeSeriesView(origin="/")))
    for number in range(100):
        rec.set_time("row", sequence=number)
        await rec.log("a", rr.Scalars(float(number)))
    dump = await sink.dump(tmp_path / "dump.rrd")
    await rec.disconnect()
    assert_verified([dump])
    # Nothing was old: it is the recording so far.
    assert_equal([dump], tmp_path / "whole.rrd", tmp_path)
