"""Ellipsoids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.archetypes._base import told_of
from aiorerun.archetypes.spatial3d import Ellipsoids3DFields
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
        Vec3DArrayLike,
    )  # fmt: skip


class Ellipsoids3D(Ellipsoids3DFields):
    """Ellipsoids, or spheres, which may be rotated.

    Args:
        half_sizes: Half the extent along each axis.
        radii: Instead of the half sizes: the radii of spheres.
        centers: The centers; by default the origin.
        rotation_axis_angles: Rotations around an axis.
        quaternions: Rotations as quaternions.
        colors: Colors, one for all or one each.
        line_radii: How thick the lines are.
        fill_mode: Whether they are drawn as solids or as lines.
        labels: Texts, one for all or one each.
        show_labels: Whether labels are shown at once; by default when there are few.
        class_ids: Classes, which give labels and colors by an annotation context.

    Raises:
        ValueError: Both radii and half sizes, in strict mode. Otherwise the radii win.

    Example:
        await rec.log("world/balls", rr.Ellipsoids3D(radii=[0.5, 1], centers=[[0, 0, 0], [3, 0, 0]]))
    """

    __slots__ = ()

    def __init__(
        self,
        *,
        half_sizes: Vec3DArrayLike | None = None,
        radii: Float32ArrayLike | None = None,
        centers: Vec3DArrayLike | None = None,
        rotation_axis_angles: RotationAxisAngleArrayLike | None = None,
        quaternions: QuaternionArrayLike | None = None,
        colors: Rgba32ArrayLike | None = None,
        line_radii: Float32ArrayLike | None = None,
        fill_mode: FillModeLike | None = None,
        labels: Utf8ArrayLike | None = None,
        show_labels: BoolLike | None = None,
        class_ids: ClassIdArrayLike | None = None,
    ) -> None:
        if radii is not None:
            try:
                if half_sizes is not None:
                    self._report(ValueError("`radii` and `half_sizes` exclude each other; `radii` are used"))
                half_sizes = _half_sizes(radii)
            except Exception as error:
                self._row = NOTHING
                self._report(told_of("radii", error))
                return
        self._capture(
            half_sizes, centers, rotation_axis_angles, quaternions, colors, line_radii, fill_mode, labels,
            show_labels, class_ids,
        )  # fmt: skip


def _half_sizes(radii: Any) -> npt.NDArray[Any]:
    """The half sizes of spheres."""
    import numpy as np

    array = np.atleast_1d(np.asarray(radii, np.float32)).ravel()
    return np.repeat(array, 3).reshape(-1, 3)
