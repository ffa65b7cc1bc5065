"""Tensors: arrays of numbers with any number of dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiorerun.types.coerce.foreign import plain_array
from aiorerun.types.coerce.values import is_arrow_array, refusal
from aiorerun.types.encoding import ARROW, DYNAMIC, PACKED, Captured, Converter, Encoding, once_per_encoding
from aiorerun.types.flat import FlatArray
from aiorerun.types.native import Native, captured, is_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

_CODES: Final = {
    "uint8": 1, "uint16": 2, "uint32": 3, "uint64": 4, "int8": 5, "int16": 6, "int32": 7, "int64": 8,
    "float16": 9, "float32": 10, "float64": 11,
}  # fmt: skip
_NAMES: Final = ("U8", "U16", "U32", "U64", "I8", "I16", "I32", "I64", "F16", "F32", "F64")


class Tensor:
    """One tensor, captured.

    Attributes:
        shape: Its dimensions.
        names: Their names, if they have any.
        values: All numbers, one-dimensional; nobody else writes to them.
    """

    __slots__ = ("names", "shape", "values")

    def __init__(
        self, shape: tuple[int, ...], names: tuple[str, ...] | None, values: npt.NDArray[Any]
    ) -> None:
        self.shape = shape
        self.names = names
        self.values = values


class Tensors(tuple[Tensor, ...]):
    """The tensors of one row."""

    __slots__ = ()

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(item.values.nbytes for item in self)


def _union_type() -> pa.DataType:
    import pyarrow as pa

    members = [
        pa.field(name, pa.list_(pa.field("item", pa.type_for_alias(dtype), nullable=False)), nullable=False)
        for name, dtype in zip(_NAMES, _CODES, strict=True)
    ]
    return pa.dense_union([pa.field("_null_markers", pa.null()), *members], type_codes=list(range(12)))


class TensorEncoding(Encoding):
    """Arrays of numbers with a shape and perhaps names of the dimensions."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "TensorEncoding()"

    @once_per_encoding
    def arrow_type(self) -> pa.DataType:
        """The Arrow type of one instance."""
        import pyarrow as pa

        return pa.struct(
            [
                pa.field("shape", pa.list_(pa.field("item", pa.uint64(), nullable=False)), nullable=False),
                pa.field("names", pa.list_(pa.field("item", pa.utf8(), nullable=False))),
                pa.field("buffer", _union_type()),
            ]
        )

    def converter(self, kind: type) -> Converter:
        """The quickest way to capture values of one type."""
        if issubclass(kind, Native) and kind.ENCODING is self:
            return DYNAMIC, kind._captured
        return DYNAMIC, self.capture

    def capture(self, value: Any) -> Captured:
        """Copies a value into one of the shapes; everything but a sequence of natives is one tensor."""
        import numpy as np

        value = plain_array(value)
        if is_arrow_array(value) and value.type == self.arrow_type():
            return ARROW, value
        if is_of(value, self):
            return captured(value)
        if value is None:
            return PACKED, Tensors()
        if isinstance(value, list | tuple) and value and all(isinstance(item, Native) for item in value):
            return self._from_natives(value)
        try:
            array = np.array(value, order="C")
        except Exception as error:
            raise refusal(value, "an array of numbers", error) from error
        return PACKED, Tensors([tensor(array.shape, None, array)])

    def _from_natives(self, value: Sequence[Any]) -> Captured:
        if len(value) != 1 or value[0].ENCODING is not self:
            raise refusal(value, "one tensor")
        return captured(value[0])

    def empty(self) -> Captured:
        """No tensor at all; an empty sequence would be one without numbers."""
        return PACKED, Tensors()

    def packed_column(self, items: Sequence[Any]) -> FlatArray:
        """Values of many rows."""
        return self._column([item for tensors in items for item in tensors])

    def _column(self, items: Sequence[Tensor]) -> FlatArray:
        import numpy as np

        count = len(items)
        nodes: list[tuple[int, int]] = [(count, 0)]
        buffers: list[Any] = [None]
        shapes = np.array([length for item in items for length in item.shape], np.uint64)
        nodes += [(count, 0), (len(shapes), 0)]
        buffers += [None, _offsets([len(item.shape) for item in items]), None, shapes]
        _add_names(items, nodes, buffers)
        _add_values(items, nodes, buffers)
        return FlatArray(self.arrow_type(), count, nodes, buffers)


