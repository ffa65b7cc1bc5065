"""Vectors and matrices: a fixed number of numbers per instance."""

from __future__ import annotations

import functools
import struct
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from aiorerun.types.coerce.foreign import plain_array
from aiorerun.types.coerce.values import first_axis, is_arrow_array, is_numpy, numbers_of, refusal
from aiorerun.types.encoding import (
    ARRAY,
    ARROW,
    DYNAMIC,
    FIXED,
    RAW,
    Captured,
    Converter,
    Encoding,
    once_per_encoding,
)
from aiorerun.types.flat import FlatArray, joined_later
from aiorerun.types.native import Native, captured, is_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

_CODES = {"float16": "e", "float32": "f", "float64": "d", "uint8": "B", "uint32": "I", "int32": "i"}
_SEQUENCES = frozenset({list, tuple})


@functools.cache
def _fixed_size_list(dtype: str, size: int) -> pa.DataType:
    # One object for equal types: encoders recognise it by identity.
    import pyarrow as pa

    return pa.list_(pa.field("item", pa.type_for_alias(dtype), nullable=False), size)


class VectorEncoding(Encoding):
    """``size`` numbers per instance.

    Accepts arrays of shape ``(size,)``, ``(n, size)`` and flat ones of ``n * size`` numbers.

    Args:
        dtype: Name of the dtype, which is also the name of the Arrow type.
        size: How many numbers an instance has.
    """

    __slots__ = ("_pack", "dtype", "size", "width")

    def __init__(self, dtype: str, size: int) -> None:
        packer = struct.Struct(f"<{size}{_CODES[dtype]}")
        self.dtype = dtype
        self.size = size
        self.width = packer.size
        self._pack: Callable[..., bytes] = packer.pack

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.dtype!r}, {self.size})"

    @property
    def accepted(self) -> str:
        """What error messages ask for."""
        return f"one or more vectors of {self.size} numbers"

    def array_of(self, data: bytes) -> npt.NDArray[Any]:
        """The numbers of a FIXED instance."""
        import numpy as np

        return np.frombuffer(data, self.dtype)

    def arrow_type(self) -> pa.DataType:
        """The Arrow type of one instance."""
        return _fixed_size_list(self.dtype, self.size)

    def converter(self, kind: type) -> Converter:
        """The quickest way to capture values of one type."""
        if kind in _SEQUENCES:
            return DYNAMIC, self._from_sequence
        if is_numpy(kind) and kind.__name__ == "ndarray":
            return DYNAMIC, self._array_converter()
        if issubclass(kind, Native) and kind.ENCODING is self:
            # A native of numbers holds the bytes of its one instance.
            return (FIXED, attrgetter("_data")) if hasattr(kind, "_data") else (DYNAMIC, kind._captured)
        return DYNAMIC, self.capture

    def row_converter(self, kind: type) -> Converter:
        """The quickest way to capture values of one type in a row: arrays as they are become RAW."""
        shape, convert = self.converter(kind)
        if not (is_numpy(kind) and kind.__name__ == "ndarray"):
            return shape, convert
        import numpy as np

        from aiorerun.types.pool import raw_copy

        dtype, size = np.dtype(self.dtype), self.size

        def from_array(value: npt.NDArray[Any]) -> Captured:
            if value.ndim == 2 and value.shape[1] == size and value.dtype == dtype:
                return RAW, raw_copy(value)
            captured: Captured = convert(value)
            return captured

        return DYNAMIC, from_array

    def packer(self, kind: type) -> Callable[..., bytes] | None:
        """What packs the items of a sequence that is one instance."""
        return self._pack if kind in _SEQUENCES else None

    def _from_sequence(self, value: Any) -> Captured:
        if value and type(value[0]) in _SEQUENCES:
            return self.capture(value)
        try:
            return FIXED, self._pack(*value)
        except (struct.error, OverflowError, TypeError):
            return self.capture(value)

    def _array_converter(self) -> Callable[[npt.NDArray[Any]], Captured]:
        import numpy as np

        from aiorerun.types.pool import MIN_BYTES, copied

        dtype, size, shaped = np.dtype(self.dtype), self.size, self._shaped
        few = MIN_BYTES // dtype.itemsize

        def from_array(value: npt.NDArray[Any]) -> Captured:
            # What `copied` does for small arrays, without the call.
            array = value.astype(dtype, "C") if value.size < few else copied(value, dtype)
            if array.ndim == 2 and array.shape[1] == size:
                return ARRAY, array
            return shaped(array, value)

        return from_array

    def capture(self, value: Any) -> Captured:
        """Copies a value into one of the shapes."""
        value = plain_array(value)
        if is_arrow_array(value):
            if value.type == self.arrow_type():
                return ARROW, value
            value = numbers_of(value)
        if value is None:
            value = ()
        if is_of(value, self):
            return captured(value)
        import numpy as np

        try:
            array = np.array(value, self.dtype, order="C")
        except Exception as error:
            raise refusal(value, self.accepted, error) from error
        return self._shaped(array, value)

    def _shaped(self, array: npt.NDArray[Any], given: Any) -> Captured:
        """Finds the instances in an array that nobody else holds."""
        shape, size = array.shape, self.size
        if len(shape) == 1:
            if shape[0] == size:
                return FIXED, array.tobytes()
            if shape[0] % size == 0:
                return ARRAY, array.reshape(-1, size)
        elif len(shape) == 2:
            if shape[1] == size:
                return ARRAY, array
        elif shape:
            # Axes of length 1 may stand anywhere, as they do after slicing with a length of 1.
            long = [length for length in shape if length != 1]
            if long and long[-1] == size:
                return ARRAY, array.reshape(-1, size)
        raise refusal(given, self.accepted)

    def rows_of(self, value: Any, size: int) -> int:
        """Over how many rows ``Archetype.columns`` spreads the instances."""
        return first_axis(value, size)

    def fixed_column(self, raw: npt.NDArray[np.uint8]) -> FlatArray:
        """Values of many FIXED instances."""
        return self._column(len(raw), raw)

    def array_column(self, array: npt.NDArray[Any]) -> FlatArray:
        """Values of ARRAY instances."""
        return self._column(len(array), array)

    def raw_column(self, parts: Sequence[bytes | npt.NDArray[np.uint8]]) -> FlatArray:
        """Values of RAW instances, those of all rows; they are not copied."""
        length = sum(map(len, parts)) // self.width
        return self._column(length, joined_later(parts))

    def _column(self, length: int, data: Any) -> FlatArray:
        nodes = [(length, 0), (length * self.size, 0)]
        return FlatArray(self.arrow_type(), length, nodes, [None, None, data])


