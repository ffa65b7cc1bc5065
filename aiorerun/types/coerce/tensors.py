"""Tensors: arrays of numbers with any number of dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiorerun.types.coerce.values import is_arrow_array, refusal
from aiorerun.types.encoding import ARROW, DYNAMIC, PACKED, Captured, Converter, Encoding
from aiorerun.types.native import Native

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from aiorerun.types.flat import FlatArray

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

    def __len__(self) -> int:
        return 1

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return int(self.values.nbytes)


class TensorEncoding(Encoding):
    """Arrays of numbers with a shape and perhaps names of the dimensions."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "TensorEncoding()"

    def arrow_type(self) -> pa.DataType:
        """The Arrow type of one instance."""
        import pyarrow as pa

        markers = [pa.field("_null_markers", pa.null())]
        members = [
            pa.field(name, pa.list_(pa.field("item", pa.type_for_alias(dtype), nullable=False)), nullable=False)
            for name, dtype in zip(_NAMES, _CODES, strict=True)
        ]
        buffer = pa.dense_union([*markers, *members], type_codes=list(range(12)))
        return pa.struct(
            [
                pa.field("shape", pa.list_(pa.field("item", pa.uint64(), nullable=False)), nullable=False),
                pa.field("names", pa.list_(pa.field("item", pa.utf8(), nullable=False))),
                pa.field("buffer", buffer),
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

        if is_arrow_array(value) and value.type == self.arrow_type():
            return ARROW, value
        if isinstance(value, Native) and value.ENCODING is self:
            return value._captured()
        if value is None:
            import pyarrow as pa

            return ARROW, pa.array([], self.arrow_type())
        if isinstance(value, list | tuple) and value and all(isinstance(item, Native) for item in value):
            return self._from_natives(value)
        try:
            array = np.array(value, order="C")
        except Exception as error:
            raise refusal(value, "an array of numbers", error) from error
        return PACKED, tensor(array.shape, None, array)

    def _from_natives(self, value: Sequence[Any]) -> Captured:
        if len(value) != 1 or value[0].ENCODING is not self:
            raise refusal(value, "one tensor")
        captured: Captured = value[0]._captured()
        return captured

    def packed_column(self, items: Sequence[Any]) -> FlatArray:
        """Values of many rows."""
        import numpy as np
        import pyarrow as pa

        from aiorerun.types.flat_arrow import flatten

        arrow_type = self.arrow_type()
        codes = np.array([_CODES[item.values.dtype.name] for item in items], np.int8)
        children: list[Any] = [pa.nulls(0)]
        for code, field in enumerate(arrow_type.field("buffer").type, start=0):
            if code:
                arrays = [item.values for item, own in zip(items, codes, strict=True) if own == code]
                children.append(_lists(arrays, field.type))
        # Within its own child, each tensor has the place given by how many came before it.
        places = np.zeros(len(items), np.int32)
        for code in set(codes.tolist()):
            own = codes == code
            places[own] = np.arange(own.sum(), dtype=np.int32)
        union = pa.UnionArray.from_dense(
            pa.array(codes), pa.array(places), children, [field.name for field in arrow_type.field("buffer").type]
        )
        shape = pa.array([list(item.shape) for item in items], arrow_type.field("shape").type)
        names = pa.array(
            [None if item.names is None else list(item.names) for item in items], arrow_type.field("names").type
        )
        return flatten(_struct(arrow_type, [shape, names, union]))


def tensor(shape: Sequence[int], names: Sequence[str] | None, values: npt.NDArray[Any]) -> Tensor:
    """A captured tensor of an array that nobody else writes to.

    Raises:
        TypeError: Its numbers are of a type that tensors cannot have.
    """
    if values.dtype.name not in _CODES:
        raise refusal(values, "an array of numbers", TypeError(f"dtype {values.dtype} has no place in a tensor"))
    return Tensor(tuple(map(int, shape)), None if names is None else tuple(map(str, names)), values.ravel())


def _lists(arrays: list[npt.NDArray[Any]], list_type: Any) -> Any:
    """One list per array."""
    import numpy as np
    import pyarrow as pa

    offsets = np.zeros(len(arrays) + 1, np.int32)
    np.cumsum([len(array) for array in arrays], out=offsets[1:])
    values = np.concatenate(arrays) if arrays else np.empty(0, list_type.value_type.to_pandas_dtype())
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values), type=list_type)


def _struct(arrow_type: Any, children: list[Any]) -> Any:
    """A struct array of exactly this type; that of the union's fields is not nullable."""
    import pyarrow as pa

    fields = [arrow_type.field(position) for position in range(arrow_type.num_fields)]
    return pa.StructArray.from_arrays(children, fields=fields)
