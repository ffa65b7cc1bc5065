"""Separate line segments, as one array."""

import numpy as np

import aiorerun.sync as rr
import aiorerun.sync.blueprint as rrb

rr.init("snippet_line_strips2d_segments_simple", recording_id="matches", spawn=True)

rr.log("matches", rr.LineStrips2D(np.array([[[0, 0], [3, 3]], [[3, 0], [0, 3]], [[5, 0], [5, 4]]])))
rr.send_blueprint(rrb.Spatial2DView(visual_bounds=rrb.VisualBounds2D(x_range=[-1, 6], y_range=[-1, 5])))
