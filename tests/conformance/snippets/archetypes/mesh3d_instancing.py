"""A swarm: one mesh at several places, turning; what is below it stays where it is."""

import aiorerun.sync as rr

rr.init("snippet_mesh3d_instancing", recording_id="swarm", spawn=True)
rr.set_time("step", sequence=0)

rr.log(
    "drone",
    rr.Mesh3D(
        vertex_positions=[[0, 0, 2], [4, 0, 0], [-2, 3, 0], [-2, -3, 0]],
        triangle_indices=[[0, 1, 2], [0, 2, 3], [0, 3, 1]],
        vertex_colors=[[255, 255, 255], [30, 30, 30], [30, 30, 30], [90, 0, 0]],
    ),
)
rr.log("drone/pad", rr.Boxes3D(half_sizes=[[6.0, 6.0, 0.1]]))

for step in range(25):
    rr.set_time("step", sequence=step)
    rr.log(
        "drone",
        rr.InstancePoses3D(
            translations=[[4, 4, 2], [4, -4, 2], [-4, 0, 3]],
            rotation_axis_angles=rr.RotationAxisAngle([0, 0, 1], rr.Angle(deg=step * 7)),
        ),
    )
