"""A spiral staircase of arrows, with colors as fractions from 0 to 1."""

from math import pi

import numpy as np

import aiorerun.sync as rr

rr.init("snippet_arrows3d_simple", recording_id="stairs", spawn=True)

STEPS = 40
turns = np.linspace(0.0, 4 * pi, STEPS)
vectors = np.column_stack([np.cos(turns), np.sin(turns), np.full(STEPS, 0.1)])
origins = np.zeros((STEPS, 3))
origins[:, 2] = turns / 5
colors = [[turn, 0.25, 1.0 - turn, 0.75] for turn in turns / turns.max()]

rr.log("stairs", rr.Arrows3D(origins=origins, vectors=vectors, colors=colors))
