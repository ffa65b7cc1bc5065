"""The worker as one stream uses it: job after job, and none is waited for longer than it may take."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeVar

from aiorerun.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class WatchedWorker:
    """Runs jobs in the worker of an event loop; methods belong to that loop, except where noted.

    As long as nobody waits for a stream its jobs may take any time. Somebody who does calls :meth:`watch`.

    Args:
        timeout: Seconds that all jobs together may take at exit, and that pass between two looks otherwise.

    Attributes:
        is_late: Whether the time for everything is over: what is not encoded by now is lost.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._worker: Worker | None = None
        self._job: asyncio.Future[Any] | None = None
        self._job_started = self._job_secs = 0.0
        self.is_late = False

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Takes a lease of the loop's worker, unless there is one already, of this loop or a former one."""
        if self._worker is None:
            self._worker = Worker.of(loop)

    def release(self) -> None:
        """Gives the lease back, if there is one."""
        if self._worker is not None:
            self._worker.release()
            self._worker = None

    @property
    def worker(self) -> Worker:
        """The worker it is bound to."""
        assert self._worker is not None
        return self._worker

    @property
    def is_bound(self) -> bool:
        """Whether there is a worker."""
        return self._worker is not None

    async def run(self, function: Callable[[], T], secs: float) -> T:
        """Runs something in the worker. Raises ``TimeoutError`` if it takes longer and somebody watches."""
        assert self._worker is not None
        self._job_started, self._job_secs = time.monotonic(), secs
        job: asyncio.Future[Any] | None = None

        def hold(future: asyncio.Future[Any]) -> None:
            nonlocal job
            self._job = job = future

        try:
            return await self._worker.run(function, hold=hold, on_cancel=self._watch_job)
        finally:
            # It holds the result: the messages, whose memory the next job is to use again. A coroutine of a
            # loop that was closed ends any time later, when another job runs.
            if self._job is job:
                self._job = None

    def watch(self, future: asyncio.Future[Any], *, at_exit: bool = False) -> None:
        """While somebody waits for this future, no job is waited for longer than it may take.

        At exit all jobs together may take as long as closing.
        """
        loop = asyncio.get_running_loop()
        timers: list[asyncio.TimerHandle] = []

        def look() -> None:
            remaining = self._job_started + self._job_secs - time.monotonic()
            self.is_late = self.is_late or at_exit
            job = self._job
            # One of a loop that was closed is nobody's any more.
            is_ours = job is not None and job.get_loop() is loop
            if job is not None and is_ours and not job.done() and (at_exit or remaining <= 0):
                job.set_exception(TimeoutError(f"no answer from the worker in {self._timeout} s"))
            timers[:] = [loop.call_later(remaining if remaining > 0 else self._timeout, look)]

        timers.append(loop.call_later(self._timeout, look))
        future.add_done_callback(lambda _: timers[0].cancel())

    def is_wanted(self) -> bool:
        """Whether the running job is waited for; called by the job, in the worker."""
        return self._job is not None and not self._job.done()

    def _watch_job(self) -> None:
        """The loop is shutting down in the middle of a job."""
        if self._job is not None:
            self.watch(self._job)
