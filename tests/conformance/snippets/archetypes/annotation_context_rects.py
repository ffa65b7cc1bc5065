"""Boxes around parcels, whose names and colors come from their classes."""

import aiorerun.sync as rr

rr.init("snippet_annotation_context_rects", recording_id="parcels", spawn=True)

rr.log(
    "/", rr.AnnotationContext([(3, "parcel", (160, 110, 60)), (4, "letter", (230, 230, 210))]), static=True
)
rr.log("belt/found", rr.Boxes2D(mins=[[10, 4], [31, 6]], sizes=[[12, 9], [6, 3]], class_ids=[3, 4]))
