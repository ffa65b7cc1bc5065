"""Points on a timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from aiorerun.datatypes._natives import IntNative
from aiorerun.types.coerce.catalog import TIME_INT

if TYPE_CHECKING:
    from aiorerun.types.encoding import Encoding


class TimeInt(IntNative):
    """A point on a timeline.

    Args:
        seq: A number of a sequence.
        seconds: Seconds since the epoch, or a duration in seconds.
        nanos: The same in nanoseconds.

    Raises:
        ValueError: Not exactly one was given.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = TIME_INT

    def __init__(
        self, *, seq: int | None = None, seconds: float | None = None, nanos: int | None = None
    ) -> None:
        if sum(given is not None for given in (seq, seconds, nanos)) != 1:
            raise ValueError("a time needs exactly one of `seq`, `seconds` and `nanos`")
        if seconds is not None:
            self._set(seconds * 1e9)
        else:
            self._set(nanos if seq is None else seq)

    @property
    def value(self) -> int:
        """The number, or the nanoseconds."""
        return int(self._value)
