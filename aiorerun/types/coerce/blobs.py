"""Blobs: lists of bytes, such as the pixels of an image or an encoded file."""

from __future__ import annotations

import functools
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from aiorerun.types.coerce.foreign import plain_array
from aiorerun.types.coerce.values import is_arrow_array, is_numpy, refusal
from aiorerun.types.encoding import BLOB, DYNAMIC, PACKED, Captured, Converter, Encoding
from aiorerun.types.flat import FlatArray, joined_later
from aiorerun.types.native import Native, captured, is_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

_ACCEPTED: Final = "bytes, an array of bytes, or a sequence of them"


class Blobs(tuple[Any, ...]):
    """Several blobs of one row: ``bytes``, or arrays nobody else writes to."""

    __slots__ = ()

    @property
    def nbytes(self) -> int:
        """The bytes of all."""
        return sum(map(len, self))


class OwnBytes:
    """One blob that was copied already."""

    __slots__ = ("data",)

    def __init__(self, data: npt.NDArray[np.uint8]) -> None:
        self.data = data


@functools.cache
def _list_of_bytes() -> pa.DataType:
    # One object for equal types: encoders recognise it by identity.
    import pyarrow as pa

    return pa.list_(pa.field("item", pa.uint8(), nullable=False))


class BlobEncoding(Encoding):
    """Lists of bytes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "BlobEncoding()"

    def arrow_type(self) -> pa.DataType:
        """The Arrow type of one instance."""
        return _list_of_bytes()

    def converter(self, kind: type) -> Converter:
        """The quickest way to capture values of one type."""
        if kind is bytes:
            return BLOB, _itself
        if kind is OwnBytes:
            return BLOB, attrgetter("data")
        return DYNAMIC, self.capture

    def capture(self, value: Any) -> Captured:
        """Copies a value into one of the shapes; ``bytes`` cannot change, so they are kept as they are."""
        if isinstance(value, bytes):
            return BLOB, _plain(value)
        value = plain_array(value)
        if isinstance(value, bytearray | memoryview | OwnBytes | Native):
            return BLOB, self._one(value)
        if value is None:
            return PACKED, Blobs()
        if is_numpy(type(value)) and hasattr(value, "ndim"):
            return self._from_array(value)
        if is_arrow_array(value):
            if value.type != self.arrow_type():
                raise refusal(value, _ACCEPTED, TypeError(f"an Arrow array of {value.type}"))
            return PACKED, Blobs([_bytes_of(item.values) for item in value])
        if hasattr(value, "read"):
            return self.capture(value.read())
        if hasattr(value, "as_arrow_array"):
            return self.capture(value.as_arrow_array())
        if isinstance(value, str):
            if not value:
                return PACKED, Blobs()
            raise refusal(value, _ACCEPTED, ValueError("encode the text first"))
        if not isinstance(value, list | tuple | range):
            raise refusal(value, _ACCEPTED, TypeError(f"{type(value).__name__} has no bytes"))
        return PACKED, Blobs([self._one(item) for item in value])

    def _from_array(self, value: npt.NDArray[Any]) -> Captured:
        import numpy as np

        from aiorerun.types.pool import copied

        if not value.ndim:
            raise refusal(value, _ACCEPTED, TypeError("a single number"))
        array = copied(value, np.dtype(np.uint8))
        if array.ndim == 1:
            return (BLOB, array) if len(array) else (PACKED, Blobs())
        if not array.size:
            return PACKED, Blobs([array[:0].reshape(0)] * len(array))
        return PACKED, Blobs(list(array.reshape(len(array), -1)))

    def _one(self, value: Any) -> Any:
        import numpy as np

        if isinstance(value, bytes):
            return _plain(value)
        if isinstance(value, bytearray | memoryview):
            return bytes(value)
        if isinstance(value, OwnBytes):
            return value.data
        if is_of(value, self):
            return captured(value)[1]
        try:
            return np.array(value, np.uint8).ravel()
        except Exception as error:
            raise refusal(value, _ACCEPTED, error) from error

    def blob_column(self, blobs: Sequence[bytes | npt.NDArray[np.uint8]]) -> FlatArray:
        """Values of many BLOB instances."""
        import numpy as np

        offsets = np.zeros(len(blobs) + 1, np.int32)
        np.cumsum(np.fromiter(map(len, blobs), np.int64, len(blobs)), out=offsets[1:])
        data = joined_later(blobs)
        nodes = [(len(blobs), 0), (int(offsets[-1]), 0)]
        return FlatArray(self.arrow_type(), len(blobs), nodes, [None, offsets, None, data])

    def packed_column(self, items: Sequence[Any]) -> FlatArray:
        """Values of rows with any number of blobs."""
        return self.blob_column([blob for blobs in items for blob in blobs])


def _itself(value: bytes) -> bytes:
    return value


def _plain(value: bytes) -> bytes:
    """The same, without what a subclass makes of it."""
    return value if type(value) is bytes else bytes.__getitem__(value, slice(None))


def _bytes_of(values: Any) -> bytes:
    data: bytes = values.to_numpy(zero_copy_only=False).tobytes()
    return data
