"""One line of a log."""

import aiorerun.sync as rr

rr.init("snippet_text_log", recording_id="line", spawn=True)

rr.log("boiler", rr.TextLog("Pressure is low.", level=rr.TextLogLevel.WARN))
