"""Confetti from a generator: positions, colors and radii as arrays of 64-bit floats."""

from numpy.random import default_rng

import aiorerun.sync as rr
import aiorerun.sync.blueprint as rrb

rr.init("snippet_points2d_random", recording_id="confetti", spawn=True)

generator = default_rng(41)
rr.log(
    "confetti",
    rr.Points2D(
        generator.uniform(0, 10, size=[25, 2]),
        colors=generator.uniform(0, 255, size=[25, 4]),
        radii=generator.uniform(0.1, 0.4, size=[25]),
    ),
)
rr.send_blueprint(rrb.Spatial2DView(visual_bounds=rrb.VisualBounds2D(x_range=[-1, 11], y_range=[-1, 11])))
