"""A door that first turns, then moves, each time with the other part left as it was; then nothing is left."""

import aiorerun.sync as rr

rr.init("snippet_transform3d_partial_updates", recording_id="door", spawn=True)

rr.log("door", rr.Boxes3D(half_sizes=[0.5, 0.05, 1.0], fill_mode=rr.components.FillMode.Solid))

for step in range(12):
    turn = rr.RotationAxisAngle(axis=[0.0, 0.0, 1.0], radians=step / 8)
    rr.log("door", rr.Transform3D.from_fields(rotation_axis_angle=turn))
for step in range(12):
    rr.log("door", rr.Transform3D.from_fields(translation=[step / 4, 0, 0]))

rr.log("door", rr.Transform3D.from_fields(clear_unset=True))
