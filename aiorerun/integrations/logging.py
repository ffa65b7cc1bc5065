"""A handler of Python's ``logging`` that keeps what records carry beside their text.

The handler of the package itself, :class:`aiorerun.LoggingHandler`, records text and level alone.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Final

from aiorerun.archetypes import TextLog
from aiorerun.integrations.fields import MAX_MESSAGE, active_recording, clipped, encodable, fields
from aiorerun.integrations.redaction import DEFAULT
from aiorerun.logging_handler import LEVELS, BaseLoggingHandler
from aiorerun.types.entity_path import new_entity_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from aiorerun.integrations.redaction import Redactor
    from aiorerun.stream_base import BaseRecordingStream
    from aiorerun.types.any_values import DynamicArchetype

__all__ = ["RerunHandler"]

ARCHETYPE: Final = "LogRecord"
"""What the components of a record begin with."""
EXTRA: Final = "extra"
"""What the components of extra fields begin with."""

_STANDARD: Final = frozenset(
    {*vars(logging.LogRecord("", 0, "", 0, "", (), None)), "message", "asctime", "taskName"}
)
_MAX_LOGGERS: Final = 4096
_MAX_PLACES: Final = 1024


class RerunHandler(BaseLoggingHandler):
    """Records log records as rows of ``TextLog``, with where they come from and their extra fields.

    The entity is the name of the logger, a level per dot, below the prefix: ``logs/shop/cart``. The text is
    the message with the traceback, or what a formatter makes of it. Beside it are the components
    ``LogRecord:…`` (source, function, thread, task, exception_type, trace_id, span_id) and ``extra:…``.

    It never waits: over the byte limit of the recording rows are refused and counted. Records of aiorerun
    itself, and those made while one is being recorded, are left out. What looks like a secret is hidden.

    Args:
        path_prefix: What entity paths begin with; ``None`` for nothing.
        recording: Where to; by default to what is active where it is logged, of either API.
        extra_fields: Which extra fields are recorded: all, none, or those with these names.
        redactor: What hides secrets.
        level: Records below it are left out.
    """

    def __init__(
        self,
        path_prefix: str | None = "logs",
        *,
        recording: BaseRecordingStream | None = None,
        extra_fields: bool | Collection[str] = True,
        redactor: Redactor = DEFAULT,
        level: int | str = logging.NOTSET,
    ) -> None:
        super().__init__(path_prefix)
        self.setLevel(level)
        self.recording = recording
        self._extra = extra_fields
        self._redactor = redactor
        self._paths: dict[str, str] = {}
        self._places: dict[Any, DynamicArchetype] = {}

    def _log(self, record: logging.LogRecord) -> None:
        recording = self.recording if self.recording is not None else active_recording()
        if recording is None:
            return
        plain = (
            self.formatter is None and not record.exc_info and not record.exc_text and not record.stack_info
        )
        text = clipped(record.getMessage() if plain else self.format(record), MAX_MESSAGE)
        row = TextLog(
            self._redactor.text(text), level=LEVELS.get(record.levelno) or encodable(record.levelname)
        )
        parts = [self._about(record)]
        if "opentelemetry.trace" in sys.modules:
            trace = fields(ARCHETYPE, current_trace())
            if trace is not None:
                parts.append(trace)
        if self._extra is not False and len(record.__dict__) > len(_STANDARD) - 3:
            extra = fields(EXTRA, self._extra_of(record), self._redactor)
            if extra is not None:
                parts.append(extra)
        recording.log_nowait(self._path_of(record.name), row, *parts)

    def _path_of(self, name: str) -> str:
        path = self._paths.get(name)
        if path is None:
            below = new_entity_path(encodable(name).split("."))
            path = below if not self.path_prefix else f"{self.path_prefix}{below}"
            if len(self._paths) >= _MAX_LOGGERS:
                self._paths.clear()
            self._paths[name] = path
        return path

    def _about(self, record: logging.LogRecord) -> DynamicArchetype:
        """Where a record comes from; the same for all that come from there."""
        thread = None if record.threadName == "MainThread" else record.threadName
        failure = record.exc_info[0] if record.exc_info else None
        place = (
            record.filename,
            record.lineno,
            record.funcName,
            thread,
            getattr(record, "taskName", None),
            failure,
        )
        found = self._places.get(place)
        if found is None:
            values = (
                ("source", f"{record.filename}:{record.lineno}"),
                ("function", record.funcName),
                ("thread", thread),
                ("task", place[4]),
                ("exception_type", None if failure is None else failure.__qualname__),
            )
            found = fields(ARCHETYPE, values, self._redactor)
            assert found is not None
            if len(self._places) >= _MAX_PLACES:
                self._places.clear()
            self._places[place] = found
        return found

    def _extra_of(self, record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
        wanted = self._extra
        for name, value in record.__dict__.items():
            if name not in _STANDARD and (wanted is True or (wanted and name in wanted)):
                yield name, value


def current_trace() -> Iterator[tuple[str, str]]:
    """Trace and span id of OpenTelemetry's current span, if that is in use."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is not None:
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            yield "trace_id", format(context.trace_id, "032x")
            yield "span_id", format(context.span_id, "016x")
