"""The part of a 2D space that is in sight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun.datatypes.common import Range2D
from aiorerun.types.batches import ComponentMixin

if TYPE_CHECKING:
    from aiorerun import datatypes


class VisualBounds2D(Range2D, ComponentMixin):
    """The part of a 2D space that is in sight.

    Args:
        x_range: From left to right.
        y_range: From top to bottom.
    """

    __slots__ = ()

    COMPONENT_TYPE = "rerun.blueprint.components.VisualBounds2D"

    def __init__(self, *, x_range: datatypes.Range1DLike, y_range: datatypes.Range1DLike) -> None:
        super().__init__(x_range, y_range)
