"""How long an event loop is held up, and by whom: us, or a machine that has other things to do."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
import time
from asyncio import events
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class Gap(NamedTuple):
    """A beat that came late.

    Attributes:
        late: Seconds.
        waited: Seconds of these in which threads of this process could have run, and others had the
            processors. All threads count: one that is not let run may hold the interpreter lock.
        cpu: Seconds of processor time that the thread of the loop has used meanwhile.
    """

    late: float
    waited: float
    cpu: float

    @property
    def ours(self) -> float:
        """Seconds that are not the machine's."""
        return max(0.0, self.late - self.waited)


class Heartbeat:
    """A task that wants to run every millisecond, on the running loop."""

    def __init__(self) -> None:
        self._stop = asyncio.Event()
        self._worst = Gap(0.0, 0.0, 0.0)
        self._worst_of_ours = self._worst
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> tuple[Gap, Gap]:
        """The worst beat, and the one that was worst after what the machine did is taken off."""
        self._stop.set()
        await self._task
        return self._worst, self._worst_of_ours

    async def _run(self) -> None:
        with contextlib.closing(_Queueing()) as queueing:
            while not self._stop.is_set():
                queueing.look()
                at, cpu = time.perf_counter(), time.thread_time()
                await asyncio.sleep(0.001)
                late, cpu = time.perf_counter() - at - 0.001, time.thread_time() - cpu
                gap = Gap(late, queueing.waited(), cpu)
                self._worst = max(self._worst, gap)
                self._worst_of_ours = max(self._worst_of_ours, gap, key=lambda each: each.ours)


class _Queueing:
    """How long the threads of this process wait for a processor, where Linux tells."""

    def __init__(self) -> None:
        self._files: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._looks = 0

    def look(self) -> None:
        """Begins anew."""
        if self._looks % 100 == 0:
            # Threads come and go, but not often.
            self._list()
        self._looks += 1
        self._before = self._read()

    def waited(self) -> float:
        """Seconds, of all threads together."""
        return sum(now - self._before[thread] for thread, now in self._read().items()) / 1e9

    def close(self) -> None:
        for file in self._files.values():
            os.close(file)
        self._files.clear()

    def _list(self) -> None:
        self.close()
        with contextlib.suppress(OSError):
            for thread in os.listdir("/proc/self/task"):
                with contextlib.suppress(OSError):
                    self._files[thread] = os.open(f"/proc/self/task/{thread}/schedstat", os.O_RDONLY)

    def _read(self) -> dict[str, int]:
        waited = {}
        for thread, file in self._files.items():
            # It may have ended.
            with contextlib.suppress(OSError, IndexError):
                waited[thread] = int(os.pread(file, 64, 0).split()[1])
        return waited


class Step(NamedTuple):
    """One callback of an event loop, or one part of a task between two suspensions.

    Attributes:
        cpu: Seconds of processor time, without those of the garbage collector.
        name: Which it was.
    """

    cpu: float
    name: str


class Steps:
    """What took long.

    Attributes:
        steps: The steps that did.
        collections: Seconds of processor time of each run of the garbage collector, on any thread.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.collections: list[float] = []


@contextlib.contextmanager
def long_steps(secs: float) -> Generator[Steps]:
    """Collects the steps of asyncio's loop on this thread that take so much processor time."""
    found = Steps()
    thread = threading.get_ident()
    run: Callable[[Any], None] = events.Handle._run
    started = collecting = 0.0

    def note(phase: str, _info: dict[str, int]) -> None:
        nonlocal started, collecting
        if phase == "start":
            started = time.thread_time()
            return
        found.collections.append(time.thread_time() - started)
        if threading.get_ident() == thread:
            collecting += found.collections[-1]

    def run_and_look(handle: Any) -> None:
        if threading.get_ident() != thread:
            run(handle)
            return
        before, collected = time.thread_time(), collecting
        # Afterwards a handle that was cancelled has forgotten it.
        callback = handle._callback
        run(handle)
        cpu = time.thread_time() - before - (collecting - collected)
        if cpu >= secs:
            found.steps.append(Step(cpu, _name(callback)))

    gc.callbacks.append(note)
    try:
        with mock.patch.object(events.Handle, "_run", run_and_look):
            yield found
    finally:
        gc.callbacks.remove(note)


def collection_secs() -> float:
    """Processor time that the garbage collector takes for what is there now."""
    gc.collect()
    before = time.thread_time()
    gc.collect()
    return time.thread_time() - before


def _name(callback: Any) -> str:
    owner = getattr(callback, "__self__", None)
    return f"{owner.get_name()}: {owner.get_coro()}" if isinstance(owner, asyncio.Task) else repr(callback)
