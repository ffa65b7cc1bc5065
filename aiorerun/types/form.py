"""Forms: the interned shape of a row. Rows of one form share an accumulator and its column layout."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, TypeAlias
from weakref import WeakValueDictionary

from aiorerun.types.encoding import ARRAY, ARROW, BLOB, FIXED, PACKED, RAW, TEXT, TEXTS, Encoding, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiorerun.types.descriptors import ComponentDescriptor


class ColumnSpec(NamedTuple):
    """One column of a row: whose it is, how it is encoded, in which shape its value is kept."""

    descriptor: ComponentDescriptor
    encoding: Encoding
    shape: Shape


def _length_of_all(texts: tuple[str, ...]) -> int:
    return sum(map(len, texts))


_SIZERS: Final[dict[Shape, Callable[[Any], int]]] = {
    TEXT: len,
    BLOB: len,
    TEXTS: _length_of_all,
    ARRAY: attrgetter("nbytes"),
    ARROW: attrgetter("nbytes"),
    PACKED: attrgetter("nbytes"),
    RAW: len,
}
"""About how many bytes captured data holds on to, by its shape."""


def size_of(shape: Shape, data: Any) -> int:
    """About how many bytes captured data holds on to."""
    return len(data) if shape == FIXED else _SIZERS[shape](data)


class Form:
    """The columns of a row, interned: equal columns give the same object.

    Attributes:
        columns: All columns, in the order in which they were given.
        fixed_width: Bytes of the packed FIXED columns, which follow each other in column order.
        objects: The specs of the other columns; a row carries one object for each, in this order.
        sizers: What tells the bytes of each of these objects.
    """

    __slots__ = ("__weakref__", "columns", "fixed_width", "objects", "sizers")

    _interned: ClassVar[WeakValueDictionary[tuple[ColumnSpec, ...], Form]] = WeakValueDictionary()

    columns: tuple[ColumnSpec, ...]
    fixed_width: int
    objects: tuple[ColumnSpec, ...]
    sizers: tuple[Callable[[Any], int], ...]

    @classmethod
    def of(cls, columns: Sequence[ColumnSpec]) -> Form:
        """The form with these columns."""
        key = tuple(columns)
        form = cls._interned.get(key)
        if form is None:
            form = cls.__new__(cls)
            form.columns = key
            form.fixed_width = sum(spec.encoding.width for spec in key if spec.shape == FIXED)
            form.objects = tuple(spec for spec in key if spec.shape != FIXED)
            form.sizers = tuple(_SIZERS[spec.shape] for spec in form.objects)
            form = cls._interned.setdefault(key, form)
        return form

    def __reduce__(self) -> tuple[Callable[..., Form], tuple[tuple[ColumnSpec, ...]]]:
        """How to find it again, or to make it in another process: forms are compared by identity."""
        return Form.of, (self.columns,)

    def split(self, fixed: bytes, objects: Sequence[Any]) -> list[Any]:
        """The captured data of each column, in column order, taken out of a row."""
        data: list[Any] = []
        start = 0
        remaining = iter(objects)
        for spec in self.columns:
            if spec.shape == FIXED:
                end = start + spec.encoding.width
                data.append(fixed[start:end])
                start = end
            else:
                data.append(next(remaining))
        return data


Row: TypeAlias = tuple[Form, bytes, tuple[Any, ...]]
"""A captured row: its form, the packed FIXED columns, and one object per other column."""
