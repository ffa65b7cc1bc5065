"""The native viewer without a window: started, driven, looked at, and gone afterwards."""

from __future__ import annotations

import asyncio
import io
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

import aiorerun as rr
from aiorerun.viewer.client import ViewerClient
from aiorerun.viewer.errors import ViewerError
from tests.e2e.programs import rerun
from tests.e2e.scene import APPLICATION, COLOR, FRAMES, PIXELS, log_scene, serving
from tests.unit.viewer.standin import free_port, is_alive

if TYPE_CHECKING:
    from pathlib import Path

    from aiorerun.viewer.state import ViewerState

pytestmark = pytest.mark.usefixtures("native_viewer")

SIZE = ("--window-size", "800x500")


def count_pixels(png: bytes) -> int:
    """How many pixels of a picture have the colour of the scene."""
    with Image.open(io.BytesIO(png)) as image:
        pixels = np.asarray(image.convert("RGB"), np.int16)
    return int((abs(pixels - COLOR) < 12).all(axis=2).sum())


async def wait_for_scene(client: ViewerClient, store_id: str) -> ViewerState:
    """Waits until a recording is there with all its frames, and shown."""
    async with asyncio.timeout(60):
        while True:
            state = await client.state()
            for recording in state.recordings:
                ends = {timeline.name: timeline.end for timeline in recording.timelines}
                if recording.store_id == store_id and ends.get("frame") == FRAMES - 1 and state.views:
                    return state
            await asyncio.sleep(0.1)


async def wait_for_color(client: ViewerClient) -> bytes:
    """Waits until the viewer shows the colour of the scene; the picture."""
    async with asyncio.timeout(60):
        while True:
            png = await client.screenshot()
            assert png is not None
            if await asyncio.to_thread(count_pixels, png) >= PIXELS:
                return png


def check_state(state: ViewerState, store_id: str) -> None:
    """Everything of the scene is there, and the viewer has no complaint."""
    assert state.active_store_id == store_id
    [recording] = [each for each in state.recordings if each.store_id == store_id]
    kinds = {timeline.name: timeline.time_type for timeline in recording.timelines}
    assert kinds == {"frame": "sequence", "log_tick": "sequence", "log_time": "timestamp"}
    assert {view.origin for view in state.views} == {"/img", "/scalar"}
    reports = [report for view in state.views for report in view.reports]
    assert [report for report in reports if report.severity == "error"] == []


async def test_check_04_a_viewer_that_reads_from_our_server_shows_everything(tmp_path: Path) -> None:
    port = free_port()
    async with serving("read") as (rec, uri):
        await log_scene(rec)
        arguments = ("--headless", *SIZE, "--port", str(port), "--connect", uri)
        async with rerun(tmp_path / "log", *arguments, ports=(port,)), ViewerClient(port) as client:
            store_id = f"Recording:{APPLICATION}:read"
            state = await wait_for_scene(client, store_id)
            await wait_for_color(client)
            check_state(await client.state(), store_id)
            assert state.viewer_version is not None
            assert [entry for entry in await client.logs() if entry.level == "ERROR"] == []


async def test_check_24_a_spawned_viewer_is_driven_and_gone_afterwards() -> None:
    async with await ViewerClient.spawn(headless=True, port=0, extra_args=SIZE) as client:
        viewer = client.viewer
        assert viewer is not None
        assert viewer.pid is not None
        rec = rr.AsyncRecordingStream(APPLICATION, recording_id="sent")
        await rec.connect_grpc(client.url)
        await log_scene(rec)
        store_id = f"Recording:{APPLICATION}:sent"
        await wait_for_scene(client, store_id)
        check_state(await client.state(), store_id)
        await wait_for_color(client)
        await check_time_cursor(client)
        await check_refusals(client)
        await rec.disconnect()
        assert await client.close("all") == [store_id]
        group = viewer.pid
    assert await asyncio.to_thread(members, group) == []


def members(group: int) -> list[int]:
    """Programs of a process group that still run."""
    found = subprocess.run(["ps", "-eo", "pid=,pgid="], capture_output=True, text=True, check=True)
    pairs = [line.split() for line in found.stdout.splitlines()]
    return [int(pid) for pid, pgid in pairs if int(pgid) == group and is_alive(int(pid))]


async def check_time_cursor(client: ViewerClient) -> None:
    cursor = await client.set_time_cursor("frame", sequence=3, play_state="paused")
    assert (cursor.timeline, cursor.time_type, cursor.time) == ("frame", "sequence", 3)
    [recording] = (await client.state()).recordings
    assert recording.play_state == "paused"
    assert (await client.set_time_cursor()).time == 3


async def check_refusals(client: ViewerClient) -> None:
    schema = await client.recording_schema(entity_path="/scalar")
    [entity] = schema.entities
    assert [each.component for each in entity.components] == ["Scalars:scalars"]
    with pytest.raises(ViewerError, match="frame") as caught:
        await client.set_time_cursor("no such timeline")
    assert caught.value.status == "INVALID_ARGUMENT"
    with pytest.raises(ViewerError) as caught:
        await client.screenshot(view_id="00000000-0000-0000-0000-000000000000")
    assert caught.value.status == "NOT_FOUND"
