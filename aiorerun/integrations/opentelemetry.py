"""A span processor of OpenTelemetry that records spans."""

from __future__ import annotations

import logging
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from aiorerun.archetypes import StateChange, TextLog
from aiorerun.integrations.fields import MAX_MESSAGE, active_recording, clipped, fields
from aiorerun.integrations.redaction import DEFAULT
from aiorerun.logging_handler import emitting
from aiorerun.time_setting import set_checked_time
from aiorerun.types.any_values import DynamicArchetype
from aiorerun.types.entity_path import new_entity_path
from aiorerun.types.timeline import TimelineKind

try:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import SpanKind, StatusCode
except ImportError as error:
    raise ImportError(
        "opentelemetry-sdk is needed for this: pip install 'aiorerun[opentelemetry]'"
    ) from error

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from aiorerun.integrations.redaction import Redactor
    from aiorerun.stream_base import BaseRecordingStream

__all__ = ["RerunSpanProcessor"]

ARCHETYPE: Final = "Span"
"""What the components of a span begin with: ids, duration, kind, status."""
ATTRIBUTES: Final = "attributes"
"""What the components of its attributes begin with."""

MAX_OPEN: Final = 10_000
"""So many spans have lanes at a time; others only get their text."""

_MAX_EVENTS: Final = 128
_MAX_NAMES: Final = 4096

# The names of an enumeration are looked up slowly.
_KINDS: Final = {kind: kind.name for kind in SpanKind}
_STATUS: Final = {status: status.name for status in StatusCode}

_NO_STATE: Final = StateChange.from_fields(clear_unset=True)

logger = logging.getLogger("aiorerun")