class RangeEncoding(VectorEncoding):
    """Pairs of numbers, start and end; a ``slice`` is one too."""

    __slots__ = ()

    def capture(self, value: Any) -> Captured:
        """Copies a value into one of the shapes."""
        if isinstance(value, slice):
            value = (value.start, value.stop)
        return super().capture(value)


class FlatVectorEncoding(VectorEncoding):
    """Vectors for which an array of any shape may stand, whose numbers are taken as they follow."""

    __slots__ = ()

    def _shaped(self, array: npt.NDArray[Any], given: Any) -> Captured:
        return super()._shaped(array.ravel() if array.ndim else array, given)


class UuidEncoding(VectorEncoding):
    """Sixteen bytes, also as ``bytes``."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("uint8", 16)

    @property
    def accepted(self) -> str:
        """What error messages ask for."""
        return "one or more times 16 bytes"

    def __repr__(self) -> str:
        return "UuidEncoding()"

    def capture(self, value: Any) -> Captured:
        """Copies a value into one of the shapes."""
        if isinstance(value, bytes):
            value = list(value)
        elif isinstance(value, list | tuple) and value and all(isinstance(item, bytes) for item in value):
            value = [list(item) for item in value]
        return super().capture(value)


class HarmonicsEncoding(VectorEncoding):
    """Fifteen times three numbers with half precision, flat or in rows."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("float16", 45)

    @property
    def accepted(self) -> str:
        """What error messages ask for."""
        return "one or more times 15 x 3 numbers"

    def __repr__(self) -> str:
        return "HarmonicsEncoding()"

    @once_per_encoding
    def arrow_type(self) -> pa.DataType:
        """The Arrow type of one instance."""
        import pyarrow as pa

        rows = _fixed_size_list(self.dtype, 3)
        return pa.list_(pa.field("item", rows, nullable=False), 15)

    def _shaped(self, array: npt.NDArray[Any], given: Any) -> Captured:
        shape = array.shape
        if shape[-2:] == (15, 3):
            array = array.reshape(*shape[:-2], 45)
        return super()._shaped(array, given)

    def _column(self, length: int, data: npt.NDArray[Any]) -> FlatArray:
        nodes = [(length, 0), (length * 15, 0), (length * 45, 0)]
        return FlatArray(self.arrow_type(), length, nodes, [None, None, None, data])


class MatrixEncoding(VectorEncoding):
    """Square matrices, which users write in rows and Rerun keeps in columns.

    Args:
        dtype: Name of the dtype.
        side: Rows and columns of a matrix.
    """

    __slots__ = ("side",)

    def __init__(self, dtype: str, side: int) -> None:
        super().__init__(dtype, side * side)
        self.side = side

    def __repr__(self) -> str:
        return f"MatrixEncoding({self.dtype!r}, {self.side})"

    @property
    def accepted(self) -> str:
        """What error messages ask for."""
        return f"one or more {self.side}x{self.side} matrices, in rows"

    def packer(self, kind: type) -> Callable[..., bytes] | None:
        """What packs the items of a sequence that is one instance: nothing, rows become columns."""
        return None

    def _from_sequence(self, value: Any) -> Captured:
        return self.capture(value)

    def _array_converter(self) -> Callable[[npt.NDArray[Any]], Captured]:
        return self.capture

    def row_converter(self, kind: type) -> Converter:
        """The same in a row: an array is not as matrices are stored, by columns."""
        return self.converter(kind)

    def capture(self, value: Any) -> Captured:
        """Copies a value into one of the shapes."""
        if isinstance(value, list | tuple) and any(isinstance(item, Native) for item in value):
            return self._from_natives(value)
        if isinstance(value, bytes | str | dict) and not value:
            value = ()
        if isinstance(value, int | float | complex) or getattr(value, "ndim", 1) == 0:
            raise refusal(value, self.accepted, TypeError("a single number"))
        return super().capture(value)

    def _from_natives(self, value: Any) -> Captured:
        import numpy as np

        parts: list[bytes] = []
        for item in value:
            shape, data = self.capture(item)
            if shape != FIXED:
                raise refusal(item, "one matrix")
            parts.append(data)
        return ARRAY, np.frombuffer(b"".join(parts), self.dtype).reshape(-1, self.size)

    def _shaped(self, array: npt.NDArray[Any], given: Any) -> Captured:
        shape, side = array.shape, self.side
        if shape in ((self.size,), (side, side)):
            return FIXED, array.reshape(side, side).T.tobytes()
        if (len(shape) == 2 and shape[1] == self.size) or shape[1:] == (side, side):
            columns = array.reshape(-1, side, side).transpose(0, 2, 1)
            return ARRAY, columns.reshape(-1, self.size)
        if shape and shape[0] == 0:
            return ARRAY, array.reshape(0, self.size)
        raise refusal(given, self.accepted)
