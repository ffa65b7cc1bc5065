"""All kinds of time for one row."""

from datetime import datetime, timedelta

import numpy as np

import aiorerun.sync as rr

rr.init("snippet_indices", recording_id="times", spawn=True)

rr.set_time("lap", sequence=3)
rr.set_time("stopwatch", duration=75)
rr.set_time("pit stop", duration=timedelta(milliseconds=2_300))
# The later value of a timeline is the one that holds.
rr.set_time("finish", timestamp=1_600_000_000)
rr.set_time("finish", timestamp=datetime.fromisoformat("2021-07-18T14:05:09"))
rr.set_time("photo", timestamp=np.datetime64(1_626_617_109_123_456_789, "ns"))

rr.log("cars", rr.Points2D([[10, 2], [12, 3]]))
