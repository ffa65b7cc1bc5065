"""What became of requests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class RequestStats:
    """What became of the requests of a process, WebSocket connections included.

    ``seen = in_progress + recorded + not_sampled + not_recorded``. Each of the ``recorded`` is one row in the
    recording, whose :meth:`aiorerun.AsyncRecordingStream.stats` tells what became of it. Requests that have
    ended are handed to the recording within half a second, or a second where there are many, and before it is
    flushed or closed; asked for in another thread than that of the service, they count as ``recorded`` before
    that, or where there is a sample as ``in_progress`` for a moment.

    Attributes:
        seen: Requests that began, without those below.
        excluded: Requests that passed through untouched because of ``include`` and ``exclude``, or because
            there was no recording.
        recorded: Requests that ended, with a row.
        not_sampled: Requests that ended, and were not among the sample.
        not_recorded: Requests that ended when the recording was closed, or could not be recorded; the log
            says why.
        in_progress: Requests that have not ended yet.
    """

    seen: int = 0
    excluded: int = 0
    recorded: int = 0
    not_sampled: int = 0
    not_recorded: int = 0
    in_progress: int = 0

    def add(self, other: RequestStats) -> None:
        """Counts other requests as well."""
        self.seen += other.seen
        self.excluded += other.excluded
        self.recorded += other.recorded
        self.not_sampled += other.not_sampled
        self.not_recorded += other.not_recorded
        self.in_progress += other.in_progress

    def clear(self) -> None:
        """Counts from the beginning."""
        self.seen = self.excluded = self.recorded = 0
        self.not_sampled = self.not_recorded = self.in_progress = 0
