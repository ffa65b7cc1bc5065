"""A passenger who changes trains: the frames that entities have by themselves, used by name."""

import aiorerun.sync as rr

rr.init("snippet_coordinate_frame_builtin_frames", recording_id="trains", spawn=True)

rr.set_time("stop", sequence=0)
for train, track in (("express", 4.0), ("local", -4.0)):
    rr.log(
        train,
        rr.Boxes3D(half_sizes=[9.0, 1.5, 2.0], colors=[200, int(track * 10) + 50, 0]),
        rr.Transform3D(translation=[0.0, track, 2.0]),
    )
rr.log("passenger", rr.Points3D([0.0, 0.0, 1.7], radii=0.3))

for stop, frame in enumerate(["tf#/local", "tf#/express", "tf#/local"], start=1):
    rr.set_time("stop", sequence=stop)
    rr.log("passenger", rr.CoordinateFrame(frame))
