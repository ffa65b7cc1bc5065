"""A plan of a house with a hidden cellar and walls that nobody can click."""

import aiorerun.sync as rr
import aiorerun.sync.blueprint as rrb

rr.init("snippet_entity_behavior", recording_id="house", spawn=True)

rr.send_blueprint(
    rrb.Spatial2DView(
        overrides={
            "cellar": rrb.EntityBehavior(visible=False),
            "cellar/stairs": rrb.EntityBehavior(visible=True),
            "walls": rrb.EntityBehavior(interactive=False),
        }
    )
)

rr.log("cellar", rr.Points2D(positions=(3, 3), radii=0.25))
rr.log("cellar/shelves", rr.LineStrips2D(strips=[(0, 0), (6, 0)]))
rr.log("cellar/stairs", rr.LineStrips2D(strips=[(6, 0), (6, 6)]))
rr.log("walls", rr.Boxes2D(centers=(3, 3), half_sizes=(4, 4)))
rr.log("walls/inner", rr.Boxes2D(centers=(3, 3), half_sizes=(1, 2)))
