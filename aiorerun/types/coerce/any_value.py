"""Values whose type nobody defined: the type is found out from the value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from aiorerun.types.batches import Batch
from aiorerun.types.coerce.arrow import ArrowEncoding
from aiorerun.types.coerce.foreign import plain_array
from aiorerun.types.coerce.numbers import BoolEncoding, NumberEncoding
from aiorerun.types.coerce.text import TextEncoding
from aiorerun.types.coerce.values import is_arrow_array, is_numpy, refusal
from aiorerun.types.encoding import ARRAY, ARROW, TEXTS, Captured, Converter, Encoding
from aiorerun.types.native import Native, captured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa


class _LooseNumbers(NumberEncoding):
    """Untyped numbers."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Callable[..., Encoding], tuple[Any, ...]]:
        """How to find it again: it is in no catalog."""
        return number_encoding, (self.dtype,)


class _LooseBooleans(BoolEncoding):
    """Untyped booleans."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Callable[..., Encoding], tuple[Any, ...]]:
        """How to find it again."""
        return getattr, (_Loose, "boolean")


class _LooseTexts(TextEncoding):
    """Untyped texts."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Callable[..., Encoding], tuple[Any, ...]]:
        """How to find it again."""
        return getattr, (_Loose, "text")


class _Loose:
    """The encodings of untyped values, one per Arrow type."""

    numbers: ClassVar[dict[str, NumberEncoding]] = {}
    boolean: Final = _LooseBooleans()
    text: Final = _LooseTexts()


def number_encoding(dtype: str) -> NumberEncoding:
    """The encoding of untyped numbers of a dtype; always the same object."""
    found = _Loose.numbers.get(dtype)
    if found is None:
        found = _Loose.numbers.setdefault(dtype, _LooseNumbers(dtype))
    return found


