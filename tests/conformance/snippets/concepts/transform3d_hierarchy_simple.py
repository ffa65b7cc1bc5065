"""An arm of three joints: entities below others move with them."""

import aiorerun.sync as rr

rr.init("snippet_transform3d_hierarchy_simple", recording_id="arm", spawn=True)

for path, size, color in (
    ("shoulder", 0.5, [200, 60, 60]),
    ("shoulder/elbow", 0.3, [60, 200, 60]),
    ("shoulder/elbow/wrist", 0.2, [60, 60, 200]),
):
    rr.log(path, rr.Ellipsoids3D(half_sizes=[size, size, size], colors=color, fill_mode="solid"))

rr.log("shoulder/elbow", rr.Transform3D(translation=[1.75, 0.0, 0.0]))
rr.log("shoulder/elbow/wrist", rr.Transform3D(translation=[0.0, 1.25, 0.0]))
