"""Line strips: lists of points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.types.coerce.foreign import is_own, plain_array
from aiorerun.types.coerce.values import is_arrow_array, is_numpy, refusal
from aiorerun.types.encoding import ARROW, FIXED, PACKED, Captured, Encoding, once_per_encoding
from aiorerun.types.flat import FlatArray
from aiorerun.types.native import Native, captured, is_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from aiorerun.types.coerce.vectors import VectorEncoding


class Strips:
    """Line strips of one row.

    Attributes:
        lengths: Points per strip.
        points: All points, one after the other, shape ``(points, size)``.
    """

    __slots__ = ("lengths", "points")

    def __init__(self, lengths: npt.NDArray[np.int32], points: npt.NDArray[Any]) -> None:
        self.lengths = lengths
        self.points = points

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return int(self.lengths.nbytes + self.points.nbytes)


class StripEncoding(Encoding):
    """Lists of points.

    Accepts one strip of shape ``(n, size)``, an array ``(strips, n, size)``, or a sequence of strips.

    Args:
        point: The encoding of a point.
    """

    __slots__ = ("point",)

    def __init__(self, point: VectorEncoding) -> None:
        self.point = point

    def __repr__(self) -> str:
        return f"StripEncoding({self.point!r})"

    @once_per_encoding
    def arrow_type(self) -> pa.DataType:
        """The Arrow type of one instance."""
        import pyarrow as pa

        return pa.list_(pa.field("item", self.point.arrow_type(), nullable=False))

    def capture(self, value: Any) -> Captured:
        """Copies a value into one of the shapes."""
        value = plain_array(value)
        if is_arrow_array(value) and value.type == self.arrow_type():
            return ARROW, value
        if is_of(value, self):
            return captured(value)
        if is_numpy(type(value)) and hasattr(value, "ndim"):
            return PACKED, self._from_array(value)
        if value is None or (isinstance(value, str | bytes | list | tuple) and not value):
            return PACKED, self._joined([])
        is_flat = isinstance(value, int | float | str | bytes | bytearray | memoryview | range)
        if is_flat or is_arrow_array(value):
            raise refusal(value, self._accepted)
        if not isinstance(value, list | tuple):
            raise refusal(value, self._accepted, TypeError(f"{type(value).__name__} has no points"))
        return PACKED, self._from_sequence(value)

    @property
    def _accepted(self) -> str:
        return f"one or more line strips, each a sequence of points of {self.point.size} numbers"

    def _from_array(self, value: npt.NDArray[Any]) -> Strips:
        import numpy as np

        size = self.point.size
        if value.ndim and not value.size and value.shape[0] == 0:
            return self._joined([])
        if value.ndim < 2 and value.dtype.kind != "U" and isinstance(value, np.ndarray):
            raise refusal(value, self._accepted, TypeError("too few axes"))
        if value.dtype.kind not in "biuf" or value.ndim not in (2, 3) or value.shape[-1] != size:
            raise refusal(value, self._accepted)
        array = value.astype(self.point.dtype, "C")
        strips, points = (1, len(array)) if array.ndim == 2 else array.shape[:2]
        return Strips(np.full(strips, points, np.int32), array.reshape(-1, size))

    def _from_sequence(self, value: Any) -> Strips:
        """Either a sequence of points, which is one strip, or a sequence of strips."""
        import numpy as np

        first = value[0]
        if not is_own(type(first)):
            value = [plain_array(item) for item in value]
            first = value[0]
        if isinstance(first, Native):
            if first.ENCODING is self.point:
                return self._joined([self._points(value)])
            return self._joined([self._points(strip) for strip in value])
        try:
            array = np.array(value, self.point.dtype)
        except ValueError:
            return self._joined([self._points(strip) for strip in value])
        if array.ndim == 2 and array.shape[1] == self.point.size:
            return self._joined([array])
        return self._joined([self._points(strip) for strip in value])

    def _points(self, strip: Any) -> npt.NDArray[Any]:
        """The points of one strip."""
        import numpy as np

        if is_of(strip, self):
            packed: Strips = captured(strip)[1]
            return packed.points
        if strip is None:
            strip = ()
        elif isinstance(strip, dict | str | bytes) or not hasattr(strip, "__len__"):
            raise refusal(strip, self._accepted)
        elif len(strip) > 0 and np.ndim(strip[0]) == 0:
            # Flat numbers, which a sequence of points never is.
            raise refusal(strip, self._accepted)
        shape, data = self.point.capture(strip)
        if shape == FIXED:
            return np.frombuffer(data, self.point.dtype).reshape(1, -1)
        points: npt.NDArray[Any] = data
        return points

    def _joined(self, strips: Sequence[npt.NDArray[Any]]) -> Strips:
        import numpy as np

        lengths = np.fromiter(map(len, strips), np.int32, len(strips))
        if not strips:
            return Strips(lengths, np.empty((0, self.point.size), self.point.dtype))
        return Strips(lengths, strips[0] if len(strips) == 1 else np.concatenate(strips))

    def packed_column(self, items: Sequence[Any]) -> FlatArray:
        """Values of many rows."""
        import numpy as np

        lengths = np.concatenate([item.lengths for item in items])
        offsets = np.zeros(len(lengths) + 1, np.int32)
        np.cumsum(lengths, out=offsets[1:])
        points = items[0].points if len(items) == 1 else np.concatenate([item.points for item in items])
        inner = self.point.array_column(points)
        return FlatArray(
            self.arrow_type(),
            len(lengths),
            [(len(lengths), 0), *inner.nodes],
            [None, offsets, *inner.buffers],
        )