class RerunSpanProcessor(SpanProcessor):
    """Records spans: a lane of states while they run, and a line of text when they end.

    Below the prefix, ``<name>/lane_0`` has the state of the first span of that name: the name while it runs,
    nothing when it has ended. Spans of one name that run at the same time have more lanes. ``<name>`` itself
    has a ``TextLog`` per span when it ends, ``ERROR`` if it failed, with the components ``Span:…`` (trace_id,
    span_id, parent_id, duration_ms, kind, status) and ``attributes:…``; its events are lines too.

    All rows have the times of the span on ``timeline``. It never waits. What looks like a secret is hidden.
    Spans that are not sampled are left out. It never fails the program: what goes wrong is told once to the
    logger ``aiorerun``.

    Args:
        path_prefix: What entity paths begin with.
        recording: Where to; by default to what is active where spans begin and end, of either API.
        timeline: The timeline of the times of spans.
        redactor: What hides secrets.
    """

    def __init__(
        self,
        path_prefix: str = "spans",
        *,
        recording: BaseRecordingStream | None = None,
        timeline: str = "span_time",
        redactor: Redactor = DEFAULT,
    ) -> None:
        self.path_prefix = path_prefix
        self.recording = recording
        self.timeline = timeline
        self._redactor = redactor
        self._lanes = _Lanes()
        self._names: dict[str, tuple[str, str]] = {}
        self._failed = False

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Puts a span on a lane; the tracer calls it."""
        self._guarded(self._start, span)

    def on_end(self, span: ReadableSpan) -> None:
        """Records that a span has ended; the tracer calls it."""
        context = span.get_span_context()
        # Also where nothing is recorded, as no recording is active: the next span of that name needs it.
        lane = None if context is None else self._lanes.give_back(context.span_id)
        self._guarded(partial(self._end, lane), span)

    def shutdown(self) -> None:
        """Forgets the spans that still run."""
        self._lanes = _Lanes()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing waits here; what is recorded is flushed by the recording."""
        return True

    def _guarded(self, record: Any, span: ReadableSpan) -> None:
        context = span.get_span_context()
        if context is None or not context.trace_flags.sampled or emitting.get():
            return
        token = emitting.set(True)
        try:
            recording = self.recording if self.recording is not None else active_recording()
            if recording is not None:
                record(recording, span, context)
        except Exception as error:
            if not self._failed:
                self._failed = True
                logger.error(  # noqa: TRY400 - one line, not a traceback per process
                    "RerunSpanProcessor: spans are not recorded: %s: %s", type(error).__name__, error
                )
        finally:
            emitting.reset(token)

    def _start(self, recording: BaseRecordingStream, span: ReadableSpan, context: Any) -> None:
        name, path = self._named(span.name)
        lane = self._lanes.take(path, context.span_id)
        if lane is not None:
            state = StateChange(state=name)
            self._log(recording, span.start_time, ((f"{path}/lane_{lane}", state),))

    def _end(
        self, found: tuple[str, int] | None, recording: BaseRecordingStream, span: ReadableSpan, context: Any
    ) -> None:
        name, path = self._named(span.name)
        ids = _ids(span, context)
        if span.events:
            self._log_events(recording, span, path, DynamicArchetype(ARCHETYPE, components=ids))
        failed = span.status.status_code is StatusCode.ERROR
        duration = ((span.end_time or 0) - (span.start_time or 0)) / 1e6
        text = f"{name}: {duration:.3f} ms"
        if span.status.description:
            text += f": {self._redactor.text(clipped(span.status.description))}"
        row = TextLog(clipped(text, MAX_MESSAGE), level="ERROR" if failed else "INFO")
        ids |= {
            "duration_ms": duration,
            "kind": _KINDS.get(span.kind, ""),
            "status": _STATUS.get(span.status.status_code, ""),
        }
        if span.instrumentation_scope is not None:
            ids["scope"] = span.instrumentation_scope.name
        rows: list[tuple[Any, ...]] = [
            (path, row, DynamicArchetype(ARCHETYPE, components=ids), *self._attributes(span.attributes))
        ]
        if found is not None:
            rows.append((f"{found[0]}/lane_{found[1]}", _NO_STATE))
        self._log(recording, span.end_time, rows)

    def _log_events(
        self, recording: BaseRecordingStream, span: ReadableSpan, path: str, ids: DynamicArchetype
    ) -> None:
        for event in span.events[:_MAX_EVENTS]:
            level = "ERROR" if event.name == "exception" else "DEBUG"
            text = self._redactor.text(clipped(f"{span.name}: {event.name}"))
            row = TextLog(text, level=level)
            self._log(recording, event.timestamp, ((path, row, ids, *self._attributes(event.attributes)),))

    def _attributes(self, attributes: Mapping[str, Any] | None) -> tuple[DynamicArchetype, ...]:
        found = fields(ATTRIBUTES, attributes.items(), self._redactor) if attributes else None
        return () if found is None else (found,)

    def _log(
        self, recording: BaseRecordingStream, nanos: int | None, rows: Iterable[tuple[Any, ...]]
    ) -> None:
        """Logs at a time of the span; what the program has set is as before afterwards."""
        times = recording._times
        former = times.get()
        if nanos is not None:
            set_checked_time(times, self.timeline, TimelineKind.TIMESTAMP, nanos)
        try:
            for path, *parts in rows:
                recording.log_nowait(path, *parts)
        finally:
            times.set(former)

    def _named(self, given: str) -> tuple[str, str]:
        """What a span is called, and its path."""
        found = self._names.get(given)
        if found is None:
            name = self._redactor.text(clipped(given))
            found = (name, self.path_prefix + new_entity_path([name]))
            if len(self._names) >= _MAX_NAMES:
                self._names.clear()
            self._names[given] = found
        return found


class _Lanes:
    """Which lanes of a name are taken; the lowest free one is next."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: dict[int, tuple[str, int]] = {}
        self._taken: dict[str, set[int]] = {}

    def take(self, name: str, key: int) -> int | None:
        """A lane for a span; ``None`` if too many are open."""
        with self._lock:
            if len(self._open) >= MAX_OPEN:
                return None
            taken = self._taken.setdefault(name, set())
            lane = 0
            while lane in taken:
                lane += 1
            taken.add(lane)
            self._open[key] = (name, lane)
            return lane

    def give_back(self, key: int) -> tuple[str, int] | None:
        """The name and lane of a span that has ended."""
        with self._lock:
            found = self._open.pop(key, None)
            if found is not None:
                taken = self._taken[found[0]]
                taken.discard(found[1])
                if not taken:
                    del self._taken[found[0]]
            return found


def _ids(span: ReadableSpan, context: Any) -> dict[str, Any]:
    ids = {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
    if span.parent is not None:
        ids["parent_id"] = f"{span.parent.span_id:016x}"
    return ids
