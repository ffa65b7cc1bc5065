"""Line strips."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from aiorerun.datatypes.common import Vec3D
from aiorerun.types.batches import ComponentMixin
from aiorerun.types.coerce.catalog import LINE_STRIP3D
from aiorerun.types.coerce.values import refusal
from aiorerun.types.encoding import PACKED, Captured
from aiorerun.types.native import Native

if TYPE_CHECKING:
    from aiorerun.components.spatial3d import LineStrip3DLike
    from aiorerun.types.coerce.strips import Strips
    from aiorerun.types.encoding import Encoding


class LineStrip3D(Native, ComponentMixin):
    """A chain of line segments in 3D.

    Args:
        points: The points that are connected, in their order.
    """

    __slots__ = ("_strips",)

    ENCODING: ClassVar[Encoding] = LINE_STRIP3D
    COMPONENT_TYPE = "rerun.components.LineStrip3D"

    def __init__(self, points: LineStrip3DLike) -> None:
        shape, strips = LINE_STRIP3D.capture(points)
        if shape != PACKED or len(strips) != 1:
            raise refusal(points, "the points of exactly one strip")
        self._strips: Strips = strips

    @property
    def points(self) -> list[Vec3D]:
        """The points that are connected."""
        return [Vec3D(point) for point in self._strips.points]

    def _captured(self) -> Captured:
        return PACKED, self._strips

    def __len__(self) -> int:
        return len(self._strips.points)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LineStrip3D):
            return NotImplemented
        return bool(self._strips.points.tolist() == other._strips.points.tolist())

    def __hash__(self) -> int:
        return hash(self._strips.points.tobytes())

    def __repr__(self) -> str:
        return f"LineStrip3D(points={self._strips.points.tolist()})"
