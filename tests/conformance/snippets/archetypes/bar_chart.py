"""Bar charts: plain, at given positions, and with bars of different widths."""

import aiorerun.sync as rr

rr.init("snippet_bar_chart", recording_id="letters", spawn=True)

rr.log("letters/per_day", rr.BarChart([3, 0, 7, 7, 1]))
rr.log("letters/some_days", rr.BarChart([3, 7, 1], abscissa=[1, 4, 9]))
rr.log("letters/periods", rr.BarChart([12, 30, 5, 8], abscissa=[0, 3, 10, 11], widths=[3, 7, 1, 2]))
