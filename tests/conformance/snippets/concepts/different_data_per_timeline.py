"""Marks that move on one clock and change their color on another."""

import aiorerun.sync as rr
import aiorerun.sync.blueprint as rrb

rr.init("snippet_different_data_per_timeline", recording_id="clocks", spawn=True)

rr.set_time("camera clock", sequence=10)
rr.set_time("robot clock", duration=2.0)
rr.log("marks", rr.Points2D([[1, 1], [2, 5], [6, 3]], radii=rr.Radius.ui_points(7.0)))

rr.reset_time()
rr.set_time("robot clock", duration=2.5)
rr.log("marks", rr.Points2D.from_fields(colors=[0, 160, 60]))

rr.reset_time()
rr.set_time("camera clock", sequence=11)
rr.log("marks", rr.Points2D.from_fields(colors=[160, 0, 200]))

rr.send_blueprint(rrb.Spatial2DView(visual_bounds=rrb.VisualBounds2D(x_range=[0, 7], y_range=[0, 6])))
