"""A skeleton of a hand: named keypoints, the bones between them, and one hand drawn with both."""

import aiorerun.sync as rr
from aiorerun.sync.encodings import ClassDescription

rr.init("snippet_annotation_context_connections", recording_id="hand", spawn=True)

rr.log(
    "/",
    rr.AnnotationContext(
        [
            ClassDescription(
                info=7,
                keypoint_annotations=[
                    (10, "wrist", (90, 90, 90)),
                    (11, "thumb", (250, 120, 0)),
                    (12, "index finger", (0, 130, 250)),
                ],
                keypoint_connections=[(10, 11), (10, 12)],
            )
        ]
    ),
    static=True,
)
rr.log(
    "hand/left",
    rr.Points3D([(0, 0, 0.5), (3, 4, 0.25), (1, 9, 0)], class_ids=[7], keypoint_ids=[10, 11, 12]),
)
