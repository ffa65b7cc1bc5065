"""Sales of two shops, with lines of different widths."""

from math import sqrt

import aiorerun.sync as rr

rr.init("snippet_series_lines_style", recording_id="shops", spawn=True)

for shop, color, width in (("north", [0, 90, 200], 1.5), ("south", [240, 130, 0], 5)):
    rr.log(f"sales/{shop}", rr.SeriesLines(colors=color, names=f"{shop} shop", widths=width), static=True)

for day in range(120):
    rr.set_time("day", sequence=day)
    rr.log("sales/north", rr.Scalars(sqrt(day)))
    rr.log("sales/south", rr.Scalars(float(day % 7)))
