"""Stones with a size of their own, and markers that do not shrink with distance."""

import aiorerun.sync as rr

rr.init("snippet_points3d_ui_radius", recording_id="stones", spawn=True)

rr.log("stones", rr.Points3D([[1, 2, 0], [5, 5, 0]], radii=[0.4, 0.9], colors=[110, 100, 90]))
rr.log(
    "markers",
    rr.Points3D([[1, 2, 2], [5, 5, 2]], radii=rr.Radius.ui_points([6.0, 9.5]), colors=[0, 200, 90]),
)
