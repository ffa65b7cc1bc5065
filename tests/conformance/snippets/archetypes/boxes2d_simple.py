"""One box, given without a list around it."""

import aiorerun.sync as rr

rr.init("snippet_boxes2d_simple", recording_id="box", spawn=True)

rr.log("window", rr.Boxes2D(mins=[5, -3], sizes=[4, 6]))
