"""The log of two machines, with some of its columns and levels."""

import aiorerun.sync as rr
import aiorerun.sync.blueprint as rrb

rr.init("snippet_text_log_view", recording_id="machines", spawn=True)

rr.set_time("shift", sequence=1)
rr.log("machines/press", rr.TextLog("Oil changed.", level=rr.TextLogLevel.INFO))
rr.set_time("shift", sequence=2)
rr.log("machines/saw", rr.TextLog("Blade worn.", level=rr.TextLogLevel.WARN))
for shift in range(3, 8):
    rr.set_time("shift", sequence=shift)
    rr.log("machines/press", rr.TextLog(f"{shift * 40} plates pressed.", level=rr.TextLogLevel.INFO))

rr.send_blueprint(
    rrb.Blueprint(
        rrb.TextLogView(
            origin="/machines",
            name="Machines",
            columns=rrb.TextLogColumns(timeline_columns=["shift"], text_log_columns=["body", "loglevel"]),
            rows=rrb.TextLogRows(filter_by_log_level=["WARN", "ERROR"]),
            format_options=rrb.TextLogFormat(monospace_body=True),
        ),
        collapse_panels=True,
    )
)
