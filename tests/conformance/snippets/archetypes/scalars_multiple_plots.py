"""A pendulum in one plot and noise in another, styled by static rows."""

from math import cos, exp

import numpy as np

import aiorerun.sync as rr

rr.init("snippet_scalars_multiple_plots", recording_id="pendulum", spawn=True)

rr.log("pendulum/angle", rr.SeriesLines(colors=[30, 30, 200], names="angle"), static=True)
rr.log("pendulum/envelope", rr.SeriesLines(colors=[200, 200, 200], names="envelope"), static=True)
# Nothing is given, but the row says that the values are drawn as points.
rr.log("noise", rr.SeriesPoints(), static=True)

state = np.int64(17)
for step in range(150):
    rr.set_time("step", sequence=step)
    envelope = exp(-step / 60)
    rr.log("pendulum/envelope", rr.Scalars(envelope))
    rr.log("pendulum/angle", rr.Scalars(envelope * cos(step / 5)))
    state = (state * 75 + 74) % 65537
    rr.log("noise", rr.Scalars(state.astype(np.float64)))
