"""Bounds of time ranges: relative to the time cursor, absolute, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiorerun.types.coerce.records import NestedEncoding, plain_of_native
from aiorerun.types.coerce.values import refusal
from aiorerun.types.native import Native, is_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from aiorerun.types.coerce.numbers import NumberEncoding

MISSING: Final = 0
CURSOR_RELATIVE: Final = 1
ABSOLUTE: Final = 2
INFINITE: Final = 3


class TimeRangeBoundaryEncoding(NestedEncoding):
    """Bounds: natives, times (which are relative to the time cursor), or ``None`` for a missing one.

    In plain Python a pair of the kind above and the time, which only two of the kinds have.

    Args:
        name: Name of the native class.
        time: The encoding of times.
    """

    __slots__ = ("time",)

    def __init__(self, name: str, time: NumberEncoding) -> None:
        super().__init__(name)
        self.time = time

    def arrow_type(self) -> pa.DataType:
        """The Arrow type of one instance."""
        import pyarrow as pa

        return pa.dense_union(self._fields())

    def _fields(self) -> list[pa.Field[Any]]:
        import pyarrow as pa

        time = self.time.arrow_type()
        return [
            pa.field("_null_markers", pa.null()),
            pa.field("CursorRelative", time, nullable=False),
            pa.field("Absolute", time, nullable=False),
            pa.field("Infinite", pa.null()),
        ]

    def plain(self, value: Any) -> tuple[int, int | None]:
        """One instance in plain Python."""
        if is_of(value, self):
            kind, time = plain_of_native(value)
            return kind, time
        if value is None:
            return MISSING, None
        return CURSOR_RELATIVE, self._number(value)

    def _number(self, value: Any) -> int:
        import numpy as np

        try:
            number = int(np.asarray(value).item())
        except Exception as error:
            raise refusal(value, "a time", error) from error
        self.time.check(number)
        return number

    def _items(self, value: Any) -> Sequence[Any]:
        if isinstance(value, int | float | Native) or (isinstance(value, str) and value):
            return (value,)
        if hasattr(value, "dtype") and getattr(value, "ndim", 1) == 0:
            return (value,)
        items = super()._items(value)
        return self._rows(items) if items and not _is_single(items[0]) else items

    def _rows(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Rows of numbers: as many numbers as there are rows, from the first row on."""
        import numpy as np

        try:
            numbers = np.array(rows, self.time.dtype).ravel()
        except Exception as error:
            raise refusal(rows, "times", error) from error
        if len(numbers) < len(rows):
            raise refusal(rows, "times")
        found: list[int] = numbers[: len(rows)].tolist()
        return found

    def build(self, plains: Sequence[Any]) -> pa.Array[Any]:
        """An Arrow array of instances in plain Python."""
        import numpy as np
        import pyarrow as pa

        plains = [(MISSING, None) if plain is None else plain for plain in plains]
        members: tuple[list[int | None], ...] = ([], [], [], [])
        codes = np.array([kind for kind, _ in plains], np.int8)
        offsets = np.zeros(len(plains), np.int32)
        for position, (kind, time) in enumerate(plains):
            offsets[position] = len(members[kind])
            members[kind].append(time)
        children = [
            pa.array(values, field.type) for values, field in zip(members, self._fields(), strict=True)
        ]
        # pyarrow's own functions for unions cannot say which of the members may be null.
        buffers = [None, pa.py_buffer(codes), pa.py_buffer(offsets)]
        return pa.Array.from_buffers(self.arrow_type(), len(plains), buffers, children=children)


def _is_single(value: Any) -> bool:
    return isinstance(value, str | Native) or not hasattr(value, "__len__") or not getattr(value, "ndim", 1)
