"""What end-to-end tests show: an image of one colour, which can be found on the screen."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import numpy as np

import aiorerun as rr
from aiorerun.server.sink import GrpcServerSink

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

APPLICATION = "aiorerun_e2e"
COLOR = (30, 60, 220)
PIXELS = 5000
"""So many have to be seen: a tenth of the view at least."""

FRAMES = 10


@asynccontextmanager
async def serving(recording_id: str) -> AsyncGenerator[tuple[rr.AsyncRecordingStream, str]]:
    """A recording that is served, and where."""
    rec = rr.AsyncRecordingStream(APPLICATION, recording_id=recording_id)
    sink = GrpcServerSink(port=0)
    await rec.set_sinks(sink)
    try:
        yield rec, sink.uri
    finally:
        await rec.disconnect()


async def log_scene(rec: rr.AsyncRecordingStream) -> None:
    """Logs the image and some scalars, and passes them on."""
    pixels = np.full((64, 64, 3), COLOR, np.uint8)
    for frame in range(FRAMES):
        rec.set_time("frame", sequence=frame)
        await rec.log("img", rr.Image(pixels))
        await rec.log("scalar", rr.Scalars(float(frame * frame)))
    await rec.flush()
