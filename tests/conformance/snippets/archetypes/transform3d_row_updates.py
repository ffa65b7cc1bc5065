"""A lift that turns on its way up, with its axes shown."""

import aiorerun.sync as rr

rr.init("snippet_transform3d_row_updates", recording_id="lift", spawn=True)

rr.set_time("floor", sequence=0)
rr.log(
    "lift",
    rr.Boxes3D(half_sizes=[1.0, 1.0, 1.25], fill_mode=rr.components.FillMode.Solid),
    rr.TransformAxes3D(2.5),
)
for floor in range(1, 40):
    rr.set_time("floor", sequence=floor)
    rr.log(
        "lift",
        rr.Transform3D(
            translation=[0, 0, floor * 3.25],
            rotation_axis_angle=rr.RotationAxisAngle(axis=[0.0, 0.0, 1.0], radians=floor / 16),
        ),
    )
