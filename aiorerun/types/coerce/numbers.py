"""Single numbers and booleans: ``Scalar``, ``Radius``, ``ClassId``, ``ShowLabels`` and so on."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from aiorerun.types.coerce.foreign import plain_array
from aiorerun.types.coerce.values import first_axis, is_arrow_array, is_numpy, refusal
from aiorerun.types.encoding import ARRAY, ARROW, DYNAMIC, FIXED, RAW, Captured, Converter, Encoding
from aiorerun.types.flat import FlatArray, joined_later
from aiorerun.types.native import Native

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

_FORMATS: Final = {
    "float32": "<f", "float64": "<d", "int8": "<b", "int16": "<h", "int32": "<i", "int64": "<q",
    "uint8": "<B", "uint16": "<H", "uint32": "<I", "uint64": "<Q",
}  # fmt: skip


class NumberEncoding(Encoding):
    """Numbers of one numpy dtype.

    Args:
        dtype: Name of the dtype, which is also the name of the Arrow type.
        word: What an instance is called in error messages.
    """

    __slots__ = ("_pack", "dtype", "width", "word")

    def __init__(self, dtype: str, word: str = "") -> None:
        packer = struct.Struct(_FORMATS[dtype])
        self.dtype = dtype
        self.width = packer.size
        self.word = word or ("numbers" if dtype.startswith("float") else f"whole numbers ({dtype})")
        self._pack: Callable[[Any], bytes] = packer.pack

    def __repr__(self) -> str:
        return f"NumberEncoding({self.dtype!r})"

    def arrow_type(self) -> pa.DataType:
        """The Arrow type of one instance."""
        import pyarrow as pa

        return pa.type_for_alias(self.dtype)

    def converter(self, kind: type) -> Converter:
        """The quickest way to capture values of one type."""
        if kind is float and not self.dtype.startswith("float"):
            return DYNAMIC, self.capture
        if kind in (float, int, bool) or (is_numpy(kind) and hasattr(kind, "is_integer")):
            return FIXED, self._pack
        if kind in (list, tuple):
            return ARRAY, self._flat
        if is_numpy(kind) and kind.__name__ == "ndarray":
            return DYNAMIC, self._array_converter()
        return DYNAMIC, self.capture

    def row_converter(self, kind: type) -> Converter:
        """The quickest way to capture values of one type in a row: arrays as they are become RAW."""
        shape, convert = self.converter(kind)
        if not (is_numpy(kind) and kind.__name__ == "ndarray"):
            return shape, convert
        import numpy as np

        from aiorerun.types.pool import raw_copy

        dtype = np.dtype(self.dtype)

        def from_array(value: npt.NDArray[Any]) -> Captured:
            if value.ndim and value.dtype == dtype:
                return RAW, raw_copy(value)
            captured: Captured = convert(value)
            return captured

        return DYNAMIC, from_array

    def check(self, value: int) -> None:
        """Tells whether a whole number fits.

        Raises:
            OverflowError: It does not.
        """
        try:
            self._pack(value)
        except struct.error as error:
            raise refusal(value, f"one or more {self.word}", OverflowError(str(error))) from error

    def _flat(self, value: Any) -> npt.NDArray[Any]:
        import numpy as np

        return np.array(value, self.dtype).ravel()

    def _array_converter(self) -> Callable[[npt.NDArray[Any]], Captured]:
        import numpy as np

        from aiorerun.types.pool import copied

        dtype = np.dtype(self.dtype)

        def from_array(value: npt.NDArray[Any]) -> Captured:
            array = copied(value, dtype)
            if not array.ndim:
                return FIXED, array.tobytes()
            return ARRAY, array.ravel()

        return from_array

    def capture(self, value: Any) -> Captured:
        """Copies a value into one of the shapes."""
        value = plain_array(value)
        if is_arrow_array(value):
            if value.type == self.arrow_type():
                return ARROW, value
            value = value.to_numpy(zero_copy_only=False)
        if value is None:
            value = ()
        import numpy as np

        try:
            array = np.array(value, self.dtype)
        except Exception as error:
            raise refusal(value, f"one or more {self.word}", error) from error
        if not array.ndim:
            return FIXED, array.tobytes()
        return ARRAY, array.ravel()

    def rows_of(self, value: Any, size: int) -> int:
        """Over how many rows ``Archetype.columns`` spreads the instances."""
        return first_axis(value, size)

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


class BoolEncoding(Encoding):
    """Booleans: whatever Python or numpy finds true or false."""

    __slots__ = ()
    width = 1

    def __repr__(self) -> str:
        return "BoolEncoding()"

    def arrow_type(self) -> pa.DataType:
        """The Arrow type of one instance."""
        import pyarrow as pa

        return pa.bool_()

    def converter(self, kind: type) -> Converter:
        """The quickest way to capture values of one type."""
        if kind is bool:
            return FIXED, _pack_bool
        return DYNAMIC, self.capture

    def capture(self, value: Any) -> Captured:
        """Copies a value into one of the shapes."""
        value = plain_array(value)
        if is_arrow_array(value):
            if value.type == self.arrow_type():
                return ARROW, value
            value = value.to_numpy(zero_copy_only=False)
        if value is None:
            value = ()
        if isinstance(value, Native):
            return FIXED, _pack_bool(bool(value))
        import numpy as np

        try:
            array = np.array(value, np.bool_)
        except Exception as error:
            raise refusal(value, "one or more booleans", error) from error
        if not array.ndim:
            return FIXED, array.tobytes()
        return ARRAY, array.ravel()

    def rows_of(self, value: Any, size: int) -> int:
        """Over how many rows ``Archetype.columns`` spreads the instances."""
        return first_axis(value, size)

    def fixed_column(self, raw: npt.NDArray[np.uint8]) -> FlatArray:
        """Values of many FIXED instances."""
        return self.array_column(raw.reshape(-1))

    def array_column(self, array: npt.NDArray[Any]) -> FlatArray:
        """Values of ARRAY instances."""
        import numpy as np

        bits = np.packbits(array, bitorder="little")
        return FlatArray(self.arrow_type(), len(array), [(len(array), 0)], [None, bits])


_pack_bool: Final = struct.Struct("<?").pack
