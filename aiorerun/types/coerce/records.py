"""Structs and lists of several parts, built part by part as Arrow arrays.

Values are turned into plain Python first (a tuple per struct, a list per list), which natives hold as well,
and a whole column of them at once into Arrow. That is not as quick as packing bytes; what is made of such
parts is logged rarely, or has few instances.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aiorerun.types.coerce.arrow import captured_to_arrow
from aiorerun.types.coerce.colors import ColorEncoding
from aiorerun.types.coerce.numbers import NumberEncoding
from aiorerun.types.coerce.text import TextEncoding, writable
from aiorerun.types.coerce.values import is_arrow_array, refusal
from aiorerun.types.encoding import ARROW, Captured, Encoding, once_per_encoding
from aiorerun.types.native import Native, is_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa


class Part(NamedTuple):
    """One part of a struct.

    Attributes:
        name: Its name.
        encoding: How it is encoded.
        nullable: Whether it may be missing.
    """

    name: str
    encoding: Encoding
    nullable: bool = False


class NestedEncoding(Encoding):
    """What structs, lists of structs and choices have in common.

    Args:
        name: Name of the native class.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def plain(self, value: Any) -> Any:
        """One instance in plain Python.

        Raises:
            TypeError, ValueError, OverflowError: The value does not fit.
        """
        raise NotImplementedError

    def build(self, plains: Sequence[Any]) -> pa.Array[Any]:
        """An Arrow array of instances in plain Python."""
        raise NotImplementedError

    def capture(self, value: Any) -> Captured:
        """Copies a value into one of the shapes."""
        if is_arrow_array(value) and value.type == self.arrow_type():
            return ARROW, value
        return ARROW, self.build(self.instances(value))

    def instances(self, value: Any) -> list[Any]:
        """The instances that a value stands for, in plain Python."""
        return [self.plain(item) for item in self._items(value)]

    def _items(self, value: Any) -> Sequence[Any]:
        """The instances that a value stands for."""
        if value is None:
            return ()
        if is_of(value, self):
            return (value,)
        if isinstance(value, Native) or not hasattr(value, "__iter__") or not _has_axes(value):
            raise self._refusal(value)
        return list(value)

    def _refusal(self, value: Any) -> Exception:
        return refusal(value, f"one or more {self.name}", TypeError(f"{type(value).__name__} is none"))


