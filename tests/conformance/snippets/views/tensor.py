"""A random tensor of four dimensions, and which of them are shown how.

The application id makes the random numbers the same in every run.
"""

import numpy as np

import aiorerun.sync as rr
import aiorerun.sync.blueprint as rrb

rr.init("rerun_example_snippet_tensor", recording_id="tensor", spawn=True)

values = np.random.randint(0, 256, (3, 8, 12, 2), dtype=np.uint8)  # noqa: NPY002 - the seeded generator
rr.log("scan", rr.Tensor(values, dim_names=("time", "row", "column", "side")))

rr.send_blueprint(
    rrb.Blueprint(
        rrb.TensorView(
            origin="scan",
            name="Scan",
            slice_selection=rrb.TensorSliceSelection(
                width=2,
                height=rr.TensorDimensionSelection(dimension=1, invert=True),
                indices=[
                    rr.TensorDimensionIndexSelection(dimension=0, index=1),
                    rr.TensorDimensionIndexSelection(dimension=3, index=0),
                ],
                slider=[0],
            ),
            scalar_mapping=rrb.TensorScalarMapping(colormap="viridis", gamma=0.75, mag_filter="nearest"),
            view_fit="fillkeepaspectratio",
        ),
        collapse_panels=True,
    )
)
