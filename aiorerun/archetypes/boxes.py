"""Boxes in 2D and 3D."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from aiorerun.archetypes._base import converted, told_of
from aiorerun.archetypes.spatial2d import Boxes2DFields
from aiorerun.archetypes.spatial3d import Boxes3DFields
from aiorerun.types.coerce.catalog import ROTATION_AXIS_ANGLE, VEC2D, VEC3D
from aiorerun.types.encoding import ARRAY, FIXED
from aiorerun.types.native import Native
from aiorerun.types.rows import NOTHING

if TYPE_CHECKING:
    import numpy.typing as npt

    from aiorerun.components import FillModeLike
    from aiorerun.datatypes import (
        BoolLike,
        ClassIdArrayLike,
        Float32ArrayLike,
        QuaternionArrayLike,
        Rgba32ArrayLike,
        RotationAxisAngleArrayLike,
        Utf8ArrayLike,
        Vec2DArrayLike,
        Vec3DArrayLike,
    )  # fmt: skip
    from aiorerun.types.coerce.vectors import VectorEncoding


class Box2DFormat(Enum):
    """What the four numbers of a rectangle are."""

    XYWH = "XYWH"
    """The corner with the smallest x and y, then width and height."""
    YXHW = "YXHW"
    """The same with y first."""
    XYXY = "XYXY"
    """Two opposite corners."""
    YXYX = "YXYX"
    """Two opposite corners, y first."""
    XCYCWH = "XCYCWH"
    """The center, then width and height."""
    XCYCW2H2 = "XCYCW2H2"
    """The center, then half the width and height."""


class Boxes2D(Boxes2DFields):
    """Axis-aligned rectangles in 2D.

    Their size is given as ``sizes`` or ``half_sizes``, their place as ``centers`` or ``mins``; or all as
    ``array`` and ``array_format``.

    Args:
        sizes: Widths and heights.
        mins: The corners with the smallest x and y; needs a size.
        half_sizes: Half the widths and heights.
        centers: The centers; by default the origin.
        array: Four numbers per rectangle.
        array_format: What the four numbers are.
        radii: How thick the lines are.
        colors: Colors, one for all or one each.
        labels: Texts, one for all or one each.
        show_labels: Whether labels are shown at once; by default when there are few.
        draw_order: What is drawn above what: higher values are on top.
        class_ids: Classes, which give labels and colors by an annotation context.

    Raises:
        ValueError: Arguments that exclude each other, in strict mode.

    Example:
        await rec.log("image/cars", rr.Boxes2D(mins=[[20, 30]], sizes=[[40, 25]], labels="car"))
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        sizes: Vec2DArrayLike | None = None,
        mins: Vec2DArrayLike | None = None,
        half_sizes: Vec2DArrayLike | None = None,
        centers: Vec2DArrayLike | None = None,
        array: npt.ArrayLike | None = None,
        array_format: Box2DFormat | None = None,
        radii: Float32ArrayLike | None = None,
        colors: Rgba32ArrayLike | None = None,
        labels: Utf8ArrayLike | None = None,
        show_labels: BoolLike | None = None,
        draw_order: Float32ArrayLike | None = None,
        class_ids: ClassIdArrayLike | None = None,
    ) -> None:
        if sizes is not None or mins is not None or array is not None:
            try:
                if array is None:
                    half_sizes, centers = _measures(VEC2D, sizes, mins, half_sizes, centers)
                else:
                    _refuse_beside_array(sizes=sizes, mins=mins, half_sizes=half_sizes, centers=centers)
                    half_sizes, centers = _from_array(array, array_format)
            except Exception as error:
                self._row = NOTHING
                self._report(error)
                return
        self._capture(half_sizes, centers, colors, radii, labels, show_labels, draw_order, class_ids)


