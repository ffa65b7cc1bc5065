"""Values of a known component under a name of one's own."""

from __future__ import annotations

import aiorerun.sync as rr

rr.init("snippet_descr_builtin_component", recording_id="component")
rr.spawn()

rr.log(
    "goal",
    [
        rr.components.Position3DBatch([4, 0, 2]).described(
            rr.ComponentDescriptor(
                "robot.Plan:goal", archetype="robot.Plan", component_type="rerun.components.Position3D"
            )
        )
    ],
    static=True,
)
