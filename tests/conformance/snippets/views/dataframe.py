"""Readings of a scale as a table: which rows, which columns, in which order."""

import aiorerun.sync as rr
import aiorerun.sync.blueprint as rrb

rr.init("snippet_dataframe", recording_id="scale", spawn=True)

for second in range(60):
    rr.set_time("clock", duration=second)
    rr.log("scale/gross", rr.Scalars(100 + second * 0.5))
    rr.log("scale/net", rr.Scalars(second * 0.5))
    if second % 10 == 0:
        rr.log("scale/tare", rr.Scalars(100.0))

rr.send_blueprint(
    rrb.Blueprint(
        rrb.DataframeView(
            origin="/scale",
            query=rrb.archetypes.DataframeQuery(
                timeline="clock",
                filter_by_range=(rr.TimeInt(seconds=5), rr.TimeInt(seconds=45)),
                filter_is_not_null="/scale/tare:Scalar",
                select=["clock", "/scale/net:Scalar", "/scale/tare:Scalar"],
                entity_order=["/scale/tare", "/scale/net", "/scale/gross"],
                auto_scroll=True,
            ),
        )
    )
)
