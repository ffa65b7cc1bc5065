"""A processor of structlog that records events."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, Any, Final

from aiorerun.archetypes import TextLog
from aiorerun.integrations.fields import MAX_MESSAGE, active_recording, clipped, encodable, fields
from aiorerun.integrations.logging import ARCHETYPE, EXTRA, current_trace
from aiorerun.integrations.redaction import DEFAULT
from aiorerun.logging_handler import emitting
from aiorerun.types.entity_path import new_entity_path

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from aiorerun.integrations.redaction import Redactor
    from aiorerun.stream_base import BaseRecordingStream

__all__ = ["RerunProcessor"]

_LEVELS: Final = {
    "critical": "CRITICAL", "fatal": "CRITICAL", "exception": "ERROR", "error": "ERROR", "warning": "WARN",
    "warn": "WARN", "info": "INFO", "debug": "DEBUG", "notset": "TRACE",
}  # fmt: skip
_OWN: Final = frozenset(
    {"event", "level", "logger", "timestamp", "exc_info", "exception", "stack", "stack_info"}
)


class RerunProcessor:
    """Records each event as a row of ``TextLog``, its key-value pairs as components ``extra:…``.

    Put it before the renderer; the event goes on as it is. The entity is the prefix and the event's
    ``logger``, if it has one. What looks like a secret is hidden in the recording, not in the event. It never
    waits, and never fails the program: what goes wrong is told once to the logger ``aiorerun``.

    Args:
        path_prefix: What entity paths begin with.
        recording: Where to; by default to what is active where it is logged, of either API.
        redactor: What hides secrets.
        last: Whether the event ends here, so that no renderer is needed.

    Raises:
        ImportError: With ``last``, structlog is not installed.
    """

    def __init__(
        self,
        path_prefix: str = "logs",
        *,
        recording: BaseRecordingStream | None = None,
        redactor: Redactor = DEFAULT,
        last: bool = False,
    ) -> None:
        self.path_prefix = path_prefix
        self.recording = recording
        self._redactor = redactor
        self._drop: type[BaseException] | None = _drop_event() if last else None
        self._failed = False

    def __call__(
        self, logger: Any, method_name: str, event_dict: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Records an event, in structlog's chain of processors."""
        if not emitting.get():
            token = emitting.set(True)
            try:
                self._log(method_name, event_dict)
            except Exception as error:
                self._tell(error)
            finally:
                emitting.reset(token)
        if self._drop is not None:
            raise self._drop
        return event_dict

    def _log(self, method_name: str, event: MutableMapping[str, Any]) -> None:
        recording = self.recording if self.recording is not None else active_recording()
        if recording is None:
            return
        level = str(event.get("level") or method_name)
        error = _exception(event.get("exc_info"))
        texts = [str(event.get("event", ""))]
        if error is not None:
            texts += ["".join(traceback.format_exception(error)).rstrip()]
        texts += [str(event[name]) for name in ("exception", "stack") if event.get(name)]
        text = self._redactor.text(clipped("\n".join(texts), MAX_MESSAGE))
        row = TextLog(text, level=_LEVELS.get(level.lower(), level.upper()))
        about = fields(ARCHETYPE, self._about(error), self._redactor)
        extra = fields(EXTRA, [each for each in event.items() if each[0] not in _OWN], self._redactor)
        recording.log_nowait(
            self._path(event.get("logger")), row, *[part for part in (about, extra) if part is not None]
        )

    @staticmethod
    def _about(error: BaseException | None) -> Iterator[tuple[str, Any]]:
        if error is not None:
            yield "exception_type", type(error).__qualname__
        yield from current_trace()

    def _path(self, name: object) -> str:
        return (
            self.path_prefix + new_entity_path(encodable(name).split("."))
            if isinstance(name, str)
            else self.path_prefix
        )

    def _tell(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            from aiorerun.stream_base import logger

            logger.error("RerunProcessor: events are not recorded: %s: %s", type(error).__name__, error)


def _exception(given: Any) -> BaseException | None:
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple) and len(given) == 3:
        found = given[1]
        return found if isinstance(found, BaseException) else None
    return sys.exc_info()[1] if given else None


def _drop_event() -> type[BaseException]:
    try:
        from structlog import DropEvent
    except ImportError as error:
        raise ImportError("structlog is needed for this: pip install 'aiorerun[structlog]'") from error
    return DropEvent
