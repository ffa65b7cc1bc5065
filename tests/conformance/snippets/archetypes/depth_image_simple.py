"""A sloping floor seen by a depth camera that counts in millimeters."""

import numpy as np

import aiorerun.sync as rr

depth = np.linspace(900, 4000, 60 * 80).reshape(60, 80).astype(np.uint16)
depth[20:30, 30:50] = 700

rr.init("snippet_depth_image_simple", recording_id="floor", spawn=True)

rr.log("camera/depth", rr.DepthImage(depth, meter=1_000.0))
