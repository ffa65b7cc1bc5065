"""A flag."""

import numpy as np

import aiorerun.sync as rr

flag = np.full((40, 60, 3), 255, dtype=np.uint8)
flag[:, :20] = (0, 60, 160)
flag[15:25, :, 1] = 30

rr.init("snippet_image_simple", recording_id="flag", spawn=True)

rr.log("flag", rr.Image(flag))
