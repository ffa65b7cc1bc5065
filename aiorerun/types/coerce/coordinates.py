"""View coordinates: three directions per instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.types.coerce.values import is_arrow_array, refusal
from aiorerun.types.coerce.vectors import VectorEncoding
from aiorerun.types.encoding import ARRAY, ARROW, DYNAMIC, FIXED, Captured, Converter
from aiorerun.types.native import Native, captured, is_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

_DIRECTIONS = {"up": 1, "down": 2, "right": 3, "left": 4, "forward": 5, "back": 6}


class ViewCoordinatesEncoding(VectorEncoding):
    """Three directions: where the axes x, y and z point."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("uint8", 3)

    def __repr__(self) -> str:
        return "ViewCoordinatesEncoding()"

    def converter(self, kind: type) -> Converter:
        """The quickest way to capture values of one type."""
        if issubclass(kind, Native) and kind.ENCODING is self:
            return DYNAMIC, kind._captured
        return DYNAMIC, self.capture

    def _array_converter(self) -> Callable[[npt.NDArray[Any]], Captured]:
        return self.capture

    def row_converter(self, kind: type) -> Converter:
        """The same in a row: the directions in arrays are looked at."""
        return self.converter(kind)

    def rows_of(self, value: Any, size: int) -> int:
        """Over how many rows ``Archetype.columns`` spreads the instances: one each."""
        return size

    def capture(self, value: Any) -> Captured:
        """Copies a value into one of the shapes."""
        if is_of(value, self):
            return captured(value)
        if is_arrow_array(value) and value.type == self.arrow_type():
            return ARROW, value
        if value is None:
            value = ()
        if isinstance(value, Native) or not hasattr(value, "__iter__"):
            raise refusal(value, "three directions", TypeError(f"{type(value).__name__} is no sequence"))
        items = list(value)
        if len(items) == 3 and all(map(_is_direction, items)):
            return FIXED, bytes(map(_direction, items))
        import numpy as np

        parts = [self._one(item) for item in items]
        return ARRAY, np.frombuffer(b"".join(parts), np.uint8).reshape(-1, 3)

    def _one(self, value: Any) -> bytes:
        if is_of(value, self):
            data: bytes = captured(value)[1]
            return data
        if isinstance(value, str | bytes) or not hasattr(value, "__len__") or len(value) != 3:
            raise refusal(value, "three directions (Up, Down, Right, Left, Forward, Back)")
        return bytes(map(_direction, value))


def _is_direction(item: Any) -> bool:
    return isinstance(item, str | int) or _named(item) is not None or _is_whole(item)


def _is_whole(item: Any) -> bool:
    return hasattr(item, "__index__") and not getattr(item, "ndim", 0)


def _named(item: Any) -> int | None:
    return _DIRECTIONS.get(str(getattr(item, "name", "")).lower())


def _direction(item: Any) -> int:
    name = item if isinstance(item, str) else getattr(item, "name", None)
    if isinstance(name, str):
        number = _DIRECTIONS.get(name.lower(), 0)
    elif _is_whole(item):
        number = int(item)
    else:
        number = 0
    if not 1 <= number <= 6:
        raise ValueError(
            f"{item!r} is no direction: there are Up (1), Down, Right, Left, Forward and Back (6)"
        )
    return number