class TensorBufferEncoding(Encoding):
    """The numbers of tensors alone, as natives; they are a part of tensors, not logged by themselves."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "TensorBufferEncoding()"

    def arrow_type(self) -> pa.DataType:
        """The Arrow type of one instance."""
        return _union_type()

    def capture(self, value: Any) -> Captured:
        """Copies a value into one of the shapes."""
        if is_arrow_array(value) and value.type == self.arrow_type():
            return ARROW, value
        if is_of(value, self):
            return captured(value)
        if value is None or (isinstance(value, list | tuple) and not value):
            return PACKED, Tensors()
        raise refusal(value, "a TensorBuffer", TypeError(f"{type(value).__name__} is none"))

    def packed_column(self, items: Sequence[Any]) -> FlatArray:
        """Values of many rows."""
        nodes: list[tuple[int, int]] = []
        buffers: list[Any] = []
        tensors = [item for row in items for item in row]
        _add_values(tensors, nodes, buffers)
        return FlatArray(self.arrow_type(), len(tensors), nodes, buffers)


def tensor(shape: Sequence[int], names: Sequence[str] | None, values: npt.NDArray[Any]) -> Tensor:
    """A captured tensor of an array that nobody else writes to.

    Raises:
        TypeError: Its numbers are of a type that tensors cannot have, or a name is ``None``.
        ValueError: A name is not valid Unicode.
    """
    if values.dtype.name not in _CODES:
        raise refusal(
            values, "an array of numbers", TypeError(f"dtype {values.dtype} has no place in a tensor")
        )
    return Tensor(tuple(map(int, shape)), None if names is None else tuple(map(_name, names)), values.ravel())


def _name(name: Any) -> str:
    """The name of a dimension."""
    if name is None:
        raise TypeError("dim_names: a dimension has the name None; pass '' for one without")
    text = str(name)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"dim_names: {text!r} is not valid Unicode") from error
    return text


def _add_values(items: Sequence[Tensor], nodes: list[tuple[int, int]], buffers: list[Any]) -> None:
    """The numbers: a union with one member per type of numbers."""
    import numpy as np

    codes = np.array([_CODES[item.values.dtype.name] for item in items], np.int8)
    # Within the member of its type, each tensor has the place given by how many came before it.
    places = np.zeros(len(items), np.int32)
    nodes += [(len(items), 0), (0, 0)]
    buffers += [codes, places]
    for code, dtype in enumerate(_CODES, start=1):
        own = np.flatnonzero(codes == code)
        places[own] = np.arange(len(own), dtype=np.int32)
        arrays = [items[position].values for position in own.tolist()]
        values = arrays[0] if len(arrays) == 1 else np.concatenate([np.empty(0, dtype), *arrays])
        nodes += [(len(arrays), 0), (len(values), 0)]
        buffers += [None, _offsets(list(map(len, arrays))), None, values]


def _add_names(items: Sequence[Any], nodes: list[tuple[int, int]], buffers: list[Any]) -> None:
    """The names of the dimensions, which a tensor may lack."""
    import numpy as np

    named = np.array([item.names is not None for item in items], np.bool_)
    missing = len(items) - int(np.count_nonzero(named))
    names = [name.encode() for item in items for name in item.names or ()]
    nodes += [(len(items), missing), (len(names), 0)]
    buffers += [
        np.packbits(named, bitorder="little") if missing else None,
        _offsets([len(item.names or ()) for item in items]),
        None,
        _offsets(list(map(len, names))),
        b"".join(names),
    ]


def _offsets(lengths: Sequence[int]) -> npt.NDArray[np.int32]:
    import numpy as np

    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return offsets
