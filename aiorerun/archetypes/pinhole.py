"""Pinhole cameras."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from aiorerun.archetypes._base import converted
from aiorerun.archetypes.transform import PinholeFields
from aiorerun.types.rows import NOTHING

if TYPE_CHECKING:
    import numpy.typing as npt

    from aiorerun.datatypes import (
        Float32Like,
        Mat3x3Like,
        Rgba32Like,
        Utf8Like,
        Vec2DLike,
        ViewCoordinatesLike,
    )  # fmt: skip


class Pinhole(PinholeFields):
    """A pinhole camera: where points in space are seen in the image.

    The projection is given as a matrix, by focal length and principal point, or by field of view and
    aspect ratio.

    Args:
        image_from_camera: The projection as a matrix, in rows.
        resolution: Width and height of the image in pixels.
        camera_xyz: Where the axes of the camera point; by default right, down, forward.
        width: Width of the image, instead of ``resolution``.
        height: Height of the image, instead of ``resolution``.
        focal_length: One focal length in pixels, or one for x and one for y.
        principal_point: Where the optical axis meets the image; by default in the middle.
        fov_y: The vertical field of view in radians.
        aspect_ratio: Width divided by height.
        child_frame: Name of the frame of the image plane.
        parent_frame: Name of the frame the camera is in.
        image_plane_distance: How far from the camera its image is shown.
        color: The color of the camera's frustum.
        line_width: The width of its lines.

    Raises:
        ValueError: Arguments that exclude each other or are not enough, in strict mode.

    Example:
        camera = rr.Pinhole(focal_length=500, width=640, height=480)
        await rec.log("world/camera", camera, static=True)
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        image_from_camera: Mat3x3Like | None = None,
        resolution: Vec2DLike | None = None,
        camera_xyz: ViewCoordinatesLike | None = None,
        width: int | float | None = None,
        height: int | float | None = None,
        focal_length: float | npt.ArrayLike | None = None,
        principal_point: npt.ArrayLike | None = None,
        fov_y: float | None = None,
        aspect_ratio: float | None = None,
        child_frame: Utf8Like | None = None,
        parent_frame: Utf8Like | None = None,
        image_plane_distance: float | None = None,
        color: Rgba32Like | None = None,
        line_width: Float32Like | None = None,
    ) -> None:
        try:
            resolution = self._resolution(resolution, width, height)
            if image_from_camera is None:
                if fov_y is not None and aspect_ratio is not None:
                    if focal_length is None:
                        focal_length = converted("fov_y", _focal_length, fov_y)
                    if resolution is None:
                        resolution = (converted("aspect_ratio", float, aspect_ratio), 1.0)
                image_from_camera = self._projection(focal_length, principal_point, resolution)
            elif focal_length is not None or principal_point is not None:
                given = "focal_length" if focal_length is not None else "principal_point"
                self._report(ValueError(f"`image_from_camera` excludes `{given}`, which is ignored"))
        except Exception as error:
            self._row = NOTHING
            self._report(error)
            return
        self._capture(
            image_from_camera, resolution, camera_xyz, child_frame, parent_frame, image_plane_distance, color,
            line_width,
        )  # fmt: skip

    def _resolution(self, resolution: Any, width: Any, height: Any) -> Any:
        if width is None and height is None:
            return resolution
        if resolution is not None:
            self._report(ValueError("`resolution` excludes `width` and `height`, which are ignored"))
            return resolution
        if width is None or height is None:
            missing = "width" if width is None else "height"
            self._report(ValueError(f"`width` and `height` belong together, `{missing}` is missing"))
            return None
        return (converted("width", float, width), converted("height", float, height))

    def _projection(self, focal_length: Any, principal_point: Any, resolution: Any) -> Any:
        if focal_length is None:
            raise ValueError(
                "either `image_from_camera` or `focal_length` is needed, or field of view and aspect"
            )
        fx, fy = _pair(focal_length, "focal_length")
        if principal_point is not None:
            u, v = _pair(principal_point, "principal_point", both=True)
        elif resolution is not None:
            width, height = _pair(resolution, "resolution", both=True)
            u, v = width / 2, height / 2
        else:
            raise ValueError("`focal_length` needs a `principal_point`, or a `resolution` to take its middle")
        return ((fx, 0.0, u), (0.0, fy, v), (0.0, 0.0, 1.0))


def _focal_length(fov_y: float) -> float:
    """The focal length for an image that is 1 high; only its proportions matter here."""
    return 0.5 / math.tan(max(float(fov_y) * 0.5, 1e-7))


def _pair(value: Any, name: str, *, both: bool = False) -> tuple[float, float]:
    """Two numbers; a single one stands for both, unless both are needed."""
    import numpy as np

    try:
        numbers = np.array(value, np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{name}` must be one or two numbers, not {value!r}") from error
    if numbers.size == 1 and not both:
        return float(numbers[0]), float(numbers[0])
    if numbers.size != 2:
        raise ValueError(f"`{name}` must be {'two' if both else 'one or two'} numbers, not {value!r}")
    return float(numbers[0]), float(numbers[1])
