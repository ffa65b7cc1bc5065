"""Three points."""

import aiorerun.sync as rr
import aiorerun.sync.blueprint as rrb

rr.init("snippet_points2d_simple", recording_id="corners", spawn=True)

rr.log("corners", rr.Points2D([[0, 0], [4, 0], [0, 3]]))
rr.send_blueprint(rrb.Spatial2DView(visual_bounds=rrb.VisualBounds2D(x_range=[-1, 5], y_range=[-1, 4])))
