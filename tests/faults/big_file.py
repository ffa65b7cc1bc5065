"""Writes a large file of mixed data: ``python -m tests.faults.big_file PATH MEGABYTES``."""

from __future__ import annotations

import sys
from typing import Final

import numpy as np

import aiorerun.sync as rr

POINTS: Final = 10_000


def write(path: str, megabytes: int) -> int:
    """Writes a recording of about so many megabytes; returns how many rows it has.

    Point clouds that do not compress, images that do, many small rows, rows sent in columns, static data.
    """
    rec = rr.RecordingStream("rerun_example_big", recording_id="big")
    rec.save(path)
    generator = np.random.default_rng(1)
    rec.log("static/mesh", rr.Points3D(generator.random((1000, 3), np.float32)), static=True)
    rec.log("static/note", rr.TextDocument("static"), static=True)
    image = np.zeros((240, 320, 3), np.uint8)
    steps = np.arange(200)
    frame, rows = 0, 2
    for frame in range(max(1, round(megabytes / 0.13))):
        rec.set_time("frame", sequence=frame)
        rec.set_time("since", duration=frame / 30)
        rec.log(f"points/{frame % 5}", rr.Points3D(generator.random((POINTS, 3), np.float32)))
        rec.log("text", rr.TextLog(f"frame {frame}"))
        rec.log("odd", rr.DynamicArchetype("odd", components={f"x{frame % 3}": frame}))
        rows += 3
        if frame % 10 == 0:
            image[frame % 240] = 255
            rec.log("camera", rr.Image(image))
            rec.send_columns(
                f"curve/{frame % 20}",
                [rr.TimeColumn("frame", sequence=steps + frame)],
                rr.Scalars.columns(scalars=generator.random(len(steps))),
            )
            rows += 1 + len(steps)
        if frame % 4 == 0:
            rec.flush()
    rec.disconnect()
    return rows


if __name__ == "__main__":
    print(write(sys.argv[1], int(sys.argv[2])))
