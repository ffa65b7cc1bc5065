"""Planes in space."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from aiorerun.datatypes._natives import VectorNative
from aiorerun.datatypes.common import Vec3D
from aiorerun.types.coerce.catalog import PLANE3D

if TYPE_CHECKING:
    from typing import Self

    import numpy as np
    import numpy.typing as npt

    from aiorerun.datatypes.common import Vec3DLike
    from aiorerun.types.encoding import Encoding


class Plane3D(VectorNative):
    """A plane in space.

    Args:
        normal: The direction it faces.
        distance: How far it is from the origin, in lengths of the normal; by default it goes through it.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = PLANE3D
    ATTRIBUTE = "xyzd"

    XY: ClassVar[Self]
    YZ: ClassVar[Self]
    ZX: ClassVar[Self]

    def __init__(self, normal: Vec3DLike, distance: float | int | None = None) -> None:
        # A vector first, which complains about everything that is none.
        x, y, z = normal if isinstance(normal, tuple) else Vec3D(normal).xyz
        self._set((x, y, z, 0.0 if distance is None else distance))

    @property
    def xyzd(self) -> npt.NDArray[np.float32]:
        """The normal, then the distance."""
        return self._array()

    def normal(self) -> npt.NDArray[np.float32]:
        """The direction it faces."""
        return self._array()[:3]

    def distance(self) -> float:
        """How far it is from the origin."""
        return float(self._array()[3])

    def with_distance(self, distance: float) -> Self:
        """The parallel plane at another distance."""
        return type(self)(self.normal(), distance)


def define_planes(kind: type[Plane3D]) -> None:
    """Makes the constants, which are members of their own class."""
    for name, normal in (("XY", (0, 0, 1)), ("YZ", (1, 0, 0)), ("ZX", (0, 1, 0))):
        setattr(kind, name, kind(normal))


define_planes(Plane3D)
