"""Enums: one of a few named values."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from aiorerun.types.coerce.values import is_arrow_array, refusal
from aiorerun.types.encoding import ARRAY, ARROW, DYNAMIC, FIXED, Captured, Converter, Encoding
from aiorerun.types.flat import FlatArray

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

_WIDTHS: Final = {"uint8": 1, "uint32": 4}


class EnumEncoding(Encoding):
    """Members of an enum, their names in any case, or their numbers.

    Args:
        name: Name of the enum's class. The class itself is not needed, so it need not be loaded.
        variants: The numbers by name.
        dtype: Name of the dtype of the numbers, which is also the name of the Arrow type.
    """

    __slots__ = ("_by_name", "_by_number", "dtype", "name", "variants", "width")

    def __init__(self, name: str, variants: dict[str, int], dtype: str = "uint8") -> None:
        self.name = name
        self.variants = variants
        self.dtype = dtype
        self.width = _WIDTHS[dtype]
        self._by_number = {number: number.to_bytes(self.width, "little") for number in variants.values()}
        self._by_name: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"EnumEncoding({self.name!r})"

    def arrow_type(self) -> pa.DataType:
        """The Arrow type of one instance."""
        import pyarrow as pa

        return pa.type_for_alias(self.dtype)

    def converter(self, kind: type) -> Converter:
        """The quickest way to capture values of one type."""
        if kind is int:
            return FIXED, self._by_number.__getitem__
        if kind is str:
            self._fill_names()
            return FIXED, self._by_name.__getitem__
        if self._is_member(kind):
            by_number = self._by_number
            return FIXED, lambda member: by_number[member._value_]
        return DYNAMIC, self.capture

    def _fill_names(self) -> None:
        for name, number in self.variants.items():
            for spelling in (name, name.lower(), name.upper()):
                self._by_name[spelling] = self._by_number[number]

    def _is_member(self, kind: type) -> bool:
        return issubclass(kind, Enum) and kind.__name__ == self.name

    def _one(self, value: Any) -> int | None:
        if value is None:
            return None
        if isinstance(value, str):
            folded = value.lower()
            for name, number in self.variants.items():
                if name.lower() == folded:
                    return number
        elif self._is_member(type(value)):
            return int(value.value)
        elif isinstance(value, int):
            if value in self._by_number:
                return int(value)
        elif not isinstance(value, bytes):
            raise TypeError(f"{type(value).__name__} is no {self.name}")
        names = ", ".join(f"{name} ({number})" for name, number in self.variants.items())
        raise ValueError(f"{value!r} is no {self.name}: there are {names}")

    def capture(self, value: Any) -> Captured:
        """Copies a value into one of the shapes."""
        if is_arrow_array(value) and value.type == self.arrow_type():
            return ARROW, value
        if isinstance(value, str | int) or self._is_member(type(value)):
            number = self._one(value)
            assert number is not None
            return FIXED, self._by_number[number]
        if value is None:
            value = ()
        elif not hasattr(value, "__iter__"):
            raise refusal(value, f"one or more of {self.name}", TypeError("not a sequence"))
        numbers = [self._one(item) for item in value]
        if None in numbers:
            import pyarrow as pa

            return ARROW, pa.array(numbers, self.arrow_type())
        import numpy as np

        return ARRAY, np.array(numbers, self.dtype)

    def fixed_column(self, raw: npt.NDArray[np.uint8]) -> FlatArray:
        """Values of many FIXED instances."""
        return FlatArray(self.arrow_type(), len(raw), [(len(raw), 0)], [None, raw])

    def array_column(self, array: npt.NDArray[Any]) -> FlatArray:
        """Values of ARRAY instances."""
        return FlatArray(self.arrow_type(), len(array), [(len(array), 0)], [None, array])
