"""The flight recorder of the asyncio API."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from aiorerun.flight.recorder import BaseFlightRecorder, now_ns

if TYPE_CHECKING:
    import os


class FlightRecorderSink(BaseFlightRecorder):
    """Keeps the newest rows in memory, and writes them to a file when something happens.

    It holds the announcement of the recording, its properties, blueprints and static data (the newest of each
    entity and set of components), and the rows with times of the last seconds, encoded as they come. Memory
    stays within the limits however long it runs. A dump is a complete recording: all of the former, and the
    rows that were logged in the last ``max_seconds`` before the dump was asked for, to the row. Their age is
    that since ``log``, whatever their times say; chunks that were sent as they are count from when they came.

    Dumps are made by :meth:`dump`, and by themselves if ``on_exception`` or ``on_signal`` say so. They are
    written beside the event loop, and appear under their names when they are complete. Rows that were logged
    before and still wait to be encoded are in them: they are waited for, at most two seconds. It goes on
    recording meanwhile. In a forked child it starts empty, and records the child.

    Several streams need one each; one stream may have it beside other sinks.

    Args:
        max_seconds: How far back a dump goes. By default as far as ``max_bytes`` allow.
        max_bytes: Encoded bytes that are kept, and half a KiB for each chunk, besides what is static. Where
            that does not do for ``max_seconds``, dumps go less far back, with one warning. ``None`` has no
            limit.
        path: What dumps are called that get no name of their own, with the fields of
            :class:`aiorerun.RotatingFileSink`. A name that is taken gets a number.
        on_exception: Make a dump when an exception ends the program or a thread, and when a task or callback
            raises one that nobody handles. It goes in front of ``sys.excepthook``, ``threading.excepthook``
            and the exception handler of the event loop, which are called as before, and put back when the
            sink is closed. Several within a second make one dump. ``KeyboardInterrupt`` and ``SystemExit``
            make none.
        on_signal: Make a dump when this signal comes, or one of these. What handled it before does so still,
            at once; where it would have ended the program, it does when the dump is written. Handlers belong
            to the main thread: event loops in other threads get none.
        max_dumps: So many dumps are made by exceptions and signals at most.
        max_static_bytes: So much is kept of what is static. Over that, the static data that was logged first
            is let go of, with one warning.
        overflow: The policy of this sink; by default that of the stream. See :data:`aiorerun.OverflowPolicy`.
        max_queued_bytes: Encoded bytes that may wait for it under a policy other than ``"wait"``.

    Attributes:
        last_dump: The last file that was written, for whatever reason.

    Raises:
        ValueError: There is no limit, or one is not positive; the path has other fields; a signal cannot be
            handled.
        TypeError: A limit is no number, or a signal is none.
    """

    async def dump(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Writes what it holds, with all that was logged before the call, to a file.

        Cancelling the call does not stop the dump. It works after the recording has closed the sink, too.

        Args:
            path: The file; replaced if it exists. By default a name as the ``path`` of the sink says.

        Returns:
            The file.

        Raises:
            OSError: It cannot be written; nothing is left of it, and a file that was there stays as it was.
        """
        target = None if path is None else Path(path)
        loop = self._loop
        if loop is None or loop is asyncio.get_running_loop() or not loop.is_running():
            return (await asyncio.shield(self._start(target))).path
        elsewhere = asyncio.run_coroutine_threadsafe(self._dump(target, now_ns()), loop)
        return (await asyncio.shield(asyncio.wrap_future(elsewhere))).path
