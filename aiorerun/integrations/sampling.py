"""A thread that looks at something once per period."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from aiorerun.integrations.fields import active_recording

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from aiorerun.stream_base import BaseRecordingStream

STOP_SECS: Final = 5.0
"""How long stopping waits for a sample that is being taken."""

logger = logging.getLogger("aiorerun")


class Sampler:
    """Something that records samples from a thread of its own while it is entered.

    ``with`` and ``async with`` start and stop it, and so do :meth:`start` and :meth:`stop`. The thread ends
    with the program. An error in a sample is logged once, and the next sample is taken.

    Args:
        recording: Where to; by default what is active when it is started, of either API.
        interval: Seconds from sample to sample; a sample that is missed is not made up for.
    """

    def __init__(self, recording: BaseRecordingStream | None, interval: float) -> None:
        if not interval > 0:
            raise ValueError(f"interval must be seconds above zero, got {interval!r}")
        self._given = recording
        self._interval = interval
        self._recording: BaseRecordingStream | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._failed = False

    def start(self) -> None:
        """Starts the thread; it does not wait for anything.

        Raises:
            RuntimeError: No recording is active and none was given, or it runs already.
        """
        name = type(self).__name__
        if self._thread is not None:
            raise RuntimeError(f"{name}: it runs already")
        self._recording = self._given if self._given is not None else active_recording()
        if self._recording is None:
            raise RuntimeError(f"{name}: no recording is active; call init() first, or pass recording=")
        self._stop.clear()
        self._prepare()
        self._thread = threading.Thread(target=self._run, name=f"aiorerun-{name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Takes a last sample and waits for the thread to end, at most a few seconds."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._finish()
        self._stop.set()
        thread.join(STOP_SECS)

    async def astop(self) -> None:
        """Like :meth:`stop`, without blocking the event loop. Cancelling it does not undo it."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._finish()
        self._stop.set()
        await asyncio.to_thread(thread.join, STOP_SECS)

    def _prepare(self) -> None:
        """Called before the thread starts, in the thread that starts it."""

    def _finish(self) -> None:
        """Called when it is stopped, in the thread that stops it."""

    def _begin(self) -> None:
        """Called once in the sampler's thread, before the first sample."""

    def _sample(self) -> None:
        """Takes a sample, in the sampler's thread."""
        raise NotImplementedError

    def _run(self) -> None:
        self._guarded(self._begin)
        due = time.monotonic()
        stopped = False
        while not stopped:
            due = max(due + self._interval, time.monotonic())
            stopped = self._stop.wait(due - time.monotonic())
            self._guarded(self._sample)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:
            if self._failed:
                return
            self._failed = True
            name, kind = type(self).__name__, type(error).__name__
            logger.warning("%s: something is not recorded: %s: %s", name, kind, error)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.astop()