class RecordEncoding(NestedEncoding):
    """Structs: natives, and where it is allowed the values of their parts.

    Args:
        name: Name of the native class.
        parts: What it is made of.
        least: How many values a sequence must have to stand for an instance; 0 if none does. If it is 1, a
            single value stands for an instance, too.
    """

    __slots__ = ("least", "parts")

    def __init__(self, name: str, *parts: Part, least: int = 0) -> None:
        super().__init__(name)
        self.parts = parts
        self.least = least

    @once_per_encoding
    def arrow_type(self) -> pa.DataType:
        """The Arrow type of one instance."""
        import pyarrow as pa

        return pa.struct(self._fields())

    def _fields(self) -> list[pa.Field[Any]]:
        import pyarrow as pa

        return [pa.field(part.name, part.encoding.arrow_type(), part.nullable) for part in self.parts]

    def plain(self, value: Any) -> Any:
        """One instance in plain Python: a tuple of its parts."""
        if is_of(value, self):
            return plain_of_native(value)
        if self.least:
            if _is_sequence(value):
                if not self.least <= len(value) <= len(self.parts):
                    raise refusal(value, self._accepted)
                return self.plain_of_parts(value)
            if self.least == 1 and isinstance(value, int | str):
                return self.plain_of_parts((value,))
        raise self._refusal(value)

    @property
    def _accepted(self) -> str:
        return f"{self.name}, or a sequence of its parts ({', '.join(part.name for part in self.parts)})"

    def plain_of_parts(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """An instance of the values of its parts, of which the last may be left out."""
        given = [*values, *[None] * (len(self.parts) - len(values))]
        return tuple(
            [
                None if value is None and part.nullable else plain_of(part.encoding, value)
                for part, value in zip(self.parts, given, strict=True)
            ]
        )

    def build(self, plains: Sequence[Any]) -> pa.Array[Any]:
        """An Arrow array of instances in plain Python."""
        import pyarrow as pa

        columns = [
            built(part.encoding, [plain[position] for plain in plains])
            for position, part in enumerate(self.parts)
        ]
        return pa.StructArray.from_arrays(columns, fields=self._fields())


class LeadingPartsEncoding(RecordEncoding):
    """Structs for which longer sequences may stand, too: of a row of numbers the first ones count."""

    __slots__ = ()

    def plain(self, value: Any) -> Any:
        """One instance in plain Python: a tuple of its parts."""
        if _is_sequence(value) and len(value) > len(self.parts):
            value = value[: len(self.parts)]
        return super().plain(value)


class TextPairEncoding(RecordEncoding):
    """Pairs of texts. What is no text becomes one, as for single texts, but not whole arrays of numbers."""

    __slots__ = ()

    def _items(self, value: Any) -> Sequence[Any]:
        if getattr(getattr(value, "dtype", None), "kind", "U") not in "UO":
            raise refusal(value, f"one or more {self.name}, each two texts", TypeError("an array of numbers"))
        return super()._items(value)


class WholeNumberOrRecord(RecordEncoding):
    """Structs for which a single whole number may stand: it is the first part, the others are false."""

    __slots__ = ()

    def capture(self, value: Any) -> Captured:
        """Copies a value into one of the shapes."""
        if isinstance(value, int):
            return ARROW, self.build([self.plain_of_parts((value, *[False] * (len(self.parts) - 1)))])
        return super().capture(value)


class ListEncoding(NestedEncoding):
    """Lists of something.

    Args:
        name: Name of the native class.
        item: The encoding of an element.
    """

    __slots__ = ("item",)

    def __init__(self, name: str, item: Encoding) -> None:
        super().__init__(name)
        self.item = item

    @once_per_encoding
    def arrow_type(self) -> pa.DataType:
        """The Arrow type of one instance."""
        import pyarrow as pa

        return pa.list_(pa.field("item", self.item.arrow_type(), nullable=False))

    def plain(self, value: Any) -> Any:
        """One instance in plain Python: a list."""
        if is_of(value, self):
            return plain_of_native(value)
        if isinstance(value, Native) or not hasattr(value, "__iter__"):
            raise self._refusal(value)
        return [plain_of(self.item, item) for item in value]

    def build(self, plains: Sequence[Any]) -> pa.Array[Any]:
        """An Arrow array of instances in plain Python."""
        import numpy as np
        import pyarrow as pa

        offsets = np.zeros(len(plains) + 1, np.int32)
        np.cumsum([len(plain) for plain in plains], out=offsets[1:])
        items = built(self.item, [item for plain in plains for item in plain])
        return pa.ListArray.from_arrays(pa.array(offsets), items, type=self.arrow_type())


class PlainLists(ListEncoding):
    """Lists without a class of their own, as parts of structs."""

    __slots__ = ()

    def __init__(self, item: Encoding) -> None:
        super().__init__(f"list of {getattr(item, 'name', item)}", item)

    def plain(self, value: Any) -> Any:
        """One instance in plain Python; none at all is an empty one."""
        return [] if value is None else super().plain(value)


class CountsEncoding(ListEncoding):
    """Lists of numbers by number, for which a dictionary may stand."""

    __slots__ = ()

    def plain(self, value: Any) -> Any:
        """One instance in plain Python: a list of pairs."""
        if isinstance(value, dict):
            value = value.items()
        elif not is_of(value, self):
            raise self._refusal(value)
        return super().plain(value)

    def _items(self, value: Any) -> Sequence[Any]:
        if isinstance(value, dict):
            return (value,)
        items = super()._items(value)
        # Single counts make one instance.
        return (dict(map(plain_of_native, items)),) if _all_of(items, self.item) else items


class PairsEncoding(ListEncoding):
    """Lists of pairs of texts, for which a dictionary may stand."""

    __slots__ = ()

    def plain(self, value: Any) -> Any:
        """One instance in plain Python: a list of pairs."""
        if isinstance(value, dict):
            value = value.items()
        elif isinstance(value, str | bytes | bytearray | memoryview | range):
            raise refusal(value, f"{self.name}: a dictionary or a sequence of pairs")
        return super().plain(value)

    def _items(self, value: Any) -> Sequence[Any]:
        """A dictionary or a sequence of pairs is one instance, a sequence of these several."""
        if isinstance(value, dict):
            return (value,)
        if isinstance(value, str | bytes) and not value:
            return ()
        items = super()._items(value)
        return (items,) if items and self._is_pair(items[0]) else items

    def _is_pair(self, value: Any) -> bool:
        if is_of(value, self.item):
            return True
        return _is_sequence(value) and len(value) == 2 and not _is_pair_of_pairs(value)


def _all_of(items: Sequence[Any], encoding: Encoding) -> bool:
    return bool(items) and all(is_of(item, encoding) for item in items)


def _is_pair_of_pairs(value: Any) -> bool:
    return all(_is_sequence(item) and getattr(item, "ndim", 1) and len(item) == 2 for item in value)


def _is_sequence(value: Any) -> bool:
    is_text = isinstance(value, str | dict | Native)
    return not is_text and hasattr(value, "__len__") and hasattr(value, "__getitem__") and _has_axes(value)


def _has_axes(value: Any) -> bool:
    return bool(getattr(value, "ndim", 1))


def plain_of_native(value: Any) -> Any:
    """What a native of a nested encoding holds."""
    return value._plain


def plain_of(encoding: Encoding, value: Any) -> Any:
    """Exactly one instance of any encoding in plain Python."""
    if isinstance(encoding, NestedEncoding):
        return encoding.plain(value)
    if isinstance(encoding, TextEncoding):
        if getattr(value, "ndim", 0):
            raise refusal(value, "a text", TypeError("an array is none"))
        return writable(str(value))
    if isinstance(encoding, ColorEncoding) and hasattr(value, "is_integer"):
        # Packed, as all single numbers; a row of an array has only one type.
        value = int(value)
    if type(value) is int and isinstance(encoding, NumberEncoding):
        encoding.check(value)
        return value
    shape, data = encoding.capture(value)
    array = captured_to_arrow(encoding, shape, data)
    if len(array) != 1:
        raise refusal(value, "exactly one value")
    return array[0].as_py()


def built(encoding: Encoding, plains: Sequence[Any]) -> pa.Array[Any]:
    """An Arrow array of any encoding of instances in plain Python."""
    if isinstance(encoding, NestedEncoding):
        return encoding.build(plains)
    import pyarrow as pa

    return pa.array(plains, encoding.arrow_type())
