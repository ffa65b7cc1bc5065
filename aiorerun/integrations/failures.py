"""Tells of requests that failed, with tracebacks, without reading a file on the event loop."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any, Final

from aiorerun.integrations.exchange import log_row
from aiorerun.integrations.requests.tracebacks import (
    MAX_CHARACTERS,
    MAX_SUMMARY,
    Traceback,
    read_lines,
    shortened,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiorerun.integrations.exchange import Exchange
    from aiorerun.integrations.requests.settings import RequestSettings
    from aiorerun.stream import AsyncRecordingStream
    from aiorerun.types.timepoint import Timepoint

_MAX_READING: Final = 32
"""Tracebacks whose source lines are being read; more are recorded without."""


class Failures:
    """Logs what went wrong, in the scope of the request, and without what the request has sent as a secret.

    Args:
        settings: What is recorded.
        complain: Gets errors of our own.
    """

    def __init__(self, settings: RequestSettings, complain: Callable[[Exception], None]) -> None:
        self._settings = settings
        self._complain = complain
        self._reading: set[asyncio.Future[Any]] = set()

    def tell(self, exchange: Exchange, name: str, error: BaseException | None) -> None:
        """Tells of one request.

        Args:
            exchange: The request.
            name: Its route.
            error: The exception, if it was one.
        """
        title = f"{name}: {exchange.status}"
        if error is None:
            self._log(exchange.recording, exchange.times, title)
        elif self._settings.wants_tracebacks:
            self._tell_traceback(exchange, title, Traceback(error))
        else:
            self._log(exchange.recording, exchange.times, f"{title} {type(error).__name__}")

    async def settle(self) -> None:
        """Returns when all that happened was told."""
        if self._reading:
            await asyncio.wait(list(self._reading), timeout=1.0)

    def forget_reading(self) -> None:
        """Does not wait for what another event loop, or another process, was reading."""
        self._reading.clear()

    def _log(self, recording: AsyncRecordingStream, times: Timepoint, text: str) -> None:
        from aiorerun.archetypes import TextLog

        log_row(recording, times, self._settings.log_path, TextLog(text, level="ERROR"))

    def _tell_traceback(self, exchange: Exchange, title: str, trace: Traceback) -> None:
        recording, times, secrets = exchange.recording, exchange.times, exchange.secrets()
        redact = self._settings.redactor.text

        def write() -> None:
            summary = redact(trace.summary, secrets)[:MAX_SUMMARY]
            text = shortened(redact(trace.text(), secrets), MAX_CHARACTERS)
            self._log(recording, times, f"{title} {summary}\n{text}")

        unread = trace.unread
        if not unread or len(self._reading) >= _MAX_READING:
            write()
            return
        # Reading source files would hold up the event loop.
        reading = asyncio.get_running_loop().run_in_executor(None, read_lines, unread)
        self._reading.add(reading)

        def written(future: asyncio.Future[Any]) -> None:
            self._reading.discard(future)
            try:
                write()
            except Exception as own:
                self._complain(own)

        reading.add_done_callback(written, context=contextvars.Context())
