"""Two roads with names, in a view that shows exactly them."""

import aiorerun.sync as rr
import aiorerun.sync.blueprint as rrb

rr.init("snippet_line_strips2d_batch", recording_id="roads", spawn=True)

rr.log(
    "roads",
    rr.LineStrips2D(
        [[[0, 10], [5, 12], [9, 20]], [[0, 0], [4, 1], [8, 1], [12, 5]]],
        colors=[[120, 120, 120], [200, 160, 0]],
        radii=[0.5, 0.2],
        labels=["high street", "lane"],
    ),
)
rr.send_blueprint(rrb.Spatial2DView(visual_bounds=rrb.VisualBounds2D(x_range=[-2, 14], y_range=[-2, 22])))
