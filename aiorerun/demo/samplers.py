"""The tasks of the demo: each records one subject, at its own pace, on timelines of its own.

They run at once in one event loop. Times set in one task hold in that task alone, so every sampler has a
``<subject>_sample`` timeline that no row of another one carries.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import Any

import psutil

import aiorerun as rr
from aiorerun.demo.history import History
from aiorerun.demo.machine import CpuMeter, ProcessMeter, RateMeter, as_table

logger = logging.getLogger("demo")

_LAG_WORTH_A_WARNING = 0.05
_LEVELS = {
    logging.CRITICAL: "CRITICAL",
    logging.ERROR: "ERROR",
    logging.WARNING: "WARN",
    logging.INFO: "INFO",
    logging.DEBUG: "DEBUG",
}


class Samplers:
    """Records the machine and this program into one recording.

    Args:
        rec: Where the rows go.
    """

    def __init__(self, rec: rr.AsyncRecordingStream) -> None:
        self._rec = rec
        self._loads: list[float] = []
        self._memory_percent = 0.0
        self._start = asyncio.get_running_loop().time()

    async def run(self, stop: asyncio.Event, seconds: float | None) -> None:
        """Records until ``stop`` is set or the time is over."""
        subjects = (
            self.cpu,
            self.memory,
            self.disk,
            self.network,
            self.load,
            self.processes,
            self.loop_lag,
            self.own_stats,
            self.history,
        )
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._guard(sampler), name=sampler.__name__) for sampler in subjects]
            try:
                async with asyncio.timeout(seconds):
                    await stop.wait()
            except TimeoutError:
                pass
            for task in tasks:
                task.cancel()

    async def cpu(self) -> None:
        """Load of every core."""
        meter = await asyncio.to_thread(CpuMeter)
        named: set[int] = set()
        async for _ in self._every(0.2, "cpu"):
            self._loads = await asyncio.to_thread(meter.read)
            for core, load in enumerate(self._loads):
                if core not in named:
                    named.add(core)
                    style = rr.SeriesLines(names=f"core {core}")
                    await self._rec.log(f"cpu/core_{core}", style, static=True)
                await self._rec.log(f"cpu/core_{core}", rr.Scalars(load))

    async def memory(self) -> None:
        """Memory and swap in use."""
        async for _ in self._every(0.2, "memory"):
            memory = await asyncio.to_thread(psutil.virtual_memory)
            swap = await asyncio.to_thread(psutil.swap_memory)
            self._memory_percent = float(memory.percent)
            await self._rec.log("memory/used_mib", rr.Scalars((memory.total - memory.available) / 2**20))
            await self._rec.log("memory/swap_mib", rr.Scalars(swap.used / 2**20))

    async def disk(self) -> None:
        """Bytes read from and written to disks per second."""
        await self._rates("disk", psutil.disk_io_counters, ("read_bytes", "write_bytes"))

    async def network(self) -> None:
        """Bytes received and sent per second."""
        await self._rates("network", psutil.net_io_counters, ("bytes_recv", "bytes_sent"))

    async def load(self) -> None:
        """How many processes want to run, averaged over 1, 5 and 15 minutes."""
        async for _ in self._every(1.0, "load"):
            averages = await asyncio.to_thread(psutil.getloadavg)
            for minutes, average in zip((1, 5, 15), averages, strict=True):
                await self._rec.log(f"load/{minutes}_min", rr.Scalars(average))

    async def processes(self) -> None:
        """The busiest processes as a table."""
        meter = await asyncio.to_thread(ProcessMeter)
        busiest = None
        async for _ in self._every(1.0, "processes"):
            table = await asyncio.to_thread(meter.read, 12)
            document = rr.TextDocument(as_table(table), media_type="text/markdown")
            await self._rec.log("processes", document)
            if table and table[0].pid != busiest:
                busiest = table[0].pid
                logger.info("busiest process: %s (pid %d)", table[0].name, busiest)

    async def loop_lag(self) -> None:
        """How much later than asked for the event loop wakes a task up."""
        loop = asyncio.get_running_loop()
        period = 0.01
        async for _ in self._every(0.02, "loop_lag"):
            before = loop.time()
            await asyncio.sleep(period)
            lag = loop.time() - before - period
            await self._rec.log("program/loop_lag_ms", rr.Scalars(1e3 * lag))
            if lag > _LAG_WORTH_A_WARNING:
                logger.warning("the event loop was %.0f ms late", 1e3 * lag)

    async def own_stats(self) -> None:
        """What this recording has taken, delivered and written so far."""
        async for _ in self._every(0.2, "stats"):
            stats = self._rec.stats()
            for name in ("rows_accepted", "rows_delivered", "rows_dropped", "rows_pending", "bytes_written"):
                await self._rec.log(f"program/stats/{name}", rr.Scalars(getattr(stats, name)))

    async def history(self) -> None:
        """The recent load of all cores and the memory as a picture."""
        picture: History | None = None
        async for _ in self._every(0.5, "history"):
            if not self._loads:
                continue
            if picture is None:
                picture = History(len(self._loads) + 1)
            picture.add([*self._loads, self._memory_percent])
            await self._rec.log("history", rr.Image(await asyncio.to_thread(picture.picture)))

    async def _rates(self, subject: str, counters: Any, fields: tuple[str, ...]) -> None:
        meter = await asyncio.to_thread(RateMeter, counters, fields)
        if not meter.available:
            logger.info("this system counts no %s traffic", subject)
            return
        async for _ in self._every(0.25, subject):
            for name, rate in (await asyncio.to_thread(meter.read)).items():
                await self._rec.log(f"{subject}/{name}_per_second", rr.Scalars(rate))

    def _every(self, period: float, subject: str) -> _Samples:
        logger.debug("%s: a sample every %.0f ms", subject, 1e3 * period)
        return _Samples(self._rec, self._start, period, subject)

    async def _guard(self, sampler: Any) -> None:
        """Lets a sampler that the system refuses to serve end alone."""
        try:
            await sampler()
        except (OSError, psutil.Error) as error:
            logger.warning("%s: nothing more is recorded: %s", sampler.__name__, error)


class _Samples:
    """Wakes its task up once per period, without drift, and sets the times of the sample."""

    def __init__(self, rec: rr.AsyncRecordingStream, start: float, period: float, subject: str) -> None:
        self._rec = rec
        self._start = start
        self._period = period
        self._timeline = f"{subject}_sample"
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time()
        self._numbers = itertools.count()

    def __aiter__(self) -> _Samples:
        return self

    async def __anext__(self) -> int:
        # A missed wake-up is left out, never made up for in a burst.
        self._due = max(self._due + self._period, self._loop.time())
        await asyncio.sleep(self._due - self._loop.time())
        number = next(self._numbers)
        self._rec.set_time(self._timeline, sequence=number)
        self._rec.set_time("elapsed", duration=self._loop.time() - self._start)
        return number


class RecordingHandler(logging.Handler):
    """Records what the program logs, at the times of the task that logs it."""

    def __init__(self, rec: rr.AsyncRecordingStream) -> None:
        super().__init__()
        self._rec = rec

    def emit(self, record: logging.LogRecord) -> None:
        """Records one log record; never waits."""
        # The recording's own complaints would come back here.
        if record.name.startswith("aiorerun"):
            return
        level = _LEVELS.get(record.levelno, record.levelname)
        self._rec.log_nowait(f"logs/{record.name}", rr.TextLog(record.getMessage(), level=level))
