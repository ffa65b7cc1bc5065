"""Land use of a small map: one class per pixel."""

import numpy as np

import aiorerun.sync as rr

rr.init("snippet_annotation_context_segmentation", recording_id="land", spawn=True)

land = np.zeros((48, 64), dtype=np.uint8)
land[:, 40:] = 5
land[8:20, 4:30] = 9

rr.log("land", rr.AnnotationContext([(5, "water", (20, 90, 200)), (9, "wood", (10, 110, 30))]), static=True)
rr.log("land/use", rr.SegmentationImage(land))
