"""An archetype of one's own, made of known components, one with another semantic type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiorerun.sync as rr

if TYPE_CHECKING:
    import numpy.typing as npt


class Plan(rr.AsComponents):
    """Where a robot wants to go, and in which color that is drawn."""

    def __init__(self, stops: npt.ArrayLike, tints: npt.ArrayLike) -> None:
        self.stops = rr.components.Position3DBatch(stops).described(
            rr.ComponentDescriptor("robot.Plan:stops", archetype="robot.Plan", component_type="robot.Stop")
        )
        self.tints = rr.components.ColorBatch(tints).described(
            rr.ComponentDescriptor("robot.Plan:tints").with_overrides(
                archetype="robot.Plan", component_type=rr.components.ColorBatch._COMPONENT_TYPE
            )
        )

    def as_component_batches(self) -> list[rr.DescribedComponentBatch]:
        """Both components."""
        return [self.stops, self.tints]


rr.init("snippet_descr_custom_archetype", recording_id="archetype", spawn=True)

rr.log("plan", Plan([[0, 0, 0], [2, 5, 0]], [0x00AA33FF, 0x00CC33FF]), static=True)
