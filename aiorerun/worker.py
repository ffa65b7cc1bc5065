"""The worker: one daemon thread per event loop that does everything that takes time.

Assembling, encoding, compressing and disk writes run here, first in, first out, so that the event loop
cuts lists off, passes messages on, and does no more itself than what takes next to no time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar
from weakref import WeakKeyDictionary, WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


PAUSE_SECS: Final = 0.001
"""How long a job works before it lets other threads run."""


FORK_WAIT_SECS: Final = 5.0
"""How long a fork waits for a running job, which may hang on a disk."""


STUCK_SECS: Final = 0.5
"""A worker that shows no sign of life for so long hangs, on a disk for instance."""


HURRY_SWITCH_SECS: Final = 0.0005
"""How long other threads keep the interpreter lock while a worker hurries."""


class _OfThread(threading.local):
    paused_at = 0.0
    worker: Worker | None = None


_here = _OfThread()


def pause() -> None:
    """Lets other threads run if this one has worked for a millisecond: gives the interpreter lock away.

    Not more often: a busy thread that gets the lock keeps it for several milliseconds.
    """
    now = time.perf_counter()
    if now - _here.paused_at > PAUSE_SECS:
        worker = _here.worker
        if worker is None or not worker.hurries:
            time.sleep(0)
            now = time.perf_counter()
        if worker is not None:
            worker._alive_at = now
        _here.paused_at = now


class Worker:
    """A daemon thread that runs jobs in order.

    It lives as long as somebody holds a lease: :meth:`of` takes one, :meth:`release` gives it back.
    The thread outlives its event loop, so what is left can still be finished at interpreter exit, when
    new threads can no longer be started.

    Attributes:
        hurries: Whether jobs do without pauses; :meth:`hurry` sets it.
    """

    _by_loop: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, Worker]] = WeakKeyDictionary()
    _registry_lock = threading.Lock()
    _all: ClassVar[WeakSet[Worker]] = WeakSet()
    _hurrying: ClassVar[set[Worker]] = set()
    _usual_switch_secs: ClassVar[float] = 0.005

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._leases = 0
        self._alive_at = time.perf_counter()
        self.hurries = False
        self._busy = threading.Lock()
        self._all.add(self)
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="aiorerun-worker", daemon=True)
        self._thread.start()

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> Worker:
        """The worker of an event loop, started if need be; takes a lease."""
        with cls._registry_lock:
            worker = cls._by_loop.get(loop)
            if worker is None or not worker._leases or worker._pid != os.getpid():
                worker = cls._by_loop[loop] = cls()
            worker._leases += 1
            return worker

    @classmethod
    def private(cls) -> Worker:
        """A worker for one sink alone; takes the only lease."""
        worker = cls()
        worker._leases = 1
        # It writes and imports nothing: a fork need not wait for it, whose disk may hang.
        cls._all.discard(worker)
        return worker

    def release(self) -> None:
        """Gives a lease back; the last one ends the thread after the jobs submitted so far."""
        with self._registry_lock:
            self._leases -= 1
            if self._leases == 0:
                self._put(None)

    @property
    def is_stuck(self) -> bool:
        """Whether a job hangs, unlike one that is slow because busy threads leave it little time."""
        return self._busy.locked() and time.perf_counter() - self._alive_at > STUCK_SECS

    def hurry(self) -> None:
        """At exit, nobody has to be let run: jobs do without pauses, and busy threads have to share more.

        With three of them, each of the many times that the worker and its loop need the interpreter lock
        would take 15 ms, and two seconds would not do for closing a file.
        """
        self.hurries = True
        with self._registry_lock:
            if not self._hurrying:
                Worker._usual_switch_secs = sys.getswitchinterval()
                sys.setswitchinterval(min(HURRY_SWITCH_SECS, Worker._usual_switch_secs))
            self._hurrying.add(self)

    def stop_hurrying(self) -> None:
        """Gives other threads their usual time again, unless another worker hurries."""
        self.hurries = False
        with self._registry_lock:
            if self in self._hurrying:
                self._hurrying.discard(self)
                if not self._hurrying:
                    sys.setswitchinterval(Worker._usual_switch_secs)

    def submit(self, job: Callable[[], None]) -> None:
        """Runs a job some time soon; it must not raise."""
        self._put(job)

    async def run(
        self,
        function: Callable[[], T],
        *,
        hold: Callable[[asyncio.Future[T]], None] | None = None,
        on_cancel: Callable[[], None] | None = None,
    ) -> T:
        """Runs a function in the worker and waits for its result.

        Only tasks that aiorerun owns call this. It cannot be cancelled: a job that has begun to write
        is waited for, and a cancellation that came meanwhile takes effect at the next suspension.

        Args:
            function: The job.
            hold: Gets the future of the result. Who holds it may end the waiting with an exception; the job
                itself goes on.
            on_cancel: Called when a cancellation is put off.
        """
        loop = asyncio.get_running_loop()
        future: _Outcome[T] = _Outcome(loop, on_cancel)
        if hold is not None:
            hold(future)

        def job() -> None:
            try:
                result = function()
            except BaseException as error:
                _resolve(loop, future, None, error)
            else:
                _resolve(loop, future, result, None)

        self._put(job)
        if await _wait_for(future):
            task = asyncio.current_task()
            if task is not None:
                task.cancel()
        return future.result()

    def _put(self, job: Callable[[], None] | None) -> None:
        self._jobs.put(job)

    def _run(self) -> None:
        _here.worker = self
        while True:
            job = self._jobs.get()
            if job is None:
                return
            self._alive_at = time.perf_counter()
            with self._busy:
                job()
            # Whatever the job held is let go before the next one is waited for.
            del job


_held_for_fork: Final[list[threading.Lock]] = []


def before_fork() -> None:
    """Waits until no job runs: a job may be importing, and the child would inherit the lock of the import."""
    for worker in list(Worker._all):
        if worker._busy.acquire(timeout=FORK_WAIT_SECS):
            _held_for_fork.append(worker._busy)


def after_fork_in_parent() -> None:
    """Lets the jobs go on."""
    while _held_for_fork:
        _held_for_fork.pop().release()


def after_fork_in_child() -> None:
    """Forgets the workers: their threads are the parent's. Locks are made anew, they may be held."""
    Worker._registry_lock = threading.Lock()
    Worker._all.clear()
    if Worker._hurrying:
        Worker._hurrying.clear()
        sys.setswitchinterval(Worker._usual_switch_secs)
    _held_for_fork.clear()


