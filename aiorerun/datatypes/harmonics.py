"""Spherical harmonics."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from aiorerun.datatypes._natives import VectorNative
from aiorerun.types.coerce.catalog import SPHERICAL_HARMONICS3RGB

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from aiorerun.datatypes.spatial3d import SphericalHarmonics3RgbLike
    from aiorerun.types.encoding import Encoding


class SphericalHarmonics3Rgb(VectorNative):
    """Spherical harmonics of degrees 1 to 3 for red, green and blue.

    Args:
        coefficients: 15 x 3 numbers, in rows or flat.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = SPHERICAL_HARMONICS3RGB
    ATTRIBUTE = "coefficients"

    def __init__(self, coefficients: SphericalHarmonics3RgbLike) -> None:
        self._set(coefficients)

    @property
    def coefficients(self) -> npt.NDArray[np.float16]:
        """The numbers, of shape (15, 3)."""
        return self._array().reshape(15, 3)

    def __len__(self) -> int:
        return 15
