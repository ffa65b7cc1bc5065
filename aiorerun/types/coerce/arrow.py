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
    from collections.abc import Callable

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
        key = _schema_of(arrow_type)
        found = cls._interned.get(key)
        if found is None:
            found = cls.__new__(cls)
            found._type = arrow_type
            found = cls._interned.setdefault(key, found)
        return found

    def __reduce__(self) -> tuple[Callable[..., Encoding], tuple[Any, ...]]:
        """How to find it again, or to make it in another process."""
        return _encoding_in, (_schema_of(self._type),)

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


def _schema_of(arrow_type: pa.DataType) -> bytes:
    """All that a type is, as bytes."""
    import pyarrow as pa

    schema: bytes = pa.schema([pa.field("", arrow_type)]).serialize().to_pybytes()
    return schema


def _encoding_in(schema: bytes) -> ArrowEncoding:
    import pyarrow as pa

    return ArrowEncoding.of(pa.ipc.read_schema(pa.py_buffer(schema)).field(0).type)


def to_ipc(array: pa.Array[Any]) -> bytes:
    """An Arrow array as an IPC stream.

    For pickles: in those that pyarrow makes, some types lose a part, and an array that is a slice of another
    brings all of it along.
    """
    import pyarrow as pa

    batch = pa.record_batch([array], [""])
    stream = pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, batch.schema) as writer:
        writer.write_batch(batch)
    data: bytes = stream.getvalue().to_pybytes()
    return data


def from_ipc(data: bytes) -> pa.Array[Any]:
    """The array in such a stream."""
    import pyarrow as pa

    with pa.ipc.open_stream(data) as reader:
        return reader.read_next_batch().column(0)
