"""A monitor of an event loop: how late it is, how many tasks it has, and who holds it up."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sys
import threading
import time
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from aiorerun.archetypes import BarChart, Scalars, TextLog
from aiorerun.integrations.fields import fields
from aiorerun.integrations.redaction import DEFAULT
from aiorerun.integrations.sampling import Sampler

if TYPE_CHECKING:
    from types import CodeType, FrameType

    from aiorerun.stream_base import BaseRecordingStream

__all__ = ["AsyncioMonitor"]

LAG_BUCKETS_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""The bars of the histogram: up to so many milliseconds each, and one more for all above."""

_ARCHETYPE: Final = "AsyncioMonitor"
_NOWHERE: Final = "nobody saw where, as the process did not run or the interpreter was locked"
_MAX_FRAMES: Final = 64
_MAX_LOOKS: Final = 200
_LOOKS: Final = 4
"""So often it is looked at the loop in the time from which on a callback is slow."""
_HANGS: Final = 10
"""After so many times that, one that has not ended is told of."""
_COUNTING_SHARE: Final = 100
"""Counting tasks takes at most one part in so many of the time."""

_RUNNERS: Final = frozenset({"_run", "_run_once", "run", "run_forever", "run_until_complete"})


class AsyncioMonitor(Sampler):
    """Records how an event loop does, without asyncio's debug mode.

    ``async with AsyncioMonitor():`` watches the running loop. Below the prefix:

    - ``lag/max_ms`` and ``lag/mean_ms``: how late a heartbeat was, of those in an interval;
    - ``lag/histogram``: a ``BarChart`` of all heartbeats so far, up to 1, 2, 5, 10, 20, 50, 100, 200, 500,
      1000 milliseconds late, and later;
    - ``tasks``: how many tasks there are that are not done;
    - ``slow``: a ``TextLog`` for each time the loop was held up for ``slow_callback`` seconds or more: by
      which task, where, for how long, with the components ``AsyncioMonitor:…`` (duration_ms, task, callback,
      stack).

    A thread looks at the loop's stack while its heartbeat is overdue; code that holds the interpreter lock
    all the time, as some extensions do, is seen when it lets go. On the loop runs nothing but the heartbeat.

    Args:
        recording: Where to; by default what is active when it is started, of either API.
        path_prefix: What entity paths begin with.
        interval: Seconds from record to record.
        slow_callback: From how many seconds on the loop counts as held up.
        heartbeat: Seconds from heartbeat to heartbeat.
    """

    def __init__(
        self,
        recording: BaseRecordingStream | None = None,
        *,
        path_prefix: str = "asyncio",
        interval: float = 1.0,
        slow_callback: float = 0.1,
        heartbeat: float = 0.05,
    ) -> None:
        if not (slow_callback > 0 and heartbeat > 0):
            raise ValueError("slow_callback and heartbeat must be seconds above zero")
        super().__init__(recording, min(interval, slow_callback / _LOOKS))
        self.path_prefix = path_prefix
        self._record_every = interval
        self._slow = slow_callback
        self._heartbeat = heartbeat
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._handle: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._lags: list[float] = []
        self._buckets = [0] * (len(LAG_BUCKETS_MS) + 1)
        self._next_record = 0.0
        self._next_count = 0.0
        self._stall: _Stall | None = None
        self._base: CodeType | None = None

    # --- on the loop ---------------------------------------------------------------------------

    def _prepare(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._base = None
        self._next_record = time.monotonic() + self._record_every
        self._schedule()

    def _schedule(self) -> None:
        assert self._loop is not None
        self._due = time.monotonic() + self._heartbeat
        # An empty context: the timer must not keep anything of the caller's alive.
        self._handle = self._loop.call_later(self._heartbeat, self._beat, context=contextvars.Context())

    def _beat(self) -> None:
        if self._base is None:
            # Whoever calls this calls all callbacks.
            caller = sys._getframe().f_back
            self._base = None if caller is None else caller.f_code
        # Some loops count whole milliseconds, and may be early.
        self._lags.append(max(0.0, time.monotonic() - self._due))
        self._schedule()

    def _finish(self) -> None:
        if threading.get_ident() == self._loop_thread:
            self._cancel()
        elif self._loop is not None:
            # A loop that is closed has no timers any more.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    # --- in the thread -------------------------------------------------------------------------

    def _sample(self) -> None:
        now = time.monotonic()
        due = self._due
        stall = self._stall
        if stall is not None and stall.due != due:
            # The heartbeat has come at last.
            self._stall = None
            self._tell(stall, (due - self._heartbeat) - stall.due, "was held up")
        if now - due >= self._slow and not self._stop.is_set():
            self._look(due, now)
        if now >= self._next_record or self._stop.is_set():
            self._next_record = max(self._next_record + self._record_every, now)
            self._record(now)

    def _record(self, now: float) -> None:
        lags, self._lags = self._lags, []
        if lags:
            for lag in lags:
                self._buckets[bisect_left(LAG_BUCKETS_MS, lag * 1e3)] += 1
            self._log("lag/max_ms", Scalars(max(lags) * 1e3))
            self._log("lag/mean_ms", Scalars(sum(lags) / len(lags) * 1e3))
            self._log("lag/histogram", BarChart(self._buckets))
        if now >= self._next_count and self._loop is not None and not self._loop.is_closed():
            self._log("tasks", Scalars(float(len(asyncio.all_tasks(self._loop)))))
            took = time.monotonic() - now
            self._next_count = now + took * _COUNTING_SHARE

    def _look(self, due: float, now: float) -> None:
        stall = self._stall
        if stall is None:
            stall = self._stall = _Stall(due, self._current_task())
        if stall.looks < _MAX_LOOKS:
            frame = sys._current_frames().get(self._loop_thread)
            if frame is not None:
                stall.add(frame, self._base)
        if not stall.told and now - due >= _HANGS * self._slow:
            stall.told = True
            self._tell(stall, now - due, "is held up")

    def _current_task(self) -> str | None:
        with contextlib.suppress(Exception):
            task = asyncio.current_task(self._loop)
            if task is not None:
                name = getattr(task.get_coro(), "__qualname__", "")
                return f"{task.get_name()} ({name})" if name else task.get_name()
        return None

    def _tell(self, stall: _Stall, seconds: float, what: str) -> None:
        where = stall.where or _NOWHERE
        who = stall.task or stall.callback or "a callback"
        text = f"the event loop {what} for {seconds * 1e3:.0f} ms by {who}: {where}"
        about = fields(
            _ARCHETYPE,
            (
                ("duration_ms", seconds * 1e3),
                ("task", stall.task),
                ("callback", stall.callback),
                ("stack", stall.stack),
            ),
        )
        row = TextLog(DEFAULT.text(text), level="WARN")
        self._log("slow", row, *([] if about is None else [about]))

    def _log(self, path: str, row: Any, *more: Any) -> None:
        assert self._recording is not None
        self._recording.log_nowait(f"{self.path_prefix}/{path}", row, *more)


class _Stall:
    """One time the loop was held up.

    Attributes:
        due: When the heartbeat was due.
        task: Which task was running.
        callback: What the loop has called.
        stack: Where that was, when it was first looked at.
        told: Whether it was told of while it went on.
        looks: How often it was looked at.
    """

    def __init__(self, due: float, task: str | None) -> None:
        self.due = due
        self.task = task
        self.callback: str | None = None
        self.stack: str | None = None
        self.told = False
        self.looks = 0
        self._places: Counter[str] = Counter()

    @property
    def where(self) -> str | None:
        """Where it was seen most."""
        return self._places.most_common(1)[0][0] if self._places else None

    def add(self, frame: FrameType, base: CodeType | None) -> None:
        """Notes where the loop's thread is; ``base`` is what calls the callbacks."""
        self.looks += 1
        places: list[str] = []
        each: FrameType | None = frame
        while each is not None and len(places) < _MAX_FRAMES and not _is_loop(each, base):
            code = each.f_code
            places.append(f"{code.co_qualname} ({code.co_filename}:{each.f_lineno})")
            each = each.f_back
        # Within the loop itself it is no callback that takes so long. Loops in C have no frames of their own.
        if places and (each is None or each.f_code.co_name != "_run_once"):
            self._places[places[0]] += 1
            if self.stack is None:
                self.stack = "\n".join(places)
                self.callback = places[-1]


def _is_loop(frame: FrameType, base: CodeType | None) -> bool:
    """Whether a frame is of the loop's own machinery, below which callbacks are."""
    code = frame.f_code
    return code is base or (
        code.co_name in _RUNNERS
        and (frame.f_globals.get("__name__") in ("asyncio.events", "asyncio.base_events", "asyncio.runners"))
    )