class _Outcome(asyncio.Future[T]):
    """What a job gives. Waiting for it goes on when the task that does so is cancelled.

    ``asyncio.shield`` would do that, too, and take two more turns of the event loop to tell of the result.

    Args:
        loop: Where it is waited for.
        on_cancel: Called some time soon when that was to be cancelled for the first time.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_cancel: Callable[[], None] | None) -> None:
        super().__init__(loop=loop)
        self._on_cancel = on_cancel
        self.cancels = 0

    def cancel(self, msg: Any | None = None) -> bool:
        """What a task calls that is cancelled. It cancels itself, once there is a result."""
        if not self.cancels and self._on_cancel is not None:
            # Not at once: a task may be cancelled while its loop does not run, or is closed.
            with contextlib.suppress(RuntimeError):
                self.get_loop().call_soon(self._on_cancel)
        self.cancels += 1
        return False


async def _wait_for(future: _Outcome[Any]) -> bool:
    """Waits until there is a result, or an error; returns whether that was to be cancelled."""
    pid = os.getpid()
    with contextlib.suppress(Exception):
        # What the job raised is the caller's to look at.
        try:
            await future
        except asyncio.CancelledError:
            if os.getpid() != pid or not future.done():
                # A forked child has the task, but not the worker.
                raise
            # It is put off, not doubled: `asyncio.timeout` counts.
            task = asyncio.current_task()
            assert task is not None
            for _ in range(future.cancels):
                task.uncancel()
    return future.cancels > 0


def _resolve(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], result: Any, error: BaseException | None
) -> None:
    def settle() -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:
        # The loop was closed meanwhile; whoever waited is gone with it.
        return
