"""The legs of a table, as one array of segments."""

import numpy as np

import aiorerun.sync as rr

rr.init("snippet_line_strips3d_segments_simple", recording_id="table", spawn=True)

feet = np.array([[0, 0, 0], [8, 0, 0], [8, 5, 0], [0, 5, 0]])
rr.log("table/legs", rr.LineStrips3D(np.stack([feet, feet + np.array([0, 0, 7])], axis=1)))
