"""The flight recorder of the blocking API."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from aiorerun.flight.recorder import BaseFlightRecorder, now_ns

if TYPE_CHECKING:
    import os


class FlightRecorderSink(BaseFlightRecorder):
    """Keeps the newest rows in memory, and writes them to a file when something happens.

    See :class:`aiorerun.FlightRecorderSink`, whose arguments it has. Handlers of signals are put in by the
    main thread, when that attaches the sink or next waits for a recording of the blocking API.
    """

    def dump(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Writes what it holds, with all that was logged before the call, to a file.

        It works after the recording has closed the sink, too.

        Args:
            path: The file; replaced if it exists. By default a name as the ``path`` of the sink says.

        Returns:
            The file.

        Raises:
            OSError: It cannot be written; nothing is left of it, and a file that was there stays as it was.
            RuntimeError: The event loop that drives the sink runs in this thread, and would be blocked.
        """
        if self._loop is not None and asyncio._get_running_loop() is self._loop:
            raise RuntimeError(
                "dump: the event loop of this sink runs here; use aiorerun.FlightRecorderSink and await it"
            )
        return self._dump_from_thread(None if path is None else Path(path), now_ns(), None).path
