"""A recording for tests of integrations, and what has arrived in it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import aiorerun.sync as rr
from aiorerun.sync.testing import CaptureSink

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiorerun.testing import CapturedRow, CapturedRows


class Recorded:
    """A recording of the blocking API in memory."""

    def __init__(self, **options: Any) -> None:
        self.rec = rr.RecordingStream("app", send_properties=False, **options)
        self.sink = CaptureSink()
        self.rec.set_sinks(self.sink)

    def rows(self, path: str | None = None) -> CapturedRows:
        return self.sink.rows(path)

    def row(self, path: str | None = None) -> CapturedRow:
        (row,) = self.rows(path)
        return row

    def values(self, path: str | None = None) -> dict[str, Any]:
        """The single values of the only row, by component."""
        return {name: value[0] for name, value in self.row(path).values.items()}

    def until(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.sink
            time.sleep(0.005)

    def close(self) -> None:
        self.rec.disconnect()
