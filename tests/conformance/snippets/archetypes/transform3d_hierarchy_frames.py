"""A crane: frames with names of their own, whose relations are logged apart from what stands in them."""

import numpy as np

import aiorerun.sync as rr

rr.init("snippet_transform3d_hierarchy_frames", recording_id="crane", spawn=True)

rr.set_time("shift", duration=0)
rr.log("/", rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)

for part, size, color in (
    ("tower", 2.0, [90, 90, 90]),
    ("jib", 1.0, [250, 200, 0]),
    ("hook", 0.4, [20, 20, 20]),
):
    rr.log(
        part,
        rr.Ellipsoids3D(centers=[0, 0, 0], half_sizes=[size, size, size], colors=color, fill_mode="solid"),
        rr.CoordinateFrame(f"{part}_frame"),
    )
rr.log("/", rr.CoordinateFrame("tower_frame"))

turns = np.linspace(0, 2 * np.pi, 33)
ring = np.array([np.cos(turns), np.sin(turns), np.zeros_like(turns)], dtype=np.float32).transpose()
rr.log("reach", rr.LineStrips3D(ring * 12.0), rr.CoordinateFrame("tower_frame"))

for step in range(90):
    seconds = step / 30
    rr.set_time("shift", duration=seconds)
    rr.log(
        "relations/jib",
        rr.Transform3D(
            translation=[np.cos(seconds) * 12, np.sin(seconds) * 12, 0.0],
            rotation=rr.RotationAxisAngle(axis=(0, 0, 1), degrees=step * 2),
            child_frame="jib_frame",
            parent_frame="tower_frame",
        ),
    )
    rr.log(
        "relations/hook",
        rr.Transform3D(
            translation=[0.0, 0.0, 3.0 + seconds],
            relation=rr.TransformRelation.ChildFromParent,
            child_frame="hook_frame",
            parent_frame="jib_frame",
        ),
    )
