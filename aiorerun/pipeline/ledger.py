"""The ledger: what became of every row, and how many bytes are under way. Thread-safe, no I/O."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiorerun.pipeline.overflow import OverflowPolicy


@dataclass(frozen=True, slots=True)
class SinkStats:
    """Counters of one sink.

    Attributes:
        name: What the sink is.
        overflow: The policy in force for it, see :data:`aiorerun.OverflowPolicy`.
        rows_accepted: Rows that were queued for it: ``rows_written + rows_dropped + rows_pending``.
        rows_written: Rows it has taken, without those that it lost later.
        rows_dropped: Rows it failed to take, that were dropped because too much waited for it, or that it had
            taken and lost later, as when a connection breaks.
        rows_pending: Rows that wait for it now, or are being written.
        reasons: Why rows were dropped, and how many.
        messages_written: Messages it has taken, lost or not: chunks, and those that announce the recording.
        bytes_written: Encoded bytes of those messages, without the framing of the file.
        queued_bytes: Encoded bytes that wait for it now.
        error: The last error, if any.
        state: What a sink says about its connection; ``None`` if it has none.
    """

    name: str
    overflow: OverflowPolicy
    rows_accepted: int
    rows_written: int
    rows_dropped: int
    rows_pending: int
    reasons: dict[str, int]
    messages_written: int
    bytes_written: int
    queued_bytes: int
    error: str | None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class StreamStats:
    """Counters of a recording stream; ``rows_accepted = rows_delivered + rows_dropped + rows_pending``.

    Attributes:
        rows_accepted: Rows that ``log`` has taken, those that limits hold back or drop among them.
        rows_delivered: Rows that every sink has written.
        rows_dropped: Accepted rows that at least one sink did not get, that a limit or an overflow policy
            dropped, or that could not be encoded. Rows that a sink loses after it had taken them move here
            from ``rows_delivered``, by number: with one sink exactly those, with several at most as many as
            count as delivered at that moment, since rows that wait for another sink, or that it did not get
            either, are not among them.
        rows_pending: Accepted rows still under way, or waiting for a sink or for the end of their period.
        rows_refused: Rows that were never accepted because the pipeline was over its byte limit.
        chunks: Chunks made so far.
        bytes_written: Encoded bytes written, summed over all sinks so far.
        pending_bytes: About how many bytes are under way.
        reasons: Why rows were dropped or refused, and how many.
        sinks: One entry per attached sink.
    """

    rows_accepted: int
    rows_delivered: int
    rows_dropped: int
    rows_pending: int
    rows_refused: int
    chunks: int
    bytes_written: int
    pending_bytes: int
    reasons: dict[str, int] = field(default_factory=dict)
    sinks: tuple[SinkStats, ...] = ()


class Ledger:
    """Counts rows and bytes, and lets waiting callers in one by one when there is room.

    Args:
        limit: Bytes that may be under way before callers have to wait.

    Attributes:
        in_flight: Bytes that were cut off and are not written yet, apart from:
        aside: Encoded bytes that wait only for sinks with queues of their own.
        exempt: Whether the limit does not apply (start buffer, memory sink).
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.in_flight = 0
        self.aside = 0
        self.exempt = True
        self.rows_delivered = 0
        self.rows_dropped = 0
        self.rows_refused = 0
        self.chunks = 0
        self.reasons: Counter[str] = Counter()
        self._turn_taken = False
        self._waiters: deque[Callable[[], None]] = deque()
        # Finalizers may log in the middle of it, in the same thread.
        self._lock = RLock()

    @property
    def is_over(self) -> bool:
        """Whether nothing more may be accepted right now."""
        return self.in_flight > self.limit and not self.exempt

    def take(self, cost: int) -> None:
        """Counts bytes that were cut off."""
        with self._lock:
            self.in_flight += cost

    def set_aside(self, cost: int, nbytes: int) -> None:
        """Bytes no longer count towards the limit, though they are not written everywhere yet.

        Args:
            cost: What they have counted.
            nbytes: What they are now, encoded.
        """
        with self._lock:
            self.in_flight -= cost
            self.aside += nbytes

    def settle(self, cost: int, rows: int, lost_because: str | None, *, aside: bool = False) -> None:
        """Counts the end of rows: delivered, or lost for a reason."""
        with self._lock:
            if aside:
                self.aside -= cost
            else:
                self.in_flight -= cost
            if lost_because is None:
                self.rows_delivered += rows
            elif rows:
                self.rows_dropped += rows
                self.reasons[lost_because] += rows

    def lose(self, rows: int, reason: str) -> int:
        """Rows that were delivered turn out to be lost.

        Returns:
            How many of them count as dropped now: at most as many as were delivered.
        """
        with self._lock:
            rows = max(0, min(rows, self.rows_delivered))
            if rows:
                # In this order: whoever reads the other way round meanwhile never counts rows twice.
                self.rows_delivered -= rows
                self.rows_dropped += rows
                self.reasons[reason] += rows
        return rows

    def refuse(self, reason: str, rows: int = 1) -> None:
        """Counts rows that were not accepted."""
        with self._lock:
            self.rows_refused += rows
            self.reasons[reason] += rows

    def count_chunks(self, chunks: int) -> None:
        """Counts chunks that were made."""
        with self._lock:
            self.chunks += chunks

    def wait(self, wake: Callable[[], None]) -> None:
        """Queues a caller; ``wake`` is called once when it is its turn."""
        with self._lock:
            self._waiters.append(wake)

    def leave(self, wake: Callable[[], None]) -> bool:
        """Takes a caller that gave up out of the queue; returns whether it still was there.

        If not, it was its turn: it may go on after all, or has to pass the turn on.
        """
        with self._lock:
            if wake not in self._waiters:
                return False
            self._waiters.remove(wake)
            return True

    def admit(self, *, turn_is_over: bool = False) -> bool:
        """Wakes the next waiting caller if there is room.

        Callers take turns: the next one is woken only when the one before has added its row, or the
        limit would be exceeded by as many rows as there are callers.

        Args:
            turn_is_over: Whether this is the call of somebody who was woken and is done.

        Returns:
            Whether there is room and nobody waits for it.
        """
        with self._lock:
            if turn_is_over:
                self._turn_taken = False
            if self.is_over or self._turn_taken:
                return False
            if not self._waiters:
                return True
            wake = self._waiters.popleft()
            self._turn_taken = True
        wake()
        return False