_NUMBERS: Final = frozenset(
    {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"}
)


def converter(kind: type) -> tuple[Encoding, Converter] | None:
    """Encoding and converter for values whose Python type says everything; ``None`` for others."""
    if kind is float:
        encoding: Encoding = number_encoding("float64")
    elif kind is bool:
        encoding = _Loose.boolean
    elif kind is int:
        encoding = number_encoding("int64")
    elif kind is str:
        encoding = _Loose.text
    elif is_numpy(kind) and kind.__name__ in _NUMBERS:
        encoding = number_encoding(kind.__name__)
    else:
        return None
    return encoding, encoding.converter(kind)


def sequence_converter(value: Any) -> tuple[Encoding, Converter] | None:
    """The same for sequences like this one: of its Python type, with items of the type that its items have.

    The converter fails for sequences of other items.
    """
    kind = type(value)
    if is_numpy(kind) and kind.__name__ == "ndarray" and value.ndim == 1 and value.dtype.name in _NUMBERS:
        return _array_converter(value.dtype)
    encoding = _uniform(value) if kind in (list, tuple) else None
    if encoding is None:
        return None
    items = {type(value[0])}
    shape = TEXTS if encoding is _Loose.text else ARRAY
    if shape == ARRAY and not isinstance(encoding, NumberEncoding):
        return None
    capture = encoding.capture

    def convert(value: Any) -> Any:
        if set(map(type, value)) != items:
            raise TypeError(value)
        return capture(value)[1]

    return encoding, (shape, convert)


def _array_converter(dtype: Any) -> tuple[Encoding, Converter]:
    encoding = number_encoding(dtype.name)
    native = dtype.newbyteorder("=")

    def convert(value: Any) -> Any:
        if value.dtype != dtype or value.ndim != 1:
            raise TypeError(value)
        return value.astype(native, "C")

    return encoding, (ARRAY, convert)


def infer(value: Any, known: Encoding | None = None) -> tuple[Encoding, Captured]:
    """Captures a value in the type that suits it.

    Args:
        value: Anything.
        known: The encoding the component has already; used where the value leaves a choice.

    Raises:
        TypeError, ValueError, OverflowError: There is no Arrow type for it.
    """
    if value is None:
        raise ValueError("a value that is None or empty does not tell its type")
    kind = type(value)
    found = converter(kind)
    if found is not None:
        return found[0], found[0].capture(value)
    if isinstance(value, Batch):
        return value.captured()
    if issubclass(kind, Native) and hasattr(kind, "as_arrow_array"):
        return value.ENCODING, captured(value)
    if hasattr(value, "as_arrow_array"):
        return _arrow(value.as_arrow_array())
    value = plain_array(value)
    kind = type(value)
    if is_numpy(kind) and hasattr(value, "dtype"):
        return _from_numpy(value)
    if kind in (list, tuple):
        uniform = _uniform(value)
        if uniform is not None:
            return uniform, uniform.capture(value)
    return _arrow(_to_arrow(value, known))


def _uniform(items: Any) -> Encoding | None:
    """The encoding of a sequence whose items are of one plain type."""
    kinds = set(map(type, items))
    if len(kinds) == 1:
        (kind,) = kinds
        if kind in (float, int, bool, str):
            found = converter(kind)
            assert found is not None
            return found[0]
    return None


def _from_numpy(value: Any) -> tuple[Encoding, Captured]:
    name = value.dtype.name
    if value.ndim > 1:
        raise refusal(value, "a one-dimensional array; wrap more dimensions in nested lists")
    if name in _NUMBERS:
        encoding: Encoding = number_encoding(name)
    elif name == "bool":
        encoding = _Loose.boolean
    elif value.dtype.kind == "U":
        texts = value.tolist()
        return _Loose.text, _Loose.text.capture(texts)
    else:
        import pyarrow as pa

        try:
            return _arrow(pa.array(value.copy() if value.ndim else value.reshape(1)))
        except (pa.ArrowException, ValueError, TypeError) as error:
            raise refusal(value, "values of one type", error) from error
    return encoding, encoding.capture(value)


def _to_arrow(value: Any, known: Encoding | None) -> pa.Array[Any]:
    import pyarrow as pa

    if is_arrow_array(value):
        return value
    wanted = None if known is None else known.arrow_type()
    problem: Exception | None = None
    if isinstance(value, bytearray | memoryview):
        value = list(value)
    for attempt in _attempts(value, wanted):
        try:
            array = attempt()
        except OverflowError:
            raise
        except (pa.ArrowException, ValueError, TypeError) as error:
            problem = error
        else:
            return _typed(array)
    raise refusal(value, "a value or a sequence of values of one type", problem)


def _attempts(value: Any, wanted: pa.DataType | None) -> Iterator[Callable[[], Any]]:
    """Ways of making an Arrow array, the best one first."""
    import numpy as np
    import pyarrow as pa

    if not isinstance(value, str | bytes):
        yield lambda: pa.array(value, wanted)
    yield lambda: pa.array([_contents(value)])
    yield lambda: pa.array(np.atleast_1d(value))


def _contents(value: Any) -> Any:
    """What is in an open file; any other value itself."""
    return value.read() if hasattr(value, "read") else value


def _typed(array: Any) -> pa.Array[Any]:
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_null(array.type):
        raise TypeError("nothing but None does not tell its type")
    typed: pa.Array[Any] = array
    return typed


def _arrow(array: pa.Array[Any]) -> tuple[Encoding, Captured]:
    """Arrow data, with the encoding that plain values of that type have."""
    import pyarrow as pa

    arrow_type = array.type
    if pa.types.is_string(arrow_type):
        return _Loose.text, (ARROW, array)
    if pa.types.is_boolean(arrow_type):
        return _Loose.boolean, (ARROW, array)
    name = {"float": "float32", "double": "float64"}.get(str(arrow_type), str(arrow_type))
    if name in _NUMBERS:
        return number_encoding(name), (ARROW, array)
    return ArrowEncoding.of(arrow_type), (ARROW, array)
