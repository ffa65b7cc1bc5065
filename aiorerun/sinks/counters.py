"""What one sink has taken and lost."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from aiorerun.pipeline.ledger import SinkStats
from aiorerun.sinks.parcel import settle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.pipeline.overflow import OverflowPolicy
    from aiorerun.sinks.base import Sink
    from aiorerun.sinks.parcel import Parcel


class SinkCounters:
    """Counts the rows of one sink; at any moment ``accepted = written + dropped + pending``.

    Attributes:
        rows_accepted: Rows that were queued.
        rows_written: Rows that the sink has taken and not lost.
        rows_dropped: Rows that it did not get, or has lost.
        reasons: Why, and how many.
        messages_written: Messages that it has taken.
        bytes_written: Encoded bytes of these.
        queued_bytes: Encoded bytes that wait.
        error: The last error.
    """

    __slots__ = (
        "bytes_written", "error", "messages_written", "queued_bytes", "reasons", "rows_accepted",
        "rows_dropped", "rows_written",
    )  # fmt: skip

    def __init__(self) -> None:
        self.rows_accepted = 0
        self.rows_written = 0
        self.rows_dropped = 0
        self.reasons: Counter[str] = Counter()
        self.messages_written = 0
        self.bytes_written = 0
        self.queued_bytes = 0
        self.error: Exception | None = None

    def settle(self, parcels: Sequence[Parcel], lost_because: str | None, *, waited_for: bool) -> None:
        """The sink is through with these: it has taken them, or they are lost for it."""
        for parcel in parcels:
            self.queued_bytes -= parcel.nbytes
            if lost_because is None:
                self.rows_written += parcel.rows
                self.messages_written += 1
                self.bytes_written += parcel.nbytes
            else:
                self.rows_dropped += parcel.rows
                if parcel.rows:
                    self.reasons[lost_because] += parcel.rows
        settle(parcels, lost_because, waited_for=waited_for)

    def lose(self, rows: int, reason: str) -> int:
        """Rows that it had taken are lost; returns how many of them there are at most."""
        rows = max(0, min(rows, self.rows_written))
        if rows:
            # In this order: whoever reads the other way round meanwhile never counts rows twice.
            self.rows_written -= rows
            self.rows_dropped += rows
            self.reasons[reason] += rows
        return rows

    def stats(self, sink: Sink, overflow: OverflowPolicy) -> SinkStats:
        """The counters as they are now."""
        # Read in this order, what goes on meanwhile can only make the pending rows look more.
        dropped, written = self.rows_dropped, self.rows_written
        accepted = self.rows_accepted
        return SinkStats(
            name=repr(sink),
            overflow=overflow,
            rows_accepted=accepted,
            rows_written=written,
            rows_dropped=dropped,
            rows_pending=accepted - written - dropped,
            reasons=dict(self.reasons),
            messages_written=self.messages_written,
            bytes_written=self.bytes_written,
            queued_bytes=self.queued_bytes,
            error=None if self.error is None else f"{type(self.error).__name__}: {self.error}",
            state=getattr(sink, "connection_state", None),
        )
