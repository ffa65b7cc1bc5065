"""Points and lines on the globe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun.archetypes.geo import GeoLineStringsFields, GeoPointsFields

if TYPE_CHECKING:
    from aiorerun.components import GeoLineStringArrayLike
    from aiorerun.datatypes import ClassIdArrayLike, DVec2DArrayLike, Float32ArrayLike, Rgba32ArrayLike


class GeoPoints(GeoPointsFields):
    """Points on the globe.

    Args:
        lat_lon: Degrees of latitude north and of longitude east, shape ``(n, 2)``.
        radii: Radii in meters, or made with ``Radius.ui_points``.
        colors: Colors, one for all or one each.
        class_ids: Classes, which give labels and colors by an annotation context.

    Example:
        cities = [[59.33, 18.07], [48.86, 2.35]]
        await rec.log("map/cities", rr.GeoPoints(lat_lon=cities, radii=rr.Radius.ui_points(8)))
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        lat_lon: DVec2DArrayLike,
        radii: Float32ArrayLike | None = None,
        colors: Rgba32ArrayLike | None = None,
        class_ids: ClassIdArrayLike | None = None,
    ) -> None:
        self._capture(lat_lon, radii, colors, class_ids)


class GeoLineStrings(GeoLineStringsFields):
    """Chains of line segments on the globe.

    Args:
        lat_lon: The chains, each a sequence of degrees of latitude north and of longitude east.
        radii: Radii in meters, or made with ``Radius.ui_points``.
        colors: Colors, one for all or one each.

    Example:
        track = [[59.33, 18.07], [59.34, 18.10], [59.36, 18.09]]
        await rec.log("map/track", rr.GeoLineStrings(lat_lon=track, radii=2))
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        lat_lon: GeoLineStringArrayLike,
        radii: Float32ArrayLike | None = None,
        colors: Rgba32ArrayLike | None = None,
    ) -> None:
        self._capture(lat_lon, radii, colors)
