"""A dump of the flight recorder and the parts of a rotating file, in the native viewer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

import aiorerun as rr
from tests.e2e.scene import APPLICATION, FRAMES, log_scene
from tests.e2e.showing import errors, show, until, viewer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aiorerun.viewer.state import ViewerState

pytestmark = pytest.mark.usefixtures("native_viewer")


async def open_in_viewer(paths: Sequence[Path], recording_id: str) -> ViewerState:
    """The state of a viewer that has opened the files, when the recording is all there."""

    def is_there(state: ViewerState) -> bool:
        return bool(state.views) and any(
            recording.store_id.endswith(f":{recording_id}")
            and {line.name: line.end for line in recording.timelines}.get("frame") == FRAMES - 1
            for recording in state.recordings
        )

    async with viewer() as client:
        await show(client, *paths)
        return await until(client, is_there)


async def test_a_dump_opens_in_the_viewer(tmp_path: Path) -> None:
    sink = rr.FlightRecorderSink(max_seconds=600, path=tmp_path / "dump.rrd")
    async with rr.AsyncRecordingStream(APPLICATION, recording_id="dump") as rec:
        await rec.set_sinks(sink)
        await log_scene(rec)
        dump = await sink.dump()
    state = await open_in_viewer([dump], "dump")
    assert {view.origin for view in state.views} == {"/img", "/scalar"}
    assert errors(state.views) == []
    [recording] = [each for each in state.recordings if each.store_id.endswith(":dump")]
    # What it holds is the last seconds of the program, in the viewer too.
    [log_time] = [line for line in recording.timelines if line.name == "log_time"]
    assert log_time.end is not None
    assert abs(log_time.end / 1e9 - time.time()) < 600


async def test_parts_open_as_one_recording(tmp_path: Path) -> None:
    sink = rr.RotatingFileSink(tmp_path / "run.rrd", max_bytes=20_000)
    async with rr.AsyncRecordingStream(APPLICATION, recording_id="parts") as rec:
        await rec.set_sinks(sink)
        await log_scene(rec)
        for _ in range(20):
            await rec.log("filler", rr.AnyValues(data=bytes(range(256)) * 20))
            await rec.flush()
    assert len(sink.parts) > 1
    state = await open_in_viewer(sink.parts, "parts")
    [recording] = [each for each in state.recordings if each.store_id.endswith(":parts")]
    ticks = {line.name: (line.start, line.end) for line in recording.timelines}["log_tick"]
    assert ticks == (0, 2 * FRAMES + 20 - 1)
    assert errors(state.views) == []
