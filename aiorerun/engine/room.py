"""Room: what happens when the pipeline holds more than it may, and how callers make way for it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from aiorerun.config import START_BUFFER_WARN_BYTES
from aiorerun.pipeline.capture import FULL, OPEN
from aiorerun.pipeline.ledger import Ledger
from aiorerun.pipeline.overflow import Losses

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from aiorerun.pipeline.capture import Capture
    from aiorerun.pipeline.overflow import OverflowPolicy

PACE_BYTES: Final = 8 << 20
"""With more than this under way, ``log`` lets the pipeline catch up if it is making progress: what is
large is then copied into memory that was just used, which is several times cheaper than fresh memory."""

PACE_SECS: Final = 0.005
"""The longest such pause of one call."""

FLUSH_TURN_SECS: Final = 0.001
"""How long a task that only logs makes way for an overdue flush: it takes several turns of the loop."""

PROGRESS_SECS: Final = 0.05
"""How recent the progress must be: nobody is slowed down by a sink that takes nothing."""

logger = logging.getLogger("aiorerun")


class Room:
    """Opens and closes the gate of a capture, and lets callers wait before it; from any thread.

    Args:
        capture: Whose gate it is.
        limit: Bytes that may be under way before callers have to wait.
        max_wait: Seconds that callers wait per stall before rows are refused.
        name: The recording, for messages.

    Attributes:
        ledger: What became of the rows.
        batch_ns: CPU time for encoding the rows of a tick, smoothed.
        overflow: The policy in force at the gate. With any but ``wait`` nobody waits.
        on_refusal: Gets the text of the first refusal of a run of them, in the calling thread.
        make_room: Called when the limit is exceeded, to drop what a policy lets go of.
    """

    def __init__(self, capture: Capture, limit: int, max_wait: float, name: str) -> None:
        self.ledger = Ledger(limit)
        self.overflow: OverflowPolicy = "wait"
        self.on_refusal: Callable[[str], None] = logger.warning
        self.make_room: Callable[[], None] = _nothing
        self._losses = Losses(logger.warning)
        self._capture = capture
        self._max_wait = max_wait
        self._name = name
        self._stall_deadline = math.inf
        self._warned_about_buffer = False
        self._last_progress = 0.0
        self._encodes = False
        self.batch_ns = 0
        self._pacers: deque[tuple[asyncio.AbstractEventLoop, Callable[[], None]]] = deque()

    def start_empty(self) -> None:
        """Forgets everything, for a forked child. The locks are made anew: they may be held."""
        self.ledger = Ledger(self.ledger.limit)
        self._losses = Losses(logger.warning)
        self._encodes = False
        self._pacers.clear()
        self._stall_deadline = math.inf

    def take(self, cost: int) -> None:
        """Counts bytes that were cut off, and closes the gate if they are too many."""
        ledger = self.ledger
        if not ledger.in_flight:
            # Whoever takes it may need a moment, to connect for instance.
            self._last_progress = time.monotonic()
        ledger.take(cost)
        if ledger.is_over and self._capture.gate == OPEN:
            self.make_room()
            if ledger.is_over:
                self._stall_deadline = time.monotonic() + self._max_wait
                self._capture.gate = FULL
        elif ledger.exempt and ledger.in_flight > START_BUFFER_WARN_BYTES and not self._warned_about_buffer:
            self._warned_about_buffer = True
            logger.warning(
                "%r holds more than %d MiB in memory: no sink takes its data; call save() or another sink",
                self._name,
                START_BUFFER_WARN_BYTES >> 20,
            )

    def accept(self, rows: int, cost: int) -> None:
        """Counts rows that were not captured: they go to the sinks at once."""
        self._capture.count_ready_rows(rows)
        self.take(cost)

    def settle(
        self,
        cost: int,
        rows: int,
        lost_because: str | None,
        *,
        aside: bool = False,
        ledger: Ledger | None = None,
    ) -> None:
        """Counts the end of rows, and lets a waiting caller in.

        Args:
            cost: Bytes that become free.
            rows: How many rows.
            lost_because: Why they did not arrive; ``None`` if they did.
            aside: Whether the bytes were set aside before.
            ledger: Where they were taken; nothing happens if the process has forked since.
        """
        if ledger is not None and ledger is not self.ledger:
            return
        self.ledger.settle(cost, rows, lost_because, aside=aside)
        self._make_way()

    def set_aside(self, cost: int, nbytes: int, ledger: Ledger | None = None) -> None:
        """Bytes that are only kept for sinks with queues of their own: nobody waits for them."""
        if ledger is None or ledger is self.ledger:
            self.ledger.set_aside(cost, nbytes)
            self._make_way()

    def count_again(self, nbytes: int, ledger: Ledger | None = None) -> None:
        """Bytes that were set aside count towards the limit again: no sink is there to take them."""
        if ledger is None or ledger is self.ledger:
            self.ledger.set_aside(-nbytes, -nbytes)

    def lose(self, rows: int, reason: str, ledger: Ledger) -> None:
        """Rows that were delivered turn out to be lost.

        Args:
            rows: How many.
            reason: Why.
            ledger: Where they were counted; nothing happens if the process has forked since.
        """
        if ledger is self.ledger:
            ledger.lose(rows, reason)

    def drop(self, cost: int, rows: int, reason: str) -> None:
        """Counts accepted rows that were dropped to make room; the first of a run are reported."""
        self.settle(cost, rows, reason)
        self._losses.add(
            rows,
            time.monotonic(),
            lambda: f"recording {self._name!r} holds too much, rows are dropped: {reason}",
        )

    def _make_way(self) -> None:
        """Notes progress, and lets a waiting caller in."""
        now = self._last_progress = time.monotonic()
        if self._pacers and not self._encodes:
            self._wake_pacers()
        if self._capture.gate == FULL:
            # The sinks take something: whoever waits from now on waits in a new stall.
            self._stall_deadline = now + self._max_wait
            self.admit_next(turn_is_over=False)

    def _wake_pacers(self) -> None:
        here = _running_loop()
        while self._pacers:
            loop, wake = self._pacers.popleft()
            if loop is here:
                wake()
                continue
            # A loop that was closed meanwhile has nobody who waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(wake)

    @contextlib.contextmanager
    def encoding(self) -> Generator[None]:
        """Around the encoding of rows, in the worker: callers that make way come back after it."""
        self._encodes = True
        try:
            yield
        finally:
            self._encodes = False

    def count_batch(self, cpu_ns: int) -> None:
        """In the worker: rows that were cut off together are encoded."""
        self.batch_ns += (cpu_ns - self.batch_ns) // 4

    def end_encoding(self) -> None:
        """On the loop, when rows were encoded, or are waited for no longer: lets callers come back."""
        self._encodes = False
        self._wake_pacers()

    def set_exempt(self, exempt: bool) -> None:
        """Whether the limit does not apply now: nobody waits for a buffer or a memory sink."""
        self.ledger.exempt = exempt
        self.admit_next(turn_is_over=False)

    def refuse(self, reason: str = "over the byte limit", rows: int = 1) -> None:
        """Counts rows that were not taken; the first of a run are reported.

        If callers wait, they were refused; if a policy drops rows instead, accepted and dropped.
        """
        if self.overflow == "wait":
            self.ledger.refuse(reason, rows)
        else:
            self._capture.count_ready_rows(rows)
            self.ledger.settle(0, rows, f"overflow: {self.overflow}")
        self._losses.add(
            rows,
            time.monotonic(),
            lambda: (
                f"rows of recording {self._name!r} are {self._verb}: "
                f"{self.ledger.in_flight} bytes are under way and "
                f"its sinks do not keep up (limit {self.ledger.limit} bytes)"
            ),
            self.on_refusal,
        )

    @property
    def loses(self) -> bool:
        """Whether a run of losses goes on, whose end is to be told."""
        return self._losses.rows > 0

    def end_losses(self, now: float = math.inf) -> None:
        """Tells the end of a run of losses, if it is over now."""
        self._losses.end(
            lambda rows: f"recording {self._name!r} takes everything again: {rows} rows were lost", now
        )

    @property
    def _verb(self) -> str:
        return "refused" if self.overflow == "wait" else f"dropped ({self.overflow})"

    def admit_next(self, *, turn_is_over: bool = True) -> None:
        """Lets the next waiting caller in, and opens the gate when there is room for more; from any thread.

        Callers that wait are let in one after the other, so that they never exceed the limit together. Once
        half of the limit is free the gate is opened as well: otherwise callers that come back for more
        would keep each other waiting for ever.
        """
        ledger = self.ledger
        nobody_waits = ledger.admit(turn_is_over=turn_is_over)
        if self._capture.gate == FULL and (nobody_waits or ledger.in_flight <= ledger.limit // 2):
            self._capture.gate = OPEN
            self._stall_deadline = math.inf

    async def wait_for_room(self) -> bool:
        """Waits until the pipeline is below its byte limit, in turn with other callers.

        Returns:
            Whether there is room. ``False`` after ``max_wait`` seconds of stalling. A caller that got
            ``True`` logs its row and calls :meth:`admit_next`.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def settle() -> None:
            if not future.done():
                future.set_result(None)

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(settle)
            except RuntimeError:
                # Its loop was closed while it waited: the next one gets the turn.
                self.admit_next()

        remaining = self._remaining_wait()
        if remaining <= 0:
            return False
        self._queue(wake)
        try:
            async with asyncio.timeout(remaining):
                await future
        except TimeoutError:
            return not self.ledger.leave(wake)
        except BaseException:
            # Cancelled, or closed: whoever comes next gets the turn that may have been ours.
            if not self.ledger.leave(wake):
                self.admit_next()
            raise
        return True

    def _queue(self, wake: Callable[[], None]) -> None:
        self.ledger.wait(wake)
        if self._capture.gate != FULL:
            # The gate was opened between the caller's look and now; nobody else would think of it.
            self.admit_next(turn_is_over=False)

    def wait_for_room_blocking(self) -> bool:
        """Like :meth:`wait_for_room` for a thread of its own."""
        event = threading.Event()
        remaining = self._remaining_wait()
        if remaining <= 0:
            return False
        self._queue(event.set)
        return event.wait(remaining) or not self.ledger.leave(event.set)

    async def pace(self) -> None:
        """Lets an overdue flush run, and the pipeline catch up if it is making progress; at most 5 ms."""
        now = time.monotonic()
        flushed = now + FLUSH_TURN_SECS
        deadline = now + PACE_SECS if self.ledger.in_flight > PACE_BYTES else now
        await asyncio.sleep(0)
        while (self.ledger.in_flight and now < flushed) or (self._is_catching_up(now) and now < deadline):
            await self._progress(flushed - now if now < flushed else deadline - now)
            now = time.monotonic()

    async def _progress(self, timeout: float) -> None:
        """Waits until rows are settled, at most so long."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def settle() -> None:
            if not future.done():
                future.set_result(None)

        timer = loop.call_later(timeout, settle)
        self._pacers.append((loop, settle))
        try:
            await future
        finally:
            timer.cancel()

    def _is_catching_up(self, now: float) -> bool:
        # Encoding and the copies that `log` makes take the interpreter lock from each other: side by side
        # both are slower, while the write that comes next does without it.
        is_busy = self._encodes or self.ledger.in_flight > PACE_BYTES
        return is_busy and now - self._last_progress < PROGRESS_SECS

    def pace_blocking(self) -> None:
        """Like :meth:`pace`, for a thread of its own."""
        now = time.monotonic()
        deadline = now + PACE_SECS
        while self._is_catching_up(now) and now < deadline:
            time.sleep(0.0005)
            now = time.monotonic()

    def _remaining_wait(self) -> float:
        if self.overflow != "wait":
            return 0.0
        return min(max(0.0, self._stall_deadline - time.monotonic()), self._max_wait)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _nothing() -> None:
    """Where there is no policy that makes room."""
