"""Arrow data as it is: foreign batches, and values of types Rerun does not define."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from aiorerun.types.coerce.values import is_arrow_array
from aiorerun.types.encoding import (
    ARRAY,
    ARROW,
    BLOB,
    FIXED,
    PACKED,
    RAW,
    TEXT,
    TEXTS,
    Captured,
    Encoding,
    Shape,
)  # fmt: skip

if TYPE_CHECKING:
    import pyarrow as pa


class ArrowEncoding(Encoding):
    """Values of any one Arrow type, kept as Arrow arrays. Get one with :meth:`of`."""

    __slots__ = ("_type",)

    _type: pa.DataType

    _interned: ClassVar[dict[Any, ArrowEncoding]] = {}

    @classmethod
    def of(cls, arrow_type: pa.DataType) -> ArrowEncoding:
        """The encoding of this type; equal types, metadata and all, give the same object."""
        # Types compare equal whatever their metadata says, so their schema bytes are the key.
        import pyarrow as pa

        key = pa.schema([pa.field("", arrow_type)]).serialize().to_pybytes()
        found = cls._interned.get(key)
        if found is None:
            found = cls.__new__(cls)
            found._type = arrow_type
            found = cls._interned.setdefault(key, found)
        return found

    def __repr__(self) -> str:
        return f"ArrowEncoding({self._type})"

    def arrow_type(self) -> pa.DataType:
        """The Arrow type of one instance."""
        return self._type

    def capture(self, value: Any) -> Captured:
        """Copies a value into one of the shapes."""
        if is_arrow_array(value):
            return ARROW, value if value.type == self._type else value.cast(self._type)
        import pyarrow as pa

        return ARROW, pa.array(() if value is None else value, type=self._type)


def captured_to_arrow(encoding: Encoding, shape: Shape, data: Any) -> pa.Array[Any]:
    """Captured data of one row as an Arrow array."""
    if shape == ARROW:
        array: pa.Array[Any] = data
        return array
    import pyarrow as pa

    from aiorerun.types.flat_arrow import unflatten

    if shape == TEXT:
        return pa.array((data,), encoding.arrow_type())
    if shape == TEXTS:
        return pa.array(data, encoding.arrow_type())
    if shape == FIXED:
        import numpy as np

        return unflatten(encoding.fixed_column(np.frombuffer(data, np.uint8).reshape(1, -1)))
    if shape == ARRAY:
        return unflatten(encoding.array_column(data))
    if shape == RAW:
        return unflatten(encoding.raw_column((data,)))
    if shape == BLOB:
        return unflatten(encoding.blob_column((data,)))
    assert shape == PACKED
    return unflatten(encoding.packed_column((data,)))
