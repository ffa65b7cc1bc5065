"""What files hold: the same by their footers and by reading them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

import aiorerun.sync as rr
from aiorerun.codec.errors import RrdError
from aiorerun.files import summary as summaries
from aiorerun.files.summary import summarize
from aiorerun.recording.source import Source
from aiorerun.types.timeline import TimelineKind
from tests.unit.codec.building import announcement, stream_of
from tests.unit.recording.making import everything, one_recording

if TYPE_CHECKING:
    from pathlib import Path


def test_both_ways_say_the_same(tmp_path: Path) -> None:
    path = tmp_path / "all.bin"
    path.write_bytes(everything())
    found, scanned = summarize(path), summarize(path, use_footer=False)
    assert (found.is_by_footer, scanned.is_by_footer) == (True, False)
    assert found.has_footer
    assert scanned.has_footer
    assert found.recordings == scanned.recordings
    assert (found.version, found.nbytes, found.notes) == ((0, 41, 0), path.stat().st_size, [])
    first = found.recordings[0]
    assert (first.chunks, first.rows) == (5, 8)
    points = first.entities["/points"]
    assert (points.chunks, points.rows) == (3, 5)
    assert points.components["label"].is_static
    assert points.components["label"].type == pa.string()
    assert not points.components["Points3D:positions"].is_static
    assert first.timelines["frame"] == (TimelineKind.SEQUENCE, 0, 3)
    assert sum(each.nbytes for each in found.recordings) < found.nbytes
    assert first.source == "Python SDK 0.41.0"


def test_name_and_start(tmp_path: Path) -> None:
    rec = rr.RecordingStream("rerun_example_named", recording_id="x")
    rec.save(tmp_path / "one.bin")
    rec.send_recording_name("before")
    rec.send_recording_name("the name")
    rec.send_recording_start_time_nanos(1_700_000_000_000_000_000)
    rec.disconnect()
    for use_footer in (True, False):
        (found,) = summarize(tmp_path / "one.bin", use_footer=use_footer).recordings
        assert (found.name, found.start) == ("the name", 1_700_000_000_000_000_000)


def test_a_footer_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = one_recording(tmp_path / "one.bin")
    read = 0
    original = Source.read

    def count(self: Source, offset: int, size: int) -> bytes:
        nonlocal read
        read += 1
        # The announcement, the footer, and the properties.
        assert offset < 200 or size < 2000 or offset + size >= path.stat().st_size - 32
        return original(self, offset, size)

    monkeypatch.setattr(Source, "read", count)
    assert summarize(path).is_by_footer
    assert read < 15


def test_too_large_footers_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = one_recording(tmp_path / "one.bin")
    monkeypatch.setattr(summaries, "MAX_FOOTER_BYTES", 100)
    found = summarize(path)
    assert (found.is_by_footer, found.has_footer) == (False, True)
    assert found.recordings[0].rows == 8


def test_cut_and_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "cut.bin"
    data = everything(write_footer=False)
    path.write_bytes(data[:-10])
    found = summarize(path)
    assert (found.has_footer, found.is_by_footer) == (False, False)
    assert "cut off" in found.notes[0].text
    damaged = bytearray(data)
    damaged[300:400] = bytes(100)
    path.write_bytes(bytes(damaged))
    found = summarize(path)
    assert "left out" in found.notes[0].text
    assert found.recordings[0].chunks == 4


def test_recordings_that_are_only_announced(tmp_path: Path) -> None:
    path = tmp_path / "one.bin"
    path.write_bytes(stream_of([announcement()]))
    (found,) = summarize(path).recordings
    assert (found.rows, found.entities) == (0, {})


@pytest.mark.parametrize("data", [b"", b"RRF2", b"x" * 100, b"RRF1" + bytes(20)])
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "other.bin"
    path.write_bytes(data)
    with pytest.raises(RrdError):
        summarize(path)


def test_large_counts_are_exact(tmp_path: Path) -> None:
    rec = rr.RecordingStream("rerun_example_many", recording_id="x", send_properties=False)
    rec.save(tmp_path / "one.bin")
    numbers = np.arange(100_000)
    rec.send_columns("a", [rr.TimeColumn("n", sequence=numbers)], rr.Scalars.columns(scalars=numbers))
    rec.disconnect()
    (found,) = summarize(tmp_path / "one.bin").recordings
    assert found.rows == 100_000
    assert found.timelines["n"][1:] == (0, 99_999)
