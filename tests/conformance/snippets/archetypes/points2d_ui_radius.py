"""Cities as large as they are, and pins that stay the same size on the screen."""

import aiorerun.sync as rr
import aiorerun.sync.blueprint as rrb

rr.init("snippet_points2d_ui_radius", recording_id="cities", spawn=True)

rr.log("cities", rr.Points2D([[2, 3], [8, 1]], radii=[1.5, 0.75], colors=[90, 90, 110]))
rr.log(
    "pins",
    rr.Points2D([[2, 3], [8, 1], [5, 6]], radii=rr.Radius.ui_points([8.0, 8.0, 12.0]), colors=[220, 0, 40]),
)
rr.send_blueprint(rrb.Spatial2DView(visual_bounds=rrb.VisualBounds2D(x_range=[0, 10], y_range=[0, 8])))
