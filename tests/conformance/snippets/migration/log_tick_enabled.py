"""Which times rows get by themselves: set when nothing is active, of one recording, of the active one."""

import aiorerun.sync as rr

# No recording is active: these do nothing.
rr.set_log_tick_enabled(True)
rr.set_log_time_enabled(False)

rec = rr.RecordingStream("snippet_log_tick_enabled", recording_id="switches")
rec.log("switches", rr.TextLog("only the time"))
rec.set_log_tick_enabled(True)
rec.log("switches", rr.TextLog("time and tick"))
with rec:
    rr.set_log_time_enabled(False)
    rr.log("switches", rr.TextLog("only the tick"))