class Boxes3D(Boxes3DFields):
    """Boxes in 3D, which may be rotated.

    Their size is given as ``sizes`` or ``half_sizes``, their place as ``centers`` or ``mins``.

    Args:
        sizes: The extents along each axis.
        mins: The corners with the smallest coordinates; needs a size.
        half_sizes: Half the extents along each axis.
        centers: The centers; by default the origin.
        rotation_axis_angles: Rotations around an axis.
        quaternions: Rotations as quaternions.
        rotations: Rotations of either kind, instead of both.
        colors: Colors, one for all or one each.
        radii: How thick the lines are.
        fill_mode: Whether the boxes are drawn as solids or as lines.
        labels: Texts, one for all or one each.
        show_labels: Whether labels are shown at once; by default when there are few.
        class_ids: Classes, which give labels and colors by an annotation context.

    Raises:
        ValueError: Arguments that exclude each other, in strict mode. Otherwise ``sizes`` win over
            ``half_sizes``, ``mins`` over ``centers`` and ``quaternions`` over ``rotations``.

    Example:
        boxes = rr.Boxes3D(half_sizes=[[1, 1, 2]], centers=[[0, 0, 2]], fill_mode="solid")
        await rec.log("world/boxes", boxes)
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        sizes: Vec3DArrayLike | None = None,
        mins: Vec3DArrayLike | None = None,
        half_sizes: Vec3DArrayLike | None = None,
        centers: Vec3DArrayLike | None = None,
        rotation_axis_angles: RotationAxisAngleArrayLike | None = None,
        quaternions: QuaternionArrayLike | None = None,
        rotations: RotationAxisAngleArrayLike | QuaternionArrayLike | None = None,
        colors: Rgba32ArrayLike | None = None,
        radii: Float32ArrayLike | None = None,
        fill_mode: FillModeLike | None = None,
        labels: Utf8ArrayLike | None = None,
        show_labels: BoolLike | None = None,
        class_ids: ClassIdArrayLike | None = None,
    ) -> None:
        if sizes is not None or mins is not None or rotations is not None:
            try:
                half_sizes, centers = self._tolerant_measures(sizes, mins, half_sizes, centers)
                quaternions, rotation_axis_angles = self._rotations(
                    rotations, quaternions, rotation_axis_angles
                )
            except Exception as error:
                self._row = NOTHING
                self._report(error)
                return
        self._capture(
            half_sizes, centers, rotation_axis_angles, quaternions, colors, radii, fill_mode, labels,
            show_labels, class_ids,
        )  # fmt: skip

    def _tolerant_measures(self, sizes: Any, mins: Any, half_sizes: Any, centers: Any) -> tuple[Any, Any]:
        if sizes is not None and half_sizes is not None:
            self._report(ValueError("`sizes` and `half_sizes` exclude each other; `sizes` are used"))
            half_sizes = None
        if mins is not None and centers is not None:
            self._report(ValueError("`mins` and `centers` exclude each other; `mins` are used"))
            centers = None
        if mins is not None and sizes is None and half_sizes is None:
            self._report(ValueError("`mins` need `sizes` or `half_sizes`; boxes of half size 1 are made"))
            half_sizes = (1.0, 1.0, 1.0)
        return _measures(VEC3D, sizes, mins, half_sizes, centers)

    def _rotations(self, rotations: Any, quaternions: Any, axis_angles: Any) -> tuple[Any, Any]:
        """Quaternions and rotations around an axis; of ``rotations``, the other kind is cleared."""
        if rotations is None:
            return quaternions, axis_angles
        if quaternions is not None or axis_angles is not None:
            self._report(ValueError("`rotations` exclude `quaternions` and `rotation_axis_angles`"))
            return quaternions, axis_angles
        first = rotations
        if isinstance(rotations, list | tuple) and rotations:
            first = rotations[0]
        if isinstance(first, Native) and first.ENCODING is ROTATION_AXIS_ANGLE:
            return (), rotations
        return rotations, ()


def _refuse_beside_array(**others: Any) -> None:
    given = [f"`{name}`" for name, value in others.items() if value is not None]
    if given:
        raise ValueError(f"`array` excludes {', '.join(given)}")


def _measures(
    encoding: VectorEncoding, sizes: Any, mins: Any, half_sizes: Any, centers: Any
) -> tuple[Any, Any]:
    """Half sizes and centers."""
    if sizes is not None:
        if half_sizes is not None:
            raise ValueError("`sizes` and `half_sizes` exclude each other")
        half_sizes = _numbers(encoding, "sizes", sizes) / 2.0
    if mins is not None:
        if centers is not None:
            raise ValueError("`mins` and `centers` exclude each other")
        if half_sizes is None:
            raise ValueError("`mins` need `sizes` or `half_sizes`")
        halves = _numbers(encoding, "half_sizes", half_sizes)
        corners = _numbers(encoding, "mins", mins)
        if 1 not in (len(corners), len(halves)) and len(corners) != len(halves):
            raise ValueError(f"{len(corners)} `mins` do not go with {len(halves)} `sizes` or `half_sizes`")
        centers = corners + halves
    return half_sizes, centers


def _numbers(encoding: VectorEncoding, name: str, value: Any) -> npt.NDArray[Any]:
    """Vectors as an array of shape ``(n, size)``."""
    import numpy as np

    try:
        shape, data = encoding.capture(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise told_of(name, error) from error
    if shape == FIXED:
        return encoding.array_of(data).reshape(1, -1)
    if shape == ARRAY:
        array: npt.NDArray[Any] = data
        return array
    return np.array(data.to_pylist(), encoding.dtype).reshape(-1, encoding.size)


def _from_array(value: npt.ArrayLike, array_format: Box2DFormat | None) -> tuple[Any, Any]:
    """Half sizes and centers of four numbers per rectangle."""
    import numpy as np

    if array_format is None:
        raise ValueError("`array` needs `array_format`")
    name = str(getattr(array_format, "value", array_format))
    if name not in Box2DFormat.__members__:
        known = ", ".join(Box2DFormat.__members__)
        raise ValueError(f"array_format: {array_format!r} is no Box2DFormat: there are {known}")
    numbers = converted("array", lambda given: np.array(given, np.float64), value)
    if not numbers.any():
        # Rectangles of nothing but zeros, or none at all: nothing is shown.
        return (), ()
    if numbers.size % 4 or numbers.ndim > 2:
        raise ValueError(f"`array` must have shape (n, 4), not {numbers.shape}")
    numbers = numbers.reshape(-1, 4)
    first, second = numbers[:, :2], numbers[:, 2:]
    if name == "XCYCW2H2":
        return second, first
    if name == "XCYCWH":
        return second / 2, first
    if name in ("XYXY", "YXYX"):
        if name == "YXYX":
            first, second = first[:, ::-1], second[:, ::-1]
        return (second - first) / 2, (first + second) / 2
    if name == "YXHW":
        first, second = first[:, ::-1], second[:, ::-1]
    return second / 2, first + second / 2
