"""A camera by its field of view, and what it looks at."""

import aiorerun.sync as rr

rr.init("snippet_pinhole_perspective", recording_id="camera", spawn=True)

rr.log(
    "room/camera",
    rr.Pinhole(
        fov_y=1.0471976,
        aspect_ratio=1.3333334,
        camera_xyz=rr.ViewCoordinates.RDF,
        image_plane_distance=0.5,
        color=[0, 170, 170],
        line_width=0.01,
    ),
)
rr.log("room/plants", rr.Points3D([(0.5, 0.0, 3.0), (-0.75, 0.25, 2.5)], radii=0.125))
