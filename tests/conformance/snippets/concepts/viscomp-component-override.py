"""Two tiles, one of them in another color in this view only."""

import aiorerun.sync as rr
import aiorerun.sync.blueprint as rrb

rr.init("snippet_viscomp_component_override", recording_id="tiles", spawn=True)

rr.log("tiles/left", rr.Boxes2D(centers=[-3, 1], sizes=[2, 2], colors=[40, 40, 160]))
rr.log("tiles/right", rr.Boxes2D(centers=[3, 1], sizes=[2, 2], colors=[40, 40, 160]))

rr.send_blueprint(rrb.Spatial2DView(overrides={"tiles/right": rr.Boxes2D(colors=[250, 210, 0])}))
