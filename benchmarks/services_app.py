"""The service that ``benchmarks.services`` measures: the FastAPI example, with a sink of the wanted kind.

The environment says which: ``BENCHMARK_SINK`` is ``bare`` for no telemetry at all, ``file``, or a sink
in trouble; ``BENCHMARK_FOLDER`` is where files go, with the final counters among them.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiorerun as rr
from aiorerun.integrations.asgi import request_stats
from examples.services.fastapi_service import make_app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.integrations.asgi import AsgiApp
    from aiorerun.integrations.asgi_exchanges import Message as Event, Receive, Scope, Send


class SlowSink:
    """Takes a second for whatever it is given."""

    async def open(self, context: rr.SinkContext) -> None:
        """Nothing to do."""

    async def write(self, messages: Sequence[Message]) -> None:
        """Takes its time."""
        await asyncio.sleep(1)

    async def flush(self) -> None:
        """Nothing to do."""

    async def aclose(self) -> None:
        """Nothing to do."""


def options(kind: str, folder: Path) -> dict[str, Any]:
    """What the middleware is told."""
    if kind == "file":
        return {"save": folder / "service-{pid}.rrd"}
    if kind == "slow":
        return {"sinks": [SlowSink()]}
    # Dead: nobody listens there. Frozen: somebody does, and never answers.
    return {"connect_grpc": f"rerun+http://127.0.0.1:{os.environ['BENCHMARK_PORT']}/proxy"}


class Reporting:
    """Writes down what became of the requests and rows when the service ends."""

    def __init__(self, app: AsgiApp, folder: Path) -> None:
        self._app = app
        self._folder = folder
        self._recording: rr.AsyncRecordingStream | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the application."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def observe(message: Event) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._recording = rr.get_global_data_recording()
            elif message["type"] == "lifespan.shutdown.complete":
                self._report()
            await send(message)

        await self._app(scope, receive, observe)

    def _report(self) -> None:
        stats = None if self._recording is None else asdict(self._recording.stats())
        report = {
            "requests": asdict(request_stats()),
            "recording": stats,
            "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        }
        (self._folder / f"report-{os.getpid()}.json").write_text(json.dumps(report))


def make() -> Reporting:
    """The application, for ``uvicorn --factory``."""
    kind, folder = os.environ["BENCHMARK_SINK"], Path(os.environ["BENCHMARK_FOLDER"])
    return Reporting(make_app() if kind == "bare" else make_app(**options(kind, folder)), folder)
