"""A video that is encoded while it is logged: the codec once, then every packet as it comes."""

from collections.abc import Iterable
from typing import Any

import av
import numpy as np

import aiorerun.sync as rr

WIDTH, HEIGHT, RATE = 96, 64, 10

rr.init("snippet_video_stream_synthetic", recording_id="bar")

container = av.open("/dev/null", "w", format="hevc")
# One thread, so that every run gives the same bytes.
stream = container.add_stream("libx265", rate=RATE, options={"x265-params": "pools=none:log-level=none"})
stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
stream.max_b_frames = 0

rr.log("camera", rr.VideoStream(codec=rr.VideoCodec.H265), static=True)


def log_packets(packets: Iterable[Any]) -> None:
    """Logs what the encoder has ready, each packet at its own time."""
    for packet in packets:
        if packet.pts is not None:
            rr.set_time("time", duration=float(packet.pts * packet.time_base))
            rr.log("camera", rr.VideoStream.from_fields(sample=bytes(packet)))


for number in range(2 * RATE):
    pixels = np.full((HEIGHT, WIDTH, 3), (30, 30, 60), dtype=np.uint8)
    pixels[:, 4 * number : 4 * number + 8] = (250, 250, 90)
    log_packets(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
log_packets(stream.encode())
