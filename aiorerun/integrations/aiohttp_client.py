"""Telemetry of the requests that aiohttp's client makes."""

from __future__ import annotations

import asyncio
from math import nan
from time import perf_counter_ns
from typing import TYPE_CHECKING

from aiorerun.integrations.complaints import Complaints
from aiorerun.integrations.requests.redaction import RequestRedactor
from aiorerun.integrations.requests.routes import Routes
from aiorerun.integrations.requests.rows import HTTP_FORM, PackedRow, pack_http
from aiorerun.integrations.service import shared_recording

try:
    from aiohttp import TraceConfig
except ImportError as error:
    raise ImportError("aiohttp is not installed: pip install 'aiorerun[aiohttp]'", name="aiohttp") from error

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import SimpleNamespace

    from aiohttp import (
        ClientSession,
        TraceRequestChunkSentParams,
        TraceRequestEndParams,
        TraceRequestExceptionParams,
        TraceRequestStartParams,
    )
    from yarl import URL

    from aiorerun.stream import AsyncRecordingStream


def trace_config(
    *,
    recording: AsyncRecordingStream | None = None,
    entity_path: str = "http/client",
    route: Callable[[str, URL], str] | None = None,
    redact: tuple[str, ...] = (),
    max_routes: int = 256,
) -> TraceConfig:
    """Records the requests that a ``ClientSession`` makes: ``ClientSession(trace_configs=[trace_config()])``.

    For each there is a row at ``http/client/requests/<host>/<method>`` when the response has begun, or failed
    to come, with the components that requests to a service have; it carries the times of the task, so a
    request that is made while another is handled has the number of that one. Errors are told at
    ``http/client/log``. Neither paths nor query strings nor headers are recorded.

    The bytes received are those that the response promises, 0 if it does not say. Errors of what records do
    not affect requests; the first one is logged.

    Args:
        recording: Where to; by default into the recording of the service, or the active one.
        entity_path: Below which everything is recorded.
        route: Names what a request is grouped by, given its method and URL; by default the host.
        redact: More names of parameters whose values are masked in the texts of errors.
        max_routes: So many names have entities of their own.
    """
    root = tuple([part for part in entity_path.split("/") if part])
    client = _Client(
        recording, Routes(root, max_routes), "/".join([*root, "log"]), route, RequestRedactor(redact)
    )
    config = TraceConfig()
    config.on_request_start.append(client.on_start)
    config.on_request_chunk_sent.append(client.on_chunk_sent)
    config.on_request_end.append(client.on_end)
    config.on_request_exception.append(client.on_exception)
    return config


class _Client:
    """Records what a client session does."""

    def __init__(
        self,
        recording: AsyncRecordingStream | None,
        routes: Routes,
        log_path: str,
        name: Callable[[str, URL], str] | None,
        redactor: RequestRedactor,
    ) -> None:
        self._recording = recording
        self._routes = routes
        self._log_path = log_path
        self._name = name
        self._redactor = redactor
        self._complain = Complaints("a client request could not be recorded; it is not affected itself")

    async def on_start(
        self, session: ClientSession, context: SimpleNamespace, params: TraceRequestStartParams
    ) -> None:
        context.aiorerun = [perf_counter_ns(), 0]

    async def on_chunk_sent(
        self, session: ClientSession, context: SimpleNamespace, params: TraceRequestChunkSentParams
    ) -> None:
        context.aiorerun[1] += len(params.chunk)

    async def on_end(
        self, session: ClientSession, context: SimpleNamespace, params: TraceRequestEndParams
    ) -> None:
        try:
            received = params.response.content_length or 0
            self._record(context, params.method, params.url, params.response.status, received)
        except Exception as own:
            self._complain(own)

    async def on_exception(
        self, session: ClientSession, context: SimpleNamespace, params: TraceRequestExceptionParams
    ) -> None:
        try:
            recording = self._record(context, params.method, params.url, 0, 0, failed=True)
            if recording is not None and not isinstance(params.exception, asyncio.CancelledError):
                self._tell(recording, params)
        except Exception as own:
            self._complain(own)

    def _tell(self, recording: AsyncRecordingStream, params: TraceRequestExceptionParams) -> None:
        from aiorerun.archetypes import TextLog

        error = params.exception
        secrets = self._redactor.secrets_of(params.headers.items(), params.url.query_string)
        text = self._redactor.text(f"{type(error).__name__}: {error}", secrets)
        recording.log_nowait(
            self._log_path, TextLog(f"{params.method} {params.url.host} {text}", level="WARN")
        )

    def _record(
        self,
        context: SimpleNamespace,
        method: str,
        url: URL,
        status: int,
        received: int,
        *,
        failed: bool = False,
    ) -> AsyncRecordingStream | None:
        began, sent = context.aiorerun
        recording = self._recording if self._recording is not None else shared_recording()
        if recording is None:
            return None
        milliseconds = (perf_counter_ns() - began) * 1e-6
        first = nan if failed else milliseconds
        fixed = pack_http(milliseconds, first, status, received, sent, False, failed)
        name = url.host or "" if self._name is None else self._name(method, url)
        path = self._routes.get(method, name).requests_path
        recording.log_nowait(path, PackedRow(HTTP_FORM, fixed))
        return recording
