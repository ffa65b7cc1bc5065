"""Sensors with readings of one's own beside their positions."""

import aiorerun.sync as rr
import aiorerun.sync.blueprint as rrb

rr.init("snippet_extra_values", recording_id="sensors", spawn=True)

rr.log(
    "sensors",
    rr.Points2D([[0, 0], [2, 0], [2, 2]]),
    rr.AnyValues(humidity=[0.35, 0.5, 0.8]),
)
rr.send_blueprint(rrb.Spatial2DView(visual_bounds=rrb.VisualBounds2D(x_range=[-1, 3], y_range=[-1, 3])))
