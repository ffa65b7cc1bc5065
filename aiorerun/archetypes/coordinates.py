"""Where the axes of coordinate systems point."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun.archetypes.transform import ViewCoordinatesFields
from aiorerun.components.extended import ViewCoordinates as Component
from aiorerun.datatypes.axes import AxesConstants, named_axes

if TYPE_CHECKING:
    from aiorerun.datatypes import ViewCoordinatesLike


class ViewCoordinates(ViewCoordinatesFields, AxesConstants):
    """Where the axes of a coordinate system point, e.g. ``ViewCoordinates.RIGHT_HAND_Z_UP``.

    Usually logged static. The constants can be logged as they are.

    Args:
        xyz: Three directions: members of :class:`ViewDir`, their names or numbers.

    Example:
        await rec.log("world", rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
    """

    __slots__ = ()

    def __init__(self, xyz: ViewCoordinatesLike) -> None:
        self._take((type(xyz),), (xyz,))


for _name, _ in named_axes():
    setattr(ViewCoordinates, _name, getattr(Component, _name))
