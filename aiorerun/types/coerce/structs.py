"""Structs that have a fixed width: rotations by axis and angle, and the format of images."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from aiorerun.types.coerce.values import is_arrow_array, refusal
from aiorerun.types.encoding import (
    ARRAY,
    ARROW,
    DYNAMIC,
    FIXED,
    Captured,
    Converter,
    Encoding,
    once_per_encoding,
)
from aiorerun.types.flat import FlatArray
from aiorerun.types.native import Native, captured, is_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

pack_image_format: Final = struct.Struct("<II6B").pack
"""Width and height; then pixel format, color model and channel datatype, each after whether it is there."""


class Packed(bytes):
    """An instance that is packed already."""

    __slots__ = ()


class StructEncoding(Encoding):
    """Structs made by native classes only: an instance, or a sequence of them.

    Several instances are kept as a matrix of their bytes.

    Args:
        name: Name of the native class.
        width: Bytes of an instance.
    """

    __slots__ = ("name", "width")

    def __init__(self, name: str, width: int) -> None:
        self.name = name
        self.width = width

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def converter(self, kind: type) -> Converter:
        """The quickest way to capture values of one type."""
        if kind is Packed:
            return FIXED, bytes
        if issubclass(kind, Native) and kind.ENCODING is self:
            return DYNAMIC, kind._captured
        return DYNAMIC, self.capture

    def capture(self, value: Any) -> Captured:
        """Copies a value into one of the shapes."""
        if isinstance(value, Packed):
            return FIXED, bytes(value)
        if is_of(value, self):
            return captured(value)
        if is_arrow_array(value) and value.type == self.arrow_type():
            return ARROW, value
        if value is None:
            value = ()
        elif not hasattr(value, "__iter__"):
            raise self._refusal(value)
        parts: list[bytes] = []
        for item in value:
            if not is_of(item, self):
                raise self._refusal(item)
            parts.append(captured(item)[1])
        import numpy as np

        return ARRAY, np.frombuffer(b"".join(parts), np.uint8).reshape(-1, self.width)

    def _refusal(self, value: Any) -> Exception:
        return refusal(value, f"one or more {self.name}", TypeError(f"{type(value).__name__} is none"))

    def array_column(self, array: npt.NDArray[Any]) -> FlatArray:
        """Values of ARRAY instances."""
        return self.fixed_column(array)


class AxisAngleEncoding(StructEncoding):
    """Rotations around an axis: three numbers for the axis and the angle in radians, all float32."""

    __slots__ = ()

    @once_per_encoding
    def arrow_type(self) -> pa.DataType:
        """The Arrow type of one instance."""
        import pyarrow as pa

        axis = pa.list_(pa.field("item", pa.float32(), nullable=False), 3)
        return pa.struct(
            [pa.field("axis", axis, nullable=False), pa.field("angle", pa.float32(), nullable=False)]
        )

    def fixed_column(self, raw: npt.NDArray[np.uint8]) -> FlatArray:
        """Values of many FIXED instances."""
        import numpy as np

        count = len(raw)
        axes, angles = np.ascontiguousarray(raw[:, :12]), np.ascontiguousarray(raw[:, 12:])
        nodes = [(count, 0), (count, 0), (count * 3, 0), (count, 0)]
        return FlatArray(self.arrow_type(), count, nodes, [None, None, None, axes, None, angles])


class ImageFormatEncoding(StructEncoding):
    """Size and layout of an image; of the layout, parts may be missing."""

    __slots__ = ()

    @once_per_encoding
    def arrow_type(self) -> pa.DataType:
        """The Arrow type of one instance."""
        import pyarrow as pa

        sizes = [pa.field(name, pa.uint32(), nullable=False) for name in ("width", "height")]
        parts = [pa.field(name, pa.uint8()) for name in ("pixel_format", "color_model", "channel_datatype")]
        return pa.struct([*sizes, *parts])

    def fixed_column(self, raw: npt.NDArray[np.uint8]) -> FlatArray:
        """Values of many FIXED instances."""
        import numpy as np

        count = len(raw)
        nodes = [(count, 0), (count, 0), (count, 0)]
        buffers: list[Any] = [None]
        for start in (0, 4):
            buffers += [None, np.ascontiguousarray(raw[:, start : start + 4])]
        for start in (8, 10, 12):
            present = raw[:, start]
            missing = count - int(np.count_nonzero(present))
            nodes.append((count, missing))
            buffers += [
                np.packbits(present, bitorder="little") if missing else None,
                np.ascontiguousarray(raw[:, start + 1]),
            ]
        return FlatArray(self.arrow_type(), count, nodes, buffers)
