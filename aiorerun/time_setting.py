"""Setting times: what the arguments say is checked, and then holds in the current context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aiorerun.context import scopes
from aiorerun.errors import report, strict_mode
from aiorerun.types.time import time_value
from aiorerun.types.timepoint import time_of, with_time, without_time

if TYPE_CHECKING:
    from types import TracebackType

    from aiorerun.context import StoreTimes
    from aiorerun.types.timeline import TimelineKind


class TimeScope:
    """See :meth:`AsyncRecordingStream.at`.

    It may be entered any number of times, in any tasks and threads, also within itself: what it replaced is
    kept in the context, not here.
    """

    __slots__ = ("_timeline", "_times", "_value")

    def __init__(
        self, times: StoreTimes | None, timeline: str, sequence: Any, duration: Any, timestamp: Any
    ) -> None:
        self._times = times
        self._timeline = timeline
        # Checked here and now, so that the error points at the line with the wrong argument.
        self._value = checked_time("at", timeline, sequence, duration, timestamp)

    def __enter__(self) -> None:
        if self._times is None or self._value is None:
            return
        former = time_of(self._times.get(), self._timeline)
        set_checked_time(self._times, self._timeline, *self._value)
        scopes.set(_Entered(self, self._times, self._timeline, former, scopes.get()))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _leave(self)


class _Entered(NamedTuple):
    """A scope that was entered, and what before it: immutable, so contexts that inherit it stay apart.

    Attributes:
        scope: The scope.
        times: Whose time it set.
        timeline: On which timeline.
        former: The time that it replaced.
        outer: What was entered before.
    """

    scope: TimeScope
    times: StoreTimes
    timeline: str
    former: tuple[TimelineKind, int] | None
    outer: _Entered | None


def _leave(scope: TimeScope) -> None:
    """Undoes the latest entering of a scope in this context.

    Where there was none (another task, a closing generator) nothing happens. Out of order, the time stays as
    the scope that set it next wants it, and what there was before is for that one to restore. Never raises.
    """
    later: list[_Entered] = []
    entered: _Entered | None = scopes.get()
    while entered is not None and entered.scope is not scope:
        later.append(entered)
        entered = entered.outer
    if entered is None:
        return
    innermost, is_restored_later = entered.outer, False
    for other in reversed(later):
        former = other.former
        if not is_restored_later and other.times is entered.times and other.timeline == entered.timeline:
            former, is_restored_later = entered.former, True
        innermost = other._replace(former=former, outer=innermost)
    scopes.set(innermost)
    if not is_restored_later:
        _restore(entered.times, entered.timeline, entered.former)


def _restore(times: StoreTimes, timeline: str, former: tuple[TimelineKind, int] | None) -> None:
    if former is None:
        times.set(without_time(times.get(), timeline))
    else:
        times.set(with_time(times.get(), timeline, *former))


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
