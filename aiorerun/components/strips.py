"""Line strips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from aiorerun.datatypes.common import Vec2D, Vec3D
from aiorerun.datatypes.geo import DVec2D
from aiorerun.types.batches import ComponentMixin
from aiorerun.types.coerce.catalog import GEO_LINE_STRING, LINE_STRIP2D, LINE_STRIP3D
from aiorerun.types.coerce.values import refusal
from aiorerun.types.encoding import PACKED, Captured
from aiorerun.types.native import Native

if TYPE_CHECKING:
    from typing import Self

    from aiorerun.components.geo import GeoLineStringLike
    from aiorerun.components.spatial2d import LineStrip2DLike
    from aiorerun.components.spatial3d import LineStrip3DLike
    from aiorerun.types.coerce.strips import Strips
    from aiorerun.types.encoding import Encoding


class Strip(Native, ComponentMixin):
    """A chain of line segments between points of any kind."""

    __slots__ = ("_strips",)

    _strips: Strips

    def _set(self, points: Any) -> None:
        shape, strips = self.ENCODING.capture(points)
        if shape != PACKED or len(strips) != 1:
            raise refusal(points, "the points of exactly one strip")
        self._strips = strips

    def _captured(self) -> Captured:
        return PACKED, self._strips

    def __len__(self) -> int:
        return len(self._strips.points)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return bool(self._strips.points.tolist() == cast("Self", other)._strips.points.tolist())

    def __hash__(self) -> int:
        return hash(self._strips.points.tobytes())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._strips.points.tolist()})"


class LineStrip2D(Strip):
    """A chain of line segments in 2D.

    Args:
        points: The points that are connected, in their order.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = LINE_STRIP2D
    COMPONENT_TYPE = "rerun.components.LineStrip2D"

    def __init__(self, points: LineStrip2DLike) -> None:
        self._set(points)

    @property
    def points(self) -> list[Vec2D]:
        """The points that are connected."""
        return [Vec2D(point) for point in self._strips.points]


class LineStrip3D(Strip):
    """A chain of line segments in 3D.

    Args:
        points: The points that are connected, in their order.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = LINE_STRIP3D
    COMPONENT_TYPE = "rerun.components.LineStrip3D"

    def __init__(self, points: LineStrip3DLike) -> None:
        self._set(points)

    @property
    def points(self) -> list[Vec3D]:
        """The points that are connected."""
        return [Vec3D(point) for point in self._strips.points]


class GeoLineString(Strip):
    """A chain of points on the globe.

    Args:
        lat_lon: The points, each as degrees of latitude north and of longitude east.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = GEO_LINE_STRING
    COMPONENT_TYPE = "rerun.components.GeoLineString"

    def __init__(self, *, lat_lon: GeoLineStringLike) -> None:
        self._set(lat_lon)

    @property
    def lat_lon(self) -> list[DVec2D]:
        """The points that are connected."""
        return [DVec2D(point) for point in self._strips.points]
