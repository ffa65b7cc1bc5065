"""The handler that brings Python's own logging into a recording."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from aiorerun.face import Face

_OWN: Final = "aiorerun"
LEVELS: Final = {
    logging.CRITICAL: "CRITICAL",
    logging.ERROR: "ERROR",
    logging.WARNING: "WARN",
    logging.INFO: "INFO",
    logging.DEBUG: "DEBUG",
}
"""Rerun's names of Python's levels."""
emitting: ContextVar[bool] = ContextVar("aiorerun_emitting", default=False)
"""Whether a record is being logged here and now: what is logged meanwhile would lead to ever more."""


class BaseLoggingHandler(logging.Handler):
    """See :class:`aiorerun.LoggingHandler`."""

    _face: ClassVar[Face[Any]]

    def __init__(self, path_prefix: str | None = None) -> None:
        super().__init__()
        self.path_prefix = path_prefix

    def emit(self, record: logging.LogRecord) -> None:
        """Logs one record. It never waits: over the byte limit the row is refused and counted.

        Records of aiorerun itself, and those made while another record is being logged, are left out:
        they would lead to ever more of them. Errors go to ``handleError``, as with all handlers.
        """
        if record.name.partition(".")[0] == _OWN or emitting.get():
            return
        token = emitting.set(True)
        try:
            self._log(record)
        except Exception:
            self.handleError(record)
        finally:
            emitting.reset(token)

    def _log(self, record: logging.LogRecord) -> None:
        from aiorerun.archetypes import TextLog

        path = record.module.replace(".", "/")
        if self.path_prefix is not None:
            path = f"{self.path_prefix}/{path}"
        level = LEVELS.get(record.levelno, record.levelname)
        self._face.log_nowait(path, TextLog(record.getMessage(), level=level))
