"""Frames of videos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.archetypes._base import converted
from aiorerun.archetypes.video import VideoFrameReferenceFields
from aiorerun.types.rows import NOTHING

if TYPE_CHECKING:
    import numpy.typing as npt

    from aiorerun.datatypes import EntityPathLike, Float32Like, VideoTimestampLike
    from aiorerun.types.batches import ComponentColumnList


class VideoFrameReference(VideoFrameReferenceFields):
    """A frame of a video that is shown at this moment.

    Args:
        timestamp: When it comes in the video, in nanoseconds or as a :class:`VideoTimestamp`.
        seconds: Instead: the same in seconds.
        nanoseconds: Instead: the same in nanoseconds.
        video_reference: The entity with the video; by default the one that this is logged to.
        opacity: From 0, invisible, to 1, opaque.
        draw_order: What is drawn above what in 2D: higher values are on top.

    Raises:
        ValueError: Not exactly one time, or a number with a fraction as ``timestamp``; in strict mode.

    Example:
        rec.set_time("video", duration=1.5)
        await rec.log("camera", rr.VideoFrameReference(seconds=1.5))
    """

    __slots__ = ()

    def __init__(
        self,
        timestamp: VideoTimestampLike | None = None,
        *,
        seconds: float | None = None,
        nanoseconds: int | None = None,
        video_reference: EntityPathLike | None = None,
        opacity: Float32Like | None = None,
        draw_order: Float32Like | None = None,
    ) -> None:
        try:
            timestamp = self._one_time(timestamp, seconds, nanoseconds)
        except Exception as error:
            self._row = NOTHING
            self._report(error)
            return
        self._capture(timestamp, video_reference, opacity, draw_order)

    def _one_time(self, timestamp: Any, seconds: float | None, nanoseconds: int | None) -> Any:
        if sum(given is not None for given in (timestamp, seconds, nanoseconds)) != 1:
            raise ValueError("exactly one of `timestamp`, `seconds` and `nanoseconds` is needed")
        if timestamp is None:
            from aiorerun.components import VideoTimestamp

            if seconds is not None:
                return converted("seconds", lambda given: VideoTimestamp(seconds=given), seconds)
            return converted("nanoseconds", lambda given: VideoTimestamp(nanoseconds=given), nanoseconds)
        if isinstance(timestamp, float):
            self._report(
                ValueError("`timestamp` is in whole nanoseconds; pass numbers with a fraction as `seconds`")
            )
        return timestamp

    @classmethod
    def columns_secs(cls, seconds: npt.ArrayLike) -> ComponentColumnList:
        """Columns for ``send_columns`` of times in seconds, fractions included."""
        from aiorerun.components import VideoTimestamp

        return cls._columns(VideoTimestamp.seconds(seconds), None, None, None)

    @classmethod
    def columns_millis(cls, milliseconds: npt.ArrayLike) -> ComponentColumnList:
        """Columns for ``send_columns`` of times in milliseconds, fractions included."""
        from aiorerun.components import VideoTimestamp

        return cls._columns(VideoTimestamp.milliseconds(milliseconds), None, None, None)

    @classmethod
    def columns_nanos(cls, nanoseconds: npt.ArrayLike) -> ComponentColumnList:
        """Columns for ``send_columns`` of times in nanoseconds."""
        from aiorerun.components import VideoTimestamp

        return cls._columns(VideoTimestamp.nanoseconds(nanoseconds), None, None, None)
