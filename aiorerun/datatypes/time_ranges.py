"""Ranges of time, with bounds that move or stand still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from aiorerun.datatypes._natives import NestedNative, RecordNative
from aiorerun.datatypes.times import TimeInt
from aiorerun.types.coerce.catalog import TIME_RANGE_BOUNDARY, VISIBLE_TIME_RANGE
from aiorerun.types.coerce.time_ranges import ABSOLUTE, CURSOR_RELATIVE, INFINITE

if TYPE_CHECKING:
    from aiorerun.datatypes.common import Utf8, Utf8Like
    from aiorerun.datatypes.time import TimeRange, TimeRangeLike
    from aiorerun.types.encoding import Encoding

_Kind = Literal["cursor_relative", "absolute", "infinite"]
_KINDS: Final[dict[str, int]] = {
    "cursor_relative": CURSOR_RELATIVE,
    "absolute": ABSOLUTE,
    "infinite": INFINITE,
}
_NAMES: Final[dict[int, Any]] = {number: name for name, number in _KINDS.items()}


class TimeRangeBoundary(NestedNative):
    """A bound of time: relative to the time cursor, absolute, or none.

    :meth:`cursor_relative`, :meth:`absolute` and :meth:`infinite` make them.

    Args:
        inner: The time; none for an infinite bound.
        kind: What it is relative to.

    Raises:
        ValueError: The kind does not exist, or needs a time that was not given.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = TIME_RANGE_BOUNDARY

    def __init__(self, inner: TimeInt | None, kind: _Kind = "cursor_relative") -> None:
        if kind not in _KINDS:
            raise ValueError(f"`kind` must be one of {', '.join(_KINDS)}, not {kind!r}")
        if inner is None and kind != "infinite":
            raise ValueError(f"a bound of kind {kind!r} needs a time as `inner`")
        time = None if inner is None or kind == "infinite" else int(inner)
        self._plain = (_KINDS[kind], time)

    @property
    def inner(self) -> TimeInt | None:
        """The time; none for an infinite bound."""
        time = self._plain[1]
        return None if time is None else TimeInt(seq=time)

    @property
    def kind(self) -> _Kind:
        """What the time is relative to."""
        kind: _Kind = _NAMES[self._plain[0]]
        return kind

    @staticmethod
    def cursor_relative(
        offset: TimeInt | None = None,
        *,
        seq: int | None = None,
        seconds: float | None = None,
        nanos: int | None = None,
    ) -> TimeRangeBoundary:
        """A bound that moves with the time cursor; by default the time cursor itself.

        Raises:
            ValueError: More than one of the arguments was given.
        """
        if offset is None and seq is seconds is nanos is None:
            seq = 0
        return TimeRangeBoundary(_one_time(offset, seq, seconds, nanos), "cursor_relative")

    @staticmethod
    def absolute(
        time: TimeInt | None = None,
        *,
        seq: int | None = None,
        seconds: float | None = None,
        nanos: int | None = None,
    ) -> TimeRangeBoundary:
        """A bound that stands still.

        Raises:
            ValueError: Not exactly one of the arguments was given.
        """
        return TimeRangeBoundary(_one_time(time, seq, seconds, nanos), "absolute")

    @staticmethod
    def infinite() -> TimeRangeBoundary:
        """No bound: all there is."""
        return TimeRangeBoundary(None, "infinite")

    def __repr__(self) -> str:
        return f"TimeRangeBoundary(inner={self.inner!r}, kind={self.kind!r})"


def _one_time(time: TimeInt | None, seq: int | None, seconds: float | None, nanos: int | None) -> TimeInt:
    if time is None:
        return TimeInt(seq=seq, seconds=seconds, nanos=nanos)
    if not (seq is seconds is nanos is None):
        raise ValueError("a time excludes `seq`, `seconds` and `nanos`")
    return time


class VisibleTimeRange(RecordNative):
    """The range of times that is shown, on one timeline.

    Args:
        timeline: The timeline.
        range: The range.
        start: Instead of the range, together with ``end``: where it starts.
        end: Instead of the range, together with ``start``: where it ends.

    Raises:
        ValueError: Neither or both ways were used.
    """

    __slots__ = ()

    ENCODING: ClassVar[Encoding] = VISIBLE_TIME_RANGE

    def __init__(
        self,
        timeline: Utf8Like,
        range: TimeRangeLike | None = None,
        *,
        start: TimeRangeBoundary | None = None,
        end: TimeRangeBoundary | None = None,
    ) -> None:
        if range is None and start is not None and end is not None:
            from aiorerun.datatypes.time import TimeRange

            range = TimeRange(start, end)
        elif range is None or start is not None or end is not None:
            raise ValueError("a visible time range needs either `range`, or both `start` and `end`")
        self._set(timeline, range)

    @property
    def timeline(self) -> Utf8:
        """The timeline."""
        from aiorerun.datatypes.common import Utf8

        return Utf8(self._plain[0])

    @property
    def range(self) -> TimeRange:
        """The range."""
        from aiorerun.datatypes.time import TimeRange

        return TimeRange._of(self._plain[1])
