"""The part of a 2D space that is in sight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun.archetypes._base import converted
from aiorerun.blueprint.archetypes._ranges import finite_range
from aiorerun.blueprint.archetypes.spatial import VisualBounds2DFields

if TYPE_CHECKING:
    from aiorerun import datatypes


class VisualBounds2D(VisualBounds2DFields):
    """The part of a 2D space that is in sight at least. The view shows more where its shape is another.

    Args:
        x_range: From left to right: two finite numbers.
        y_range: From top to bottom: two finite numbers.

    Raises:
        ValueError: Only one of them was given, or one is no range.
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        x_range: datatypes.Range1DLike | None = None,
        y_range: datatypes.Range1DLike | None = None,
    ) -> None:
        if x_range is None and y_range is None:
            self._capture(None)
            return
        if x_range is None or y_range is None:
            raise ValueError("VisualBounds2D: `x_range` and `y_range` go together, one is missing")
        from aiorerun.blueprint.components import VisualBounds2D as Component

        x = converted("VisualBounds2D: x_range", finite_range, x_range)
        y = converted("VisualBounds2D: y_range", finite_range, y_range)
        self._capture(Component(x_range=x, y_range=y))
