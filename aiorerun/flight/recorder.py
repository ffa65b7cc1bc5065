"""The flight recorder, without its faces."""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import logging
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from aiorerun import lifecycle, process
from aiorerun.config import check_positive
from aiorerun.errors import SinkOpenError
from aiorerun.flight.hooks import LoopHook, SignalHook, SysHook, ThreadHook, checked_signals
from aiorerun.flight.lingering import linger, stop_lingering
from aiorerun.pipeline.overflow import check_policy
from aiorerun.sinks.part_names import PartNames
from aiorerun.sinks.queued import check_max_queued_bytes
from aiorerun.sinks.resident import RESIDENT_BYTES, Resident
from aiorerun.stream_base import streams
from aiorerun.types.ids import ids
from aiorerun.types.store import StoreKind
from aiorerun.worker import Worker

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path
    from typing import Self

    from aiorerun.codec.messages import Message
    from aiorerun.flight.dumping import Dump, Evidence
    from aiorerun.flight.ring import Ring
    from aiorerun.pipeline.overflow import OverflowPolicy
    from aiorerun.sinks.base import SinkContext
    from aiorerun.stream_base import BaseRecordingStream
    from aiorerun.types.store import StoreId

MAX_BYTES: Final = 256 << 20
"""So much is kept if nothing else is said."""

PATH: Final = "flight-{start:%Y%m%d-%H%M%S}-{pid}.rrd"
"""Where dumps go if nothing else is said."""

MAX_DUMPS: Final = 20
"""So many dumps are made without being asked for."""

FLUSH_SECS: Final = 2.0
"""So long a dump waits for rows that are not encoded yet."""

WAIT_SECS: Final = 10.0
"""So long the end of a thread, or of the program, waits for a dump."""

PAUSE_NS: Final = 1_000_000_000
"""Exceptions that come so soon after one that made a dump make none."""

logger = logging.getLogger("aiorerun")


