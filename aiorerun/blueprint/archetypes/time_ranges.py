"""Ranges of time that views show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.blueprint.archetypes.view import VisibleTimeRangesFields

if TYPE_CHECKING:
    from aiorerun import datatypes


class VisibleTimeRanges(VisibleTimeRangesFields):
    """Which times are shown, instead of only what is latest at the time cursor.

    Args:
        ranges: One range per timeline.
        timeline: Instead of ``ranges``: the timeline of the only range.
        range: With ``timeline``: the range.
        start: With ``timeline`` and ``end``, instead of ``range``: where it starts.
        end: With ``timeline`` and ``start``, instead of ``range``: where it ends.

    Raises:
        ValueError: Neither or both ways were used, or a timeline is named twice, in strict mode.

    Example:
        last_ten = rrb.VisibleTimeRanges(
            timeline="frame",
            start=rrb.TimeRangeBoundary.cursor_relative(seq=-10),
            end=rrb.TimeRangeBoundary.cursor_relative(),
        )
    """

    __slots__ = ()

    def __init__(
        self,
        ranges: datatypes.VisibleTimeRangeArrayLike | None = None,
        *,
        timeline: datatypes.Utf8Like | None = None,
        range: datatypes.TimeRangeLike | None = None,
        start: datatypes.TimeRangeBoundary | None = None,
        end: datatypes.TimeRangeBoundary | None = None,
    ) -> None:
        try:
            found = _ranges(ranges, timeline, range, start, end)
        except (TypeError, ValueError) as error:
            self._capture(None)
            self._report(error)
            return
        self._capture(found)
        names = [str(getattr(item, "timeline", "")) for item in found] if isinstance(found, list) else []
        repeated = sorted({name for name in names if name and names.count(name) > 1})
        if repeated:
            self._report(
                ValueError(f"`ranges` has more than one range on {', '.join(repeated)}: the first counts")
            )


def _ranges(ranges: Any, timeline: Any, range: Any, start: Any, end: Any) -> Any:
    from aiorerun.datatypes import VisibleTimeRange

    if timeline is not None:
        if ranges is not None:
            raise ValueError("`ranges` excludes `timeline`")
        return [VisibleTimeRange(timeline, range, start=start, end=end)]
    if ranges is None:
        raise ValueError("either `ranges` or `timeline` is needed")
    if isinstance(ranges, VisibleTimeRange) or not hasattr(ranges, "__iter__"):
        return ranges
    return ranges if hasattr(ranges, "type") else list(ranges)
