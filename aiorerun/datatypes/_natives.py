"""What native classes share: one instance of a datatype as a Python object that never changes."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, cast

from aiorerun.types.coerce.values import refusal
from aiorerun.types.encoding import ARRAY, ARROW, BLOB, FIXED, TEXT, Captured
from aiorerun.types.native import Native
from aiorerun.types.plan import MISFITS

if TYPE_CHECKING:
    from typing import Self

    import numpy.typing as npt

    from aiorerun.types.coerce.records import ListEncoding, NestedEncoding, RecordEncoding


class ValueNative(Native):
    """A single Python value, under one name."""

    __slots__ = ("_value",)

    ATTRIBUTE: ClassVar[str] = "value"

    _value: Any

    def _captured(self) -> Captured:
        return self.ENCODING.capture(self._value)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return bool(self._value == cast("Self", other)._value)

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.ATTRIBUTE}={self._value!r})"


class NumberNative(ValueNative):
    """A number."""

    __slots__ = ()

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        import numpy as np

        return np.array(self._value, dtype=dtype)


class FloatNative(NumberNative):
    """A number with a fraction."""

    __slots__ = ()

    def _set(self, value: Any) -> None:
        self._value = float(value)

    def __float__(self) -> float:
        return float(self._value)


class IntNative(NumberNative):
    """A whole number."""

    __slots__ = ()

    def _set(self, value: Any) -> None:
        self._value = int(value)
        self._captured()  # tells now what does not fit

    def __int__(self) -> int:
        return int(self._value)

    __index__ = __int__


class BoolNative(ValueNative):
    """A boolean."""

    __slots__ = ()

    def _set(self, value: Any) -> None:
        self._value = bool(value)

    def __bool__(self) -> bool:
        return bool(self._value)


class TextNative(ValueNative):
    """A text."""

    __slots__ = ()

    def _set(self, value: Any) -> None:
        self._value = str(value)

    def _captured(self) -> Captured:
        return TEXT, self._value

    def __str__(self) -> str:
        return str(self._value)


class VectorNative(Native):
    """A fixed number of numbers, or bytes."""

    __slots__ = ("_data", "_shape")

    _data: Any
    _shape: int

    ATTRIBUTE: ClassVar[str] = "data"

    def _set(self, value: Any) -> None:
        pack = self.ENCODING.packer(type(value))
        if pack is not None:
            # Plain numbers, by far the most frequent.
            try:
                self._shape, self._data = FIXED, pack(*value)
                return
            except MISFITS:
                pass
        shape, data = self.ENCODING.capture(value)
        if shape == ARRAY and len(data) == 1:
            shape, data = FIXED, data.tobytes()
        if shape not in (FIXED, BLOB):
            raise refusal(value, f"exactly one {type(self).__name__}")
        self._shape = shape
        self._data = data if isinstance(data, bytes) else data.tobytes()

    def _captured(self) -> Captured:
        return self._shape, self._data

    def _array(self) -> npt.NDArray[Any]:
        import numpy as np

        return np.frombuffer(self._data, getattr(self.ENCODING, "dtype", "uint8"))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        import numpy as np

        return np.array(self._array(), dtype=dtype)

    def __len__(self) -> int:
        return len(self._array())

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        import numpy as np

        return bool(np.array_equal(self._array(), cast("Self", other)._array()))

    def __hash__(self) -> int:
        return hash(self._data)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.ATTRIBUTE}={self._array().tolist()})"


class NestedNative(Native):
    """Something of several parts, held in plain Python."""

    __slots__ = ("_plain",)

    _plain: Any

    @classmethod
    def _of(cls, plain: Any) -> Self:
        new = cls.__new__(cls)
        new._plain = plain
        return new

    def _captured(self) -> Captured:
        return ARROW, cast("NestedEncoding", self.ENCODING).build([self._plain])

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return bool(self._plain == cast("Self", other)._plain)

    def __hash__(self) -> int:
        return hash(repr(self._plain))


class RecordNative(NestedNative):
    """A struct of named parts."""

    __slots__ = ()

    def _set(self, *values: Any) -> None:
        self._plain = cast("RecordEncoding", self.ENCODING).plain_of_parts(values)

    def __repr__(self) -> str:
        parts = cast("RecordEncoding", self.ENCODING).parts
        shown = ", ".join(f"{part.name}={value!r}" for part, value in zip(parts, self._plain, strict=True))
        return f"{type(self).__name__}({shown})"


class ListNative(NestedNative):
    """A list of something."""

    __slots__ = ()

    def _set(self, value: Any) -> None:
        instances = cast("ListEncoding", self.ENCODING).instances(value)
        if len(instances) > 1:
            raise refusal(value, f"exactly one {type(self).__name__}")
        self._plain = instances[0] if instances else []

    def __len__(self) -> int:
        return len(self._plain)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._plain!r})"


class NamedValue(Enum):
    """One of a few named values. Wherever one is expected, its name in any case or its number do too."""

    @classmethod
    def auto(cls, val: str | int | Self) -> Self:
        """The member for a name in any case, a number, or a member."""
        if isinstance(val, str):
            folded = val.lower()
            for member in cls:
                if member.name.lower() == folded:
                    return member
            raise ValueError(f"{val!r} is no {cls.__name__}: there are {', '.join(m.name for m in cls)}")
        return cls(val)

    def __str__(self) -> str:
        return str(self.name)
