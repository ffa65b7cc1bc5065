"""Colors: packed ``0xRRGGBBAA`` numbers, or red, green, blue and perhaps alpha."""

from __future__ import annotations

import struct
import warnings
from typing import TYPE_CHECKING, Any, Final

from aiorerun import errors
from aiorerun.types.coerce.foreign import plain_array
from aiorerun.types.coerce.values import first_axis, is_arrow_array, is_numpy, numbers_of, refusal
from aiorerun.types.encoding import ARRAY, ARROW, DYNAMIC, FIXED, RAW, Captured, Converter, Encoding
from aiorerun.types.flat import FlatArray, joined_later
from aiorerun.types.native import Native, captured, is_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

_ACCEPTED: Final = (
    "a color (0xRRGGBBAA, or 3 or 4 numbers: whole ones from 0 to 255, others from 0.0 to 1.0) "
    "or a sequence of colors"
)
_pack: Final = struct.Struct("<I").pack


class ColorEncoding(Encoding):
    """Colors with alpha, 8 bits per channel."""

    __slots__ = ()
    width = 4

    def __repr__(self) -> str:
        return "ColorEncoding()"

    def arrow_type(self) -> pa.DataType:
        """The Arrow type of one instance."""
        import pyarrow as pa

        return pa.uint32()

    def converter(self, kind: type) -> Converter:
        """The quickest way to capture values of one type."""
        if kind is int:
            return FIXED, _pack
        if kind in (list, tuple):
            return DYNAMIC, self._from_sequence
        if is_numpy(kind) and kind.__name__ == "ndarray":
            return DYNAMIC, self._array_converter()
        if issubclass(kind, Native) and kind.ENCODING is self:
            return DYNAMIC, kind._captured
        return DYNAMIC, self.capture

    def _array_converter(self) -> Callable[[npt.NDArray[Any]], Captured]:
        from aiorerun.types.coerce.channels import pack_channels

        def from_array(value: npt.NDArray[Any]) -> Captured:
            """The most frequent arrays without many questions."""
            shape, kind = value.shape, value.dtype.char
            if kind == "B" and len(shape) == 2 and shape[1] in (3, 4) and shape[0]:
                return ARRAY, pack_channels(value)
            if kind == "I" and len(shape) == 1:
                return ARRAY, value.astype("<u4")
            return self.capture(value)

        return from_array

    def row_converter(self, kind: type) -> Converter:
        """The quickest way to capture values of one type in a row: arrays become RAW."""
        shape, convert = self.converter(kind)
        if not (is_numpy(kind) and kind.__name__ == "ndarray"):
            return shape, convert
        from aiorerun.types.pool import own_raw

        def from_array(value: npt.NDArray[Any]) -> Captured:
            shape, data = convert(value)
            return (RAW, own_raw(data)) if shape == ARRAY else (shape, data)

        return DYNAMIC, from_array

    def rows_of(self, value: Any, size: int) -> int:
        """Over how many rows ``Archetype.columns`` spreads the instances."""
        return first_axis(value, size)

    def _from_sequence(self, value: Any) -> Captured:
        try:
            # Fails for anything but whole numbers from 0 to 255.
            channels = bytes(value)
        except (ValueError, TypeError):
            return self.capture(value)
        if len(channels) == 3:
            return FIXED, b"\xff" + channels[::-1]
        if len(channels) == 4:
            return FIXED, channels[::-1]
        return self.capture(value)

    def capture(self, value: Any) -> Captured:
        """Copies a value into one of the shapes."""
        import numpy as np

        value = plain_array(value)
        if is_arrow_array(value):
            if value.type == self.arrow_type():
                return ARROW, value
            value = numbers_of(value)
        if is_of(value, self):
            return captured(value)
        if isinstance(value, int | np.integer | np.bool_):
            return self._from_int(int(value))
        if isinstance(value, np.floating):
            raise refusal(value, _ACCEPTED, TypeError("a single number with a fraction is no color"))
        if not isinstance(value, np.ndarray):
            value = self._items(value)
        if isinstance(value, list):
            if any(isinstance(item, Native) for item in value):
                return self._from_items(value)
            try:
                array = np.array(value)
            except ValueError:
                return self._from_items(value)
        else:
            array = value
        return ARRAY, self._packed(value, array)

    def _items(self, value: Any) -> Any:
        if value is None:
            return []
        if hasattr(value, "__array__"):
            import numpy as np

            return np.asarray(value)
        if isinstance(value, str):
            raise refusal(value, _ACCEPTED, ValueError("Color.from_string makes a color for any text"))
        if isinstance(value, float | complex) or not hasattr(value, "__iter__"):
            raise refusal(value, _ACCEPTED, TypeError(f"{type(value).__name__} is no color"))
        return list(value)

    def fixed_column(self, raw: npt.NDArray[np.uint8]) -> FlatArray:
        """Values of many FIXED instances."""
        return FlatArray(self.arrow_type(), len(raw), [(len(raw), 0)], [None, raw])

    def array_column(self, array: npt.NDArray[Any]) -> FlatArray:
        """Values of ARRAY instances."""
        return FlatArray(self.arrow_type(), len(array), [(len(array), 0)], [None, array])

    def raw_column(self, parts: Sequence[bytes | npt.NDArray[np.uint8]]) -> FlatArray:
        """Values of RAW instances, those of all rows; they are not copied."""
        length = sum(map(len, parts)) // self.width
        return FlatArray(self.arrow_type(), length, [(length, 0)], [None, joined_later(parts)])

    def _from_int(self, value: int) -> Captured:
        try:
            return FIXED, _pack(value)
        except struct.error as error:
            raise refusal(value, _ACCEPTED, OverflowError("it does not fit into 32 bits")) from error

    def _from_items(self, items: list[Any]) -> Captured:
        """Items of different kinds: each must be one color."""
        import numpy as np

        parts: list[bytes] = []
        for item in items:
            shape, data = self.capture(item)
            if shape == ARRAY:
                if len(data) != 1:
                    raise refusal(item, "one color")
                data = data.tobytes()
            parts.append(data)
        return ARRAY, np.frombuffer(b"".join(parts), np.uint32)

    def _packed(self, given: Any, array: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
        import numpy as np

        if not array.size:
            return np.empty(0, np.uint32)
        if array.dtype.kind not in "biufmM":
            texts = array.dtype.kind in "US" or any(isinstance(item, str) for item in array.flat)
            raise refusal(given, _ACCEPTED, None if texts else TypeError("not numbers"))
        if array.dtype == np.uint32:
            return array.ravel().astype(np.uint32)
        shape = tuple([length for length in array.shape if length != 1])
        if len(shape) <= 1:
            return self._from_flat(given, array.ravel())
        if shape[-1] not in (3, 4):
            raise refusal(given, _ACCEPTED)
        from aiorerun.types.coerce.channels import pack_channels

        return pack_channels(array.reshape(-1, shape[-1]))

    def _from_flat(self, given: Any, array: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
        """One color as channels, or many packed ones."""
        import numpy as np

        from aiorerun.types.coerce.channels import pack_channels

        size, kind = len(array), array.dtype.kind
        if size in (3, 4):
            if kind == "f" or int(array.max()) <= 255:
                return pack_channels(array.reshape(1, size))
            warnings.warn(
                f"{size} numbers above 255 may be packed colors or channels; they are taken for packed ones "
                "(0xRRGGBBAA). Pass an array with dtype=numpy.uint32 to be clear",
                errors.RerunWarning,
                stacklevel=errors.caller_stacklevel(),
            )
        elif (kind == "f" or array.dtype == np.uint8) and size % 4 == 0:
            return pack_channels(array.reshape(-1, 4))
        if isinstance(given, list):
            # Python numbers must fit; arrays are cast as numpy casts.
            try:
                return np.array(given, np.uint32).ravel()
            except (OverflowError, ValueError, TypeError) as error:
                raise refusal(given, _ACCEPTED, error) from error
        return array.astype(np.uint32)
