"""Setting times: what the arguments say is checked, and then holds in the current context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.errors import report, strict_mode
from aiorerun.types.time import time_value
from aiorerun.types.timepoint import time_of, with_time, without_time

if TYPE_CHECKING:
    from types import TracebackType

    from aiorerun.context import StoreTimes
    from aiorerun.types.timeline import TimelineKind


class TimeScope:
    """See :meth:`AsyncRecordingStream.at`."""

    __slots__ = ("_former", "_timeline", "_times", "_value")

    def __init__(
        self, times: StoreTimes | None, timeline: str, sequence: Any, duration: Any, timestamp: Any
    ) -> None:
        self._times = times
        self._timeline = timeline
        self._former: tuple[TimelineKind, int] | None = None
        # Checked here and now, so that the error points at the line with the wrong argument.
        self._value = checked_time("at", timeline, sequence, duration, timestamp)

    def __enter__(self) -> None:
        if self._times is None or self._value is None:
            return
        self._former = time_of(self._times.get(), self._timeline)
        set_checked_time(self._times, self._timeline, *self._value)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._times is None or self._value is None:
            return
        now = self._times.get()
        if self._former is None:
            self._times.set(without_time(now, self._timeline))
        else:
            self._times.set(with_time(now, self._timeline, *self._former))


def checked_time(
    context: str, timeline: str, sequence: Any, duration: Any, timestamp: Any
) -> tuple[TimelineKind, int] | None:
    """Kind and value of a time; ``None`` if it was wrong and that was reported.

    Raises:
        ValueError: Not exactly one of the three was given; strict mode or not.
        TypeError, OverflowError: In strict mode.
    """
    try:
        return time_value(timeline, sequence, duration, timestamp)
    except Exception as error:
        if (sequence is not None) + (duration is not None) + (timestamp is not None) != 1:
            raise
        report(context, error)
        return None


def set_checked_time(times: StoreTimes, timeline: str, kind: TimelineKind, value: int) -> None:
    """Sets one time in the current context."""
    timepoint = times.get()
    position = timepoint[0].positions.get(timeline)
    if position is None or timepoint[0].timelines[position].kind is not kind:
        _check_kind(times, timeline, kind)
    times.set(with_time(timepoint, timeline, kind, value))


def _check_kind(times: StoreTimes, timeline: str, kind: TimelineKind) -> None:
    """Warns once per timeline that is used with another kind than at first; strict mode raises."""
    first = times.kinds.setdefault(timeline, kind)
    if first is kind or (timeline in times.mixed and not strict_mode()):
        return
    times.mixed.add(timeline)
    report(
        "set_time",
        ValueError(
            f"timeline {timeline!r} was a {first.name.lower()} and is now set as a {kind.name.lower()}; "
            "viewers do not support that: use one kind per timeline name"
        ),
    )
