"""The format of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from aiorerun.types.coerce.catalog import IMAGE_FORMAT
from aiorerun.types.coerce.structs import pack_image_format
from aiorerun.types.encoding import FIXED, Captured
from aiorerun.types.native import Native

if TYPE_CHECKING:
    from aiorerun.datatypes.image import (
        ChannelDatatype,
        ChannelDatatypeLike,
        ColorModel,
        ColorModelLike,
        PixelFormat,
        PixelFormatLike,
    )  # fmt: skip
    from aiorerun.types.encoding import Encoding


class ImageFormat(Native):
    """Size of an image, and what its pixels are.

    Either the pixel format is given, or color model and channel datatype.

    Args:
        width: Pixels per row.
        height: Rows.
        pixel_format: A layout of several planes or of packed pixels, as cameras give.
        color_model: Which channels a pixel has.
        channel_datatype: The type of each channel.
    """

    __slots__ = ("channel_datatype", "color_model", "height", "pixel_format", "width")

    ENCODING: ClassVar[Encoding] = IMAGE_FORMAT

    width: int
    height: int
    pixel_format: PixelFormat | None
    color_model: ColorModel | None
    channel_datatype: ChannelDatatype | None

    def __init__(
        self,
        width: int,
        height: int,
        *,
        pixel_format: PixelFormatLike | None = None,
        color_model: ColorModelLike | None = None,
        channel_datatype: ChannelDatatypeLike | None = None,
    ) -> None:
        from aiorerun.datatypes.image import ChannelDatatype, ColorModel, PixelFormat

        self.width = int(width)
        self.height = int(height)
        self.pixel_format = None if pixel_format is None else PixelFormat.auto(pixel_format)
        self.color_model = None if color_model is None else ColorModel.auto(color_model)
        self.channel_datatype = None if channel_datatype is None else ChannelDatatype.auto(channel_datatype)

    def _captured(self) -> Captured:
        parts: list[int] = []
        for part in (self.pixel_format, self.color_model, self.channel_datatype):
            parts += (0, 0) if part is None else (1, part.value)
        return FIXED, pack_image_format(self.width, self.height, *parts)

    def _values(self) -> tuple[Any, ...]:
        return self.width, self.height, self.pixel_format, self.color_model, self.channel_datatype

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ImageFormat):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        parts = "".join(
            f", {name}={getattr(self, name)}"
            for name in ("pixel_format", "color_model", "channel_datatype")
            if getattr(self, name) is not None
        )
        return f"{type(self).__name__}(width={self.width}, height={self.height}{parts})"
