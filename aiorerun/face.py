"""Functions that are the same in the asyncio and the blocking API: they never wait for anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from aiorerun.context import ActiveRecordings, StoreTimes, isolate_generator
from aiorerun.stream_base import BaseRecordingStream, logger
from aiorerun.time_setting import TimeScope, checked_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime, timedelta

    import numpy as np

    from aiorerun.pipeline.limits import Limit
    from aiorerun.types.batches import AsComponents, DescribedComponentBatch

StreamT = TypeVar("StreamT", bound=BaseRecordingStream)
GeneratorT = TypeVar("GeneratorT", bound="Callable[..., Any]")


class Face(Generic[StreamT]):
    """The plain module-level functions of one API, as methods.

    Args:
        active: The active recordings of that API.
    """

    def __init__(self, active: ActiveRecordings[StreamT]) -> None:
        self._active = active

    def choose(self, recording: StreamT | None) -> StreamT | None:
        """The given recording, else the active one."""
        return recording if recording is not None else self._active.get()

    def choose_for_sink(self, name: str, recording: StreamT | None) -> StreamT | None:
        """Like :meth:`choose`; logs a warning if there is none."""
        chosen = self.choose(recording)
        if chosen is None:
            logger.warning("%s: no recording is active, the call is ignored; call init() first", name)
        return chosen

    def log_nowait(
        self,
        entity_path: str | list[object],
        entity: AsComponents | Iterable[DescribedComponentBatch],
        *extra: AsComponents | Iterable[DescribedComponentBatch],
        static: bool = False,
        recording: StreamT | None = None,
        strict: bool | None = None,
    ) -> None:
        """Like :func:`log`, never suspending; see :meth:`AsyncRecordingStream.log_nowait`."""
        stream = self.choose(recording)
        if stream is not None:
            stream.log_nowait(entity_path, entity, *extra, static=static, strict=strict)

    def limit(
        self,
        pattern: str,
        *,
        hz: float | None = None,
        on_change: bool = False,
        latest_wins: bool = True,
        recording: StreamT | None = None,
    ) -> Limit:
        """Limits how many rows entities get; see :meth:`AsyncRecordingStream.limit`.

        Raises:
            RuntimeError: No recording is active.
        """
        stream = self.choose(recording)
        if stream is None:
            raise RuntimeError("limit: no recording is active; call init() first, or pass recording=")
        return stream.limit(pattern, hz=hz, on_change=on_change, latest_wins=latest_wins)

    def set_time(
        self,
        timeline: str,
        *,
        sequence: int | None = None,
        duration: int | float | timedelta | np.timedelta64 | None = None,
        timestamp: int | float | datetime | np.datetime64 | None = None,
        recording: StreamT | None = None,
    ) -> None:
        """Sets a current time of the active recording; see :meth:`AsyncRecordingStream.set_time`."""
        stream = self.choose(recording)
        if stream is not None:
            stream.set_time(timeline, sequence=sequence, duration=duration, timestamp=timestamp)
        else:
            checked_time("set_time", timeline, sequence, duration, timestamp)

    def at(
        self,
        timeline: str,
        *,
        sequence: int | None = None,
        duration: int | float | timedelta | np.timedelta64 | None = None,
        timestamp: int | float | datetime | np.datetime64 | None = None,
        recording: StreamT | None = None,
    ) -> TimeScope:
        """A scope in which a timeline has a time; see :meth:`AsyncRecordingStream.at`."""
        stream = self.choose(recording)
        times: StoreTimes | None = None if stream is None else stream._times
        return TimeScope(times, timeline, sequence, duration, timestamp)

    def disable_timeline(self, timeline: str, recording: StreamT | None = None) -> None:
        """Forgets the current time of one timeline in this context."""
        stream = self.choose(recording)
        if stream is not None:
            stream.disable_timeline(timeline)

    def reset_time(self, recording: StreamT | None = None) -> None:
        """Forgets all current times in this context."""
        stream = self.choose(recording)
        if stream is not None:
            stream.reset_time()

    def get_data_recording(self, recording: StreamT | None = None) -> StreamT | None:
        """The given recording, else that of this context, else the global one, else ``None``."""
        return self.choose(recording)

    def get_global_data_recording(self) -> StreamT | None:
        """The recording of all contexts that have none of their own."""
        return self._active.get_global()

    def set_global_data_recording(self, recording: StreamT | None) -> StreamT | None:
        """Replaces the global recording (``None`` clears it); returns the former one."""
        return self._active.set_global(recording)

    def get_context_local_data_recording(self) -> StreamT | None:
        """The recording of this context: of this task, or of this thread."""
        return self._active.get_local()

    def set_context_local_data_recording(self, recording: StreamT | None) -> StreamT | None:
        """Replaces the recording of this context (``None`` clears it); returns the former one."""
        return self._active.set_local(recording)

    def recording_stream_generator_ctx(self, func: GeneratorT) -> GeneratorT:
        """Decorates a generator (or async generator) that holds ``with rec:`` or sets times across yields.

        What it sets is put aside at each ``yield`` and put back when it goes on: neither its consumer nor
        another generator ever logs to its recording or at its times.

        Raises:
            ValueError: ``func`` is not a generator function.
        """
        return isolate_generator(self._active, func)  # type: ignore[return-value]

    def is_enabled(self, recording: StreamT | None = None) -> bool:
        """Whether there is a recording that takes rows."""
        stream = self.choose(recording)
        return stream is not None and stream.is_enabled()

    def get_application_id(self, recording: StreamT | None = None) -> str | None:
        """The application id of the recording, if there is one."""
        stream = self.choose(recording)
        return None if stream is None else stream.get_application_id()

    def get_recording_id(self, recording: StreamT | None = None) -> str | None:
        """The recording id of the recording, if there is one."""
        stream = self.choose(recording)
        return None if stream is None else stream.get_recording_id()

    def set_log_tick_enabled(self, enabled: bool, recording: StreamT | None = None) -> None:
        """Whether rows get the counter ``log_tick``."""
        stream = self.choose(recording)
        if stream is not None:
            stream.set_log_tick_enabled(enabled)

    def set_log_time_enabled(self, enabled: bool, recording: StreamT | None = None) -> None:
        """Whether rows get the wall clock ``log_time``."""
        stream = self.choose(recording)
        if stream is not None:
            stream.set_log_time_enabled(enabled)
