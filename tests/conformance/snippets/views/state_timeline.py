"""The states of a valve over time."""

import aiorerun.sync as rr
import aiorerun.sync.blueprint as rrb

rr.init("snippet_state_timeline", recording_id="valve", spawn=True)

for cycle, state in enumerate(["shut", "opening", "open", "shut"]):
    rr.set_time("cycle", sequence=cycle)
    rr.log("valve", rr.StateChange(state=state))

rr.send_blueprint(rrb.Blueprint(rrb.StateTimelineView(origin="/", name="Valve"), collapse_panels=True))
