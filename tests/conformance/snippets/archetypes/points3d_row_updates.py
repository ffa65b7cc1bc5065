"""Snow that gets thicker: a cloud with another number of points in each row."""

import numpy as np

import aiorerun.sync as rr

rr.init("snippet_points3d_row_updates", recording_id="snow", spawn=True)

COLORS = [0xFFFFFFFF, 0xEEEEFFFF, 0xDDDDFFFF, 0xCCCCFFFF]
for second, color in enumerate(COLORS):
    flakes = np.linspace((0, 0, 9), (second, 4, 1), 2 + 3 * second).tolist()
    rr.set_time("clock", duration=60 + second)
    rr.log("snow", rr.Points3D(flakes, colors=color, radii=0.02 * (second + 1)))
