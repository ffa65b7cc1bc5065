"""What observers and limits cost, in microseconds of processor time: ``python -m benchmarks.observers``.

Each is measured with the same program without it, in turns; the figures are medians of the differences.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import statistics
import time
from typing import TYPE_CHECKING, Any

import aiorerun.sync as rr
from aiorerun.integrations.asyncio_monitor import AsyncioMonitor
from aiorerun.integrations.logging import RerunHandler
from aiorerun.integrations.opentelemetry import RerunSpanProcessor
from aiorerun.integrations.structlog import RerunProcessor
from aiorerun.integrations.system import SystemMonitor

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = 20_000
ROUNDS = 7


class NoHandler(logging.Handler):
    """A handler that does nothing, so that only the difference is measured."""

    def emit(self, record: logging.LogRecord) -> None:
        """Nothing."""


def recording() -> rr.RecordingStream:
    rec = rr.RecordingStream("benchmark", send_properties=False)
    rec.memory_recording()
    return rec


def per_call(rec: rr.RecordingStream | None, call: Callable[[int], Any]) -> float:
    """Microseconds of processor time per call, encoding included."""
    gc.collect()
    start = time.process_time()
    for number in range(CALLS):
        call(number)
    if rec is not None:
        rec.flush()
    return (time.process_time() - start) / CALLS * 1e6


def compare(name: str, without: Callable[[int], Any], make: Callable[[Any], Callable[[int], Any]]) -> None:
    differences: list[float] = []
    for _ in range(ROUNDS):
        before = per_call(None, without)
        rec = recording()
        differences.append(per_call(rec, make(rec)) - before)
        rec.memory_recording()
        rec.disconnect()
    print(f"{name:<44} {statistics.median(differences):8.2f} µs")


def logger_with(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger("shop.cart", logging.DEBUG)  # noqa: LOG001
    logger.addHandler(handler)
    return logger


def measure_logging() -> None:
    plain = logger_with(NoHandler())

    def make(rec: Any) -> Callable[[int], Any]:
        logger = logger_with(RerunHandler(recording=rec))
        return lambda number: logger.info("request %d", number)

    compare("logging, a message", lambda number: plain.info("request %d", number), make)

    def make_extra(rec: Any) -> Callable[[int], Any]:
        logger = logger_with(RerunHandler(recording=rec))
        return lambda number: logger.info("request %d", number, extra={"user": "ada", "tries": number})

    compare(
        "logging, with two extra fields",
        lambda number: plain.info("request %d", number, extra={"user": "ada", "tries": number}),
        make_extra,
    )


def measure_structlog() -> None:
    import structlog

    def logger_of(*processors: Any) -> Any:
        return structlog.wrap_logger(structlog.ReturnLogger(), processors=processors)

    def render(logger: Any, name: str, event: Any) -> str:
        return str(event["event"])

    plain = logger_of(render)

    def make(rec: Any) -> Callable[[int], Any]:
        logger = logger_of(RerunProcessor(recording=rec), render)
        return lambda number: logger.info("request", user="ada", tries=number)

    compare("structlog, with two fields", lambda n: plain.info("request", user="ada", tries=n), make)


def measure_spans() -> None:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

    provider = TracerProvider()
    provider.add_span_processor(SpanProcessor())
    plain = provider.get_tracer("benchmark")

    def run(tracer: Any, number: int) -> None:
        with tracer.start_as_current_span("request", attributes={"tries": number}):
            pass

    def make(rec: Any) -> Callable[[int], Any]:
        provider = TracerProvider()
        provider.add_span_processor(RerunSpanProcessor(recording=rec))
        tracer = provider.get_tracer("benchmark")
        return lambda number: run(tracer, number)

    compare("OpenTelemetry, a span", lambda number: run(plain, number), make)


def measure_limits() -> None:
    rows = [rr.Scalars(number) for number in range(64)]

    def limited(*patterns: str, same: bool = False, **options: Any) -> Callable[[Any], Callable[[int], Any]]:
        def make(rec: Any) -> Callable[[int], Any]:
            for pattern in patterns:
                rec.limit(pattern, **options)
            log = rec.log_nowait
            return (lambda _: log("a", rows[0])) if same else (lambda number: log("a", rows[number & 63]))

        return make

    def nothing(number: int) -> None: ...

    compare("log_nowait", nothing, limited())
    compare("log_nowait, others are limited", nothing, limited("b/**", hz=10))
    compare("log_nowait, over its rate", nothing, limited("a/**", hz=10, latest_wins=False))
    compare("log_nowait, over its rate, latest wins", nothing, limited("a/**", hz=10))
    compare("log_nowait, within its rate", nothing, limited("a/**", hz=1e6))
    compare("log_nowait, unchanged", nothing, limited("a/**", on_change=True, same=True))
    compare("log_nowait, changed", nothing, limited("a/**", on_change=True))


def measure_monitors(seconds: float = 4.0) -> None:
    """The share of a core that monitors take of a program that does nothing else."""

    async def run(make: Callable[[Any], Any]) -> float:
        rec = recording()
        async with make(rec):
            start = time.process_time()
            await asyncio.sleep(seconds)
            used = time.process_time() - start
        await asyncio.to_thread(rec.disconnect)
        return used / seconds * 100

    for name, make in (("AsyncioMonitor", AsyncioMonitor), ("SystemMonitor", SystemMonitor)):
        print(f"{name + ', of one core':<44} {asyncio.run(run(make)):8.2f} %")


if __name__ == "__main__":
    measure_limits()
    measure_logging()
    measure_structlog()
    measure_spans()
    measure_monitors()
