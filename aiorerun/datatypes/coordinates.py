"""Where the axes of a coordinate system point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from aiorerun.datatypes._natives import VectorNative
from aiorerun.types.coerce.catalog import VIEW_COORDINATES

if TYPE_CHECKING:
    from aiorerun.datatypes.transform import ViewCoordinatesLike, ViewDir
    from aiorerun.types.encoding import Encoding


class ViewCoordinates(VectorNative):
    """Where the x, y and z axes of a coordinate system point.

    Args:
        coordinates: Three directions: members of :class:`ViewDir`, their names or numbers.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = VIEW_COORDINATES
    ATTRIBUTE = "coordinates"

    def __init__(self, coordinates: ViewCoordinatesLike) -> None:
        self._set(coordinates)

    @property
    def coordinates(self) -> list[ViewDir]:
        """The directions of the three axes."""
        from aiorerun.datatypes.transform import ViewDir

        return [ViewDir(int(value)) for value in self._array()]

    def __repr__(self) -> str:
        names: list[Any] = [direction.name for direction in self.coordinates]
        return f"{type(self).__name__}({names})"
