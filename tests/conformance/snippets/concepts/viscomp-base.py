"""Two tiles in a plain view."""

import aiorerun.sync as rr
import aiorerun.sync.blueprint as rrb

rr.init("snippet_viscomp_base", recording_id="tiles", spawn=True)

rr.log("tiles/left", rr.Boxes2D(centers=[-3, 1], sizes=[2, 2], colors=[40, 40, 160]))
rr.log("tiles/right", rr.Boxes2D(centers=[3, 1], sizes=[2, 2], colors=[40, 40, 160]))

rr.send_blueprint(rrb.Spatial2DView())
