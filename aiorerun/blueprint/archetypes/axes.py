"""Axes of plots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun.archetypes._base import converted
from aiorerun.blueprint.archetypes._ranges import finite_range
from aiorerun.blueprint.archetypes.plot import ScalarAxisFields

if TYPE_CHECKING:
    from aiorerun import datatypes


class ScalarAxis(ScalarAxisFields):
    """The vertical axis of a plot.

    Args:
        range: The lowest and the highest number, both finite; by default found out from the data.
        zoom_lock: Whether zooming leaves the range alone.

    Raises:
        ValueError: The range is not finite, in strict mode.
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        range: datatypes.Range1DLike | None = None,
        zoom_lock: datatypes.BoolLike | None = None,
    ) -> None:
        if range is not None:
            try:
                range = converted("range", finite_range, range)
            except (TypeError, ValueError, OverflowError) as error:
                # Without a range, viewers find out one from the data.
                range = None
                self._report(error)
        self._capture(range, zoom_lock)
