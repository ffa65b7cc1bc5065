"""Rotations: angles, quaternions, axes with an angle."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, ClassVar, Final, cast

from aiorerun.datatypes._natives import FloatNative, VectorNative
from aiorerun.types.coerce.catalog import ANGLE, QUATERNION, ROTATION_AXIS_ANGLE, VEC3D
from aiorerun.types.coerce.values import refusal
from aiorerun.types.encoding import ARRAY, FIXED, Captured
from aiorerun.types.native import Native

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from aiorerun.datatypes.common import AngleLike, Vec3D, Vec3DLike
    from aiorerun.types.encoding import Encoding

_pack_angle: Final = struct.Struct("<f").pack


class Angle(FloatNative):
    """An angle, given in radians or in degrees.

    Args:
        rad: The angle in radians.
        deg: The angle in degrees.

    Raises:
        ValueError: Neither or both were given.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = ANGLE
    ATTRIBUTE = "radians"

    def __init__(self, rad: float | None = None, deg: float | None = None) -> None:
        if (rad is None) == (deg is None):
            raise ValueError("an angle needs either `rad` or `deg`")
        self._set(math.radians(float(deg)) if deg is not None else rad)

    @property
    def radians(self) -> float:
        """The angle in radians."""
        return float(self._value)


class Quaternion(VectorNative):
    """A rotation as a quaternion.

    Args:
        xyzw: The imaginary parts, then the real part.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = QUATERNION
    ATTRIBUTE = "xyzw"

    def __init__(self, *, xyzw: npt.ArrayLike) -> None:
        self._set(xyzw)

    @property
    def xyzw(self) -> npt.NDArray[np.float32]:
        """The imaginary parts, then the real part."""
        return self._array()

    @staticmethod
    def identity() -> Quaternion:
        """No rotation."""
        return Quaternion(xyzw=(0.0, 0.0, 0.0, 1.0))

    @staticmethod
    def invalid() -> Quaternion:
        """All zeros, which is no rotation at all: what has it is not shown."""
        return Quaternion(xyzw=(0.0, 0.0, 0.0, 0.0))


class RotationAxisAngle(Native):
    """A rotation around an axis.

    Args:
        axis: The axis; it need not have length 1.
        angle: The angle: an :class:`Angle`, or a number in radians.
        radians: Instead of the angle: radians.
        degrees: Instead of the angle: degrees.

    Raises:
        ValueError: Not exactly one angle was given.
    """

    __slots__ = ("_angle", "_axis")

    ENCODING: ClassVar[Encoding] = ROTATION_AXIS_ANGLE

    def __init__(
        self,
        axis: Vec3DLike,
        angle: AngleLike | None = None,
        *,
        radians: float | None = None,
        degrees: float | None = None,
    ) -> None:
        if sum(given is not None for given in (angle, radians, degrees)) != 1:
            raise ValueError("a rotation needs exactly one of `angle`, `radians` and `degrees`")
        shape, data = VEC3D.capture(axis)
        if shape == ARRAY and len(data) == 1:
            shape, data = FIXED, data.tobytes()
        if shape != FIXED:
            raise refusal(axis, "one axis of 3 numbers")
        self._axis: bytes = data
        if isinstance(angle, Angle):
            self._angle = angle
        elif degrees is not None:
            self._angle = Angle(deg=degrees)
        else:
            self._angle = Angle(rad=cast("float", radians if angle is None else angle))

    @property
    def axis(self) -> Vec3D:
        """The axis."""
        from aiorerun.datatypes.common import Vec3D

        return Vec3D(VEC3D.array_of(self._axis))

    @property
    def angle(self) -> Angle:
        """The angle."""
        return self._angle

    def _captured(self) -> Captured:
        return FIXED, self._axis + _pack_angle(self._angle.radians)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RotationAxisAngle) or type(self) is not type(other):
            return NotImplemented
        return self._axis == other._axis and self._angle == other._angle

    def __hash__(self) -> int:
        return hash((self._axis, self._angle))

    def __repr__(self) -> str:
        axis = VEC3D.array_of(self._axis).tolist()
        return f"{type(self).__name__}(axis={axis}, radians={self._angle.radians})"