class BaseFlightRecorder:
    """What the flight recorders of both APIs have in common; see those."""

    def __init__(
        self,
        *,
        max_seconds: float | None = None,
        max_bytes: int | None = MAX_BYTES,
        path: str | os.PathLike[str] = PATH,
        on_exception: bool = False,
        on_signal: int | Iterable[int] | None = None,
        max_dumps: int | None = MAX_DUMPS,
        max_static_bytes: int = RESIDENT_BYTES,
        overflow: OverflowPolicy | None = None,
        max_queued_bytes: int | None = None,
    ) -> None:
        if max_seconds is None and max_bytes is None:
            raise ValueError(
                "FlightRecorderSink: pass max_seconds or max_bytes: without, nothing would ever go"
            )
        for name, value in (
            ("max_seconds", max_seconds), ("max_bytes", max_bytes), ("max_dumps", max_dumps),
            ("max_static_bytes", max_static_bytes),
        ):  # fmt: skip
            if value is not None:
                check_positive(value, f"FlightRecorderSink: {name}")
        self._names = PartNames(path, "FlightRecorderSink: path", numbered=False)
        self.max_seconds = max_seconds
        self.max_bytes = max_bytes
        self.on_exception = on_exception
        self.on_signal = checked_signals(on_signal)
        self.max_dumps = max_dumps
        self.max_static_bytes = max_static_bytes
        self.overflow = None if overflow is None else check_policy(overflow)
        self.max_queued_bytes = check_max_queued_bytes(max_queued_bytes)
        self.last_dump: Path | None = None
        """The last file that was written."""
        self._start_empty()
        _recorders.add(self)

    def _start_empty(self) -> None:
        self._lock = threading.RLock()
        self._ring: Ring | None = None
        self._store: StoreId | None = None
        self._context: SinkContext | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._worker: Worker | None = None
        self._closing: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._hooks: list[LoopHook | SignalHook | SysHook | ThreadHook] = []
        self._failure: BaseException | None = None
        self._pins: list[int] = []
        self._dumps_made = 0
        self._exception_at = 0
        self._closed_at: int | None = None

    def __repr__(self) -> str:
        limits = f"max_seconds={self.max_seconds}, max_bytes={self.max_bytes}"
        return f"FlightRecorderSink({limits}: {self.num_rows} rows, {self.nbytes} bytes)"

    @property
    def num_rows(self) -> int:
        """Rows with times that it holds now."""
        return 0 if self._ring is None else self._ring.rows

    @property
    def nbytes(self) -> int:
        """Bytes of them, and of what keeping them costs."""
        return 0 if self._ring is None else self._ring.nbytes

    # --- the sink ------------------------------------------------------------------------------

    async def open(self, context: SinkContext) -> None:
        """Gets ready. What it holds of the same recording stays.

        Raises:
            SinkOpenError: Another recording uses it.
        """
        if self._context is not None:
            raise SinkOpenError(None, "the flight recorder is in use by another recording: make one for each")
        await context.run_blocking(_load)
        from aiorerun.flight.ring import Ring

        stop_lingering()
        if context.store != self._store:
            max_ns = None if self.max_seconds is None else int(self.max_seconds * 1e9)
            self._ring = Ring(max_ns, self.max_bytes)
            self._resident = Resident(
                self.max_static_bytes,
                lambda text: logger.warning("%r: %s", self, text),
                "dumps hold what was logged last of it",
            )
            self._number = 0
            self._told_large = self._told_young = False
        self._store = context.store
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._closing = self._loop.create_future()
        self._worker = Worker.private()
        self._failure = self._closed_at = None
        self._hooks = [SignalHook(self, number) for number in self.on_signal]
        if self.on_exception:
            self._hooks += (SysHook(self), ThreadHook(self), LoopHook(self, self._loop))

    async def write(self, messages: Sequence[Message]) -> None:
        """Keeps messages, and lets go of the oldest."""
        # It may have gone on in another one.
        self._loop = asyncio.get_running_loop()
        now = now_ns()
        ring = self._ring
        assert ring is not None
        with self._lock:
            for message in messages:
                self._resident.put(self._number, message)
                self._number += 1
                index = message.index
                if index is None or not index.group.columns.timelines:
                    continue
                if message.store.kind is StoreKind.RECORDING and not ring.put(message, now):
                    self._tell_large(message.nbytes)
            ring.trim(now)
        if ring.young_lost and self.max_seconds is not None and not self._told_young:
            self._told_young = True
            logger.warning(
                "%r: the last %s seconds have more than max_bytes: dumps go less far back",
                self,
                self.max_seconds,
            )

    def _tell_large(self, nbytes: int) -> None:
        if not self._told_large:
            self._told_large = True
            logger.warning("%r: a chunk of %d bytes is larger than max_bytes, and left out", self, nbytes)

    async def flush(self) -> None:
        """Nothing to do."""

    async def aclose(self) -> None:
        """Finishes dumps that are under way. What it holds can still be dumped as long as it lives."""
        try:
            assert self._closing is not None
            if not self._closing.done() and self._closing.get_loop() is asyncio.get_running_loop():
                self._closing.set_result(None)
            await self._finish_dumps()
        finally:
            # A loop that runs while the program is being left by an exception sees that.
            failure = self._failure or sys.exc_info()[1]
            for hook in self._hooks:
                if isinstance(hook, SysHook) and failure is not None:
                    # Whether anybody handles it is seen only when this is closed.
                    linger(hook)
                else:
                    hook.remove()
            self._hooks = []
            worker, self._worker = self._worker, None
            if worker is not None:
                worker.release()
            self._context = None
            self._closed_at = now_ns()

    async def _finish_dumps(self) -> None:
        loop = asyncio.get_running_loop()
        while tasks := {task for task in self._tasks if not task.done() and task.get_loop() is loop}:
            await asyncio.wait(tasks)

    def leaving(self, error: BaseException) -> None:
        """The recording is left by an exception, and the sink about to be closed."""
        self._failure = error

    def reopened(self) -> Self:
        """In a forked child: the recorder itself, which has started empty there."""
        return self

    # --- dumps that are asked for -----------------------------------------------------------------

    def _start(self, path: Path | None) -> asyncio.Task[Dump]:
        """Starts a dump of now, on the running loop. Cancelling whoever waits for it does not cancel it."""
        task = asyncio.get_running_loop().create_task(
            self._dump(path, now_ns()), name="aiorerun-dump", context=contextvars.Context()
        )
        # At once: the sink may be closed before it runs for the first time.
        self._tasks.add(task)
        task.add_done_callback(_retrieve)
        return task

    def _dump_from_thread(self, path: Path | None, at_ns: int, timeout: float | None) -> Dump:
        """Makes a dump, from a thread in which the loop of the sink does not run."""
        loop = self._loop
        if self._context is not None and loop is not None:
            if loop.is_running():
                return asyncio.run_coroutine_threadsafe(self._dump(path, at_ns), loop).result(timeout)
            self._finish_streams()
        return self._dump_here(path, at_ns)

    def _dump_here(self, path: Path | None, at_ns: int) -> Dump:
        """Makes a dump of what has come so far."""
        from aiorerun.flight.dumping import write_dump

        at_ns = self._pin(at_ns)
        return self._note(write_dump(self._take(at_ns), path, self._names))

    async def _dump(self, path: Path | None, at_ns: int) -> Dump:
        """Makes a dump, with everything that was logged before. Cancelling it hurries it, no more."""
        from aiorerun.flight.dumping import write_dump

        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        at_ns = self._pin(at_ns)
        try:
            await self._flush_streams()
        finally:
            evidence = self._take(at_ns)
        write = partial(write_dump, evidence, path, self._names)
        worker = self._worker
        if worker is None:
            return self._note(await asyncio.to_thread(write))
        return self._note(await worker.run(write))

    def _note(self, dump: Dump) -> Dump:
        self.last_dump = dump.path
        return dump

    def _pin(self, at_ns: int) -> int:
        """What is young enough at this time stays until it is taken; returns the time as far as dumps go."""
        with self._lock:
            if self._closed_at is not None:
                # Closing may have taken a while, and whoever asks comes after that.
                at_ns = min(at_ns, self._closed_at)
            self._pins.append(at_ns)
            if self._ring is not None:
                self._ring.pinned_at = min(self._pins)
            return at_ns

    def _take(self, at_ns: int) -> Evidence:
        from aiorerun.flight.dumping import Evidence
        from aiorerun.flight.ring import Snapshot

        with self._lock:
            self._pins.remove(at_ns)
            if self._ring is None:
                return Evidence([], Snapshot([], {}), 0, at_ns)
            self._ring.pinned_at = min(self._pins, default=None)
            begin_ns = 0 if self.max_seconds is None else at_ns - int(self.max_seconds * 1e9)
            return Evidence(self._resident.messages(), self._ring.snapshot(), begin_ns, at_ns)

    def _streams(self) -> list[BaseRecordingStream]:
        """The streams it is a sink of now."""
        return [
            stream
            for stream in list(streams)
            for runner in stream._engine.conveyor.sinks.runners
            # It may be wrapped, see QueuedSink.
            if self is runner.sink or self is getattr(runner.sink, "sink", None)
        ]

    async def _flush_streams(self) -> None:
        """Waits for rows that were logged and have not come yet; not for long, if another sink hangs."""
        loop, closing = asyncio.get_running_loop(), self._closing
        if self._context is None or closing is None or closing.get_loop() is not loop:
            return
        flushes = [stream._engine.flush() for stream in self._streams() if stream._engine.loop is loop]
        for future in flushes:
            # Other sinks report their errors themselves.
            future.add_done_callback(_retrieve)
        ends = loop.time() + FLUSH_SECS
        while loop.time() < ends and not closing.done():
            # If the program ends meanwhile, flushes are cancelled; then all rows come before it is closed.
            open_ones = {future for future in flushes if not future.done()}
            if not open_ones and not any(future.cancelled() for future in flushes):
                break
            try:
                await asyncio.wait(
                    {closing, *open_ones},
                    timeout=max(0.0, ends - loop.time()),
                    return_when=asyncio.FIRST_COMPLETED,
                )
            except asyncio.CancelledError:
                continue

    def _finish_streams(self) -> None:
        """The loop of the sink has stopped, and the program is ending: does what its exit would do."""
        if hasattr(sys, "ps1") or asyncio._get_running_loop() is not None:
            return
        lifecycle.finish_now([stream._engine.conveyor for stream in self._streams()])

    # --- dumps that nobody asks for -------------------------------------------------------------

    def dump_and_wait(self, reason: str, *, is_last: bool = False) -> None:
        """Makes a dump because of an exception in this thread, and waits for it; it does not raise."""
        at_ns = now_ns()
        if not (self._may_dump(reason) and (is_last or self._is_new(at_ns))):
            return
        if self._loop is not None and asyncio._get_running_loop() is self._loop:
            self._start_for(reason, at_ns, None)
            return
        try:
            _tell(self._dump_from_thread(None, at_ns, WAIT_SECS), reason)
        except Exception as error:
            _tell_failed(reason, error)

    def dump_on_loop(self, reason: str) -> None:
        """Starts a dump because of an exception on the event loop."""
        at_ns = now_ns()
        if self._may_dump(reason) and self._is_new(at_ns):
            self._start_for(reason, at_ns, None)

    def dump_soon(self, reason: str, then: Callable[[], None] | None) -> None:
        """Starts a dump because of a signal; called between any two instructions of the main thread."""
        at_ns = now_ns()
        loop = self._loop
        if not self._may_dump(reason):
            pass
        elif self._context is not None and loop is not None and loop.is_running():
            loop.call_soon_threadsafe(self._start_for, reason, at_ns, then)
            return
        else:
            try:
                _tell(self._dump_here(None, at_ns), reason)
            except Exception as error:
                _tell_failed(reason, error)
        if then is not None:
            then()

    def _start_for(self, reason: str, at_ns: int, then: Callable[[], None] | None) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(
            self._dump_for(reason, at_ns), name="aiorerun-dump", context=contextvars.Context()
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if then is not None:
            timer = loop.call_later(WAIT_SECS, then)
            task.add_done_callback(partial(_after_dump, timer, then))

    async def _dump_for(self, reason: str, at_ns: int) -> None:
        try:
            _tell(await self._dump(None, at_ns), reason)
        except Exception as error:
            _tell_failed(reason, error)

    def _may_dump(self, reason: str) -> bool:
        """Whether this is not one dump too many; counts it."""
        self._dumps_made += 1
        if self.max_dumps is None or self._dumps_made <= self.max_dumps:
            return True
        if self._dumps_made == self.max_dumps + 1:
            logger.warning("%r: no dump for %s and from now on: there are max_dumps of them", self, reason)
        return False

    def _is_new(self, at_ns: int) -> bool:
        """Whether an exception is not one of many at once."""
        if at_ns - self._exception_at < PAUSE_NS:
            self._dumps_made -= 1
            return False
        self._exception_at = at_ns
        return True

    def _forget(self) -> None:
        """In a forked child: the rows are the parent's, and so is what happens to it."""
        for hook in self._hooks:
            hook.remove()
        self._start_empty()


def now_ns() -> int:
    """The time, by the clock that row ids are made with."""
    return ids.wall_anchor_ns + time.perf_counter_ns()


def _load() -> None:
    """Imports, in the worker, what dumps need: when something has happened there may be no time for it."""
    for name in ("codec.forward", "flight.cutting", "flight.dumping", "flight.ring"):
        importlib.import_module(f"aiorerun.{name}")


def _tell(dump: Dump, reason: str) -> None:
    logger.warning("flight recorder: %s; %d rows are in %r", reason, dump.rows, str(dump.path))


def _tell_failed(reason: str, error: Exception) -> None:
    logger.error("flight recorder: %s; no dump could be written: %s: %s", reason, type(error).__name__, error)


def _retrieve(future: asyncio.Future[Any]) -> None:
    """Marks the outcome of what nobody may wait for as seen."""
    if not future.cancelled():
        future.exception()


def _after_dump(timer: asyncio.TimerHandle, then: Callable[[], None], _: asyncio.Task[None]) -> None:
    timer.cancel()
    then()


_recorders: Final[WeakSet[BaseFlightRecorder]] = WeakSet()


def _after_fork_in_child() -> None:
    stop_lingering(everything=True)
    for recorder in list(_recorders):
        recorder._forget()


process.on_fork.append(_after_fork_in_child)
