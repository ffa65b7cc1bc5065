"""Colors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from aiorerun.datatypes._natives import IntNative
from aiorerun.types.coerce.catalog import RGBA32
from aiorerun.types.coerce.values import refusal
from aiorerun.types.encoding import ARRAY, FIXED

if TYPE_CHECKING:
    from aiorerun.datatypes.common import Rgba32Like
    from aiorerun.types.encoding import Encoding


class Rgba32(IntNative):
    """A color with alpha, 8 bits per channel.

    Args:
        rgba: ``0xRRGGBBAA``, or 3 or 4 numbers: whole ones from 0 to 255, others from 0.0 to 1.0.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = RGBA32
    ATTRIBUTE = "rgba"

    def __init__(self, rgba: Rgba32Like) -> None:
        self._set(rgba)

    def _set(self, value: Any) -> None:
        shape, data = RGBA32.capture(value)
        if shape == ARRAY and len(data) == 1:
            self._value = int(data[0])
        elif shape == FIXED:
            self._value = int.from_bytes(data, "little")
        else:
            raise refusal(value, "exactly one color")

    @property
    def rgba(self) -> int:
        """The color as ``0xRRGGBBAA``."""
        return int(self._value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(rgba=0x{self._value:08x})"
