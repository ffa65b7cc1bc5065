"""A cable and a fence of different lengths, in one batch."""

import aiorerun.sync as rr

rr.init("snippet_line_strips3d_batch", recording_id="garden", spawn=True)

rr.log(
    "garden/lines",
    rr.LineStrips3D(
        [
            [[0, 0, 3], [5, 0, 2], [10, 0, 3]],
            [[0, 4, 0], [0, 4, 1], [2, 4, 1], [2, 4, 0], [4, 4, 0]],
        ],
        colors=[[30, 30, 30], [150, 90, 40]],
        radii=[0.01, 0.05],
        labels=["cable", "fence"],
    ),
)
