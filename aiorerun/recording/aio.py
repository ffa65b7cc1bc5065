"""Recordings in the asyncio API: reading happens in a thread, never on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from aiorerun.codec.errors import RrdError
from aiorerun.recording.archive import open_archive
from aiorerun.recording.base import BaseRecording
from aiorerun.recording.follow import POLL_SECS, Tail
from aiorerun.recording.source import name_of
from aiorerun.types.store import StoreKind

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable
    from typing import Self

    import pyarrow as pa

    from aiorerun.codec.store_index import StoreIndex
    from aiorerun.recording.chunk import Chunk
    from aiorerun.recording.follow import Item
    from aiorerun.recording.source import Source

T = TypeVar("T")


async def off_loop(function: Callable[[], T]) -> T:
    """Runs a function that blocks in a thread. Cancelling does not stop it, its result is dropped."""
    return await asyncio.get_running_loop().run_in_executor(None, function)


class Recording(BaseRecording):
    """A recording, or a blueprint, in a file; see :func:`load_recording`.

    What is in it (:meth:`schema`, :meth:`entities`, :meth:`timelines`) is known at once; data is read when it
    is asked for, and only that. pandas, polars, DuckDB and others take a recording as it is over the Arrow
    PyCapsule interface, one row per logged row, and read it in the thread in which they run: on an event
    loop call them in ``asyncio.to_thread``, or give them the table of :meth:`to_table`.

    Example:
        >>> import asyncio
        >>> import aiorerun as rr
        >>> async def main():
        ...     async with rr.AsyncRecordingStream("rerun_example_wave", recording_id="wave") as rec:
        ...         await rec.save("wave.rrd")
        ...         for frame in range(3):
        ...             rec.set_time("frame", sequence=frame)
        ...             await rec.log("wave", rr.Scalars(frame / 2))
        ...     recording = await rr.recording.load_recording("wave.rrd")
        ...     print(recording.recording_id(), recording.entities())
        ...     print(recording.timelines()["frame"].end)
        ...     rows = await recording.rows("wave", component="Scalars:scalars", timeline="frame")
        ...     print(rows.column("Scalars:scalars").to_pylist())
        ...     print(sum([chunk.num_rows async for chunk in recording.chunks(entity_path="wave")]))
        ...     print((await recording.to_table(entity_path="wave", timeline="frame")).column_names)
        >>> asyncio.run(main())
        wave ['/__properties', '/wave']
        2
        [[0.0], [0.5], [1.0]]
        3
        ['rerun.controls.RowId', 'frame', '/wave:Scalars:scalars']
    """

    async def chunks(
        self,
        *,
        entity_path: str | list[object] | None = None,
        component: str | None = None,
        timeline: str | None = None,
    ) -> AsyncIterator[Chunk]:
        """Its chunks, in the order of the file; only what matches is read.

        Cancelling loses nothing but the iteration.

        Args:
            entity_path: Only of this entity.
            component: Only with this component.
            timeline: Only with rows on this timeline; static ones hold always, and are included.

        Raises:
            RrdError: The file is damaged.
        """
        chosen = self._chosen(entity_path, component, timeline)
        for group in await off_loop(lambda: list(self._groups(*chosen))):
            chunks = deque(await off_loop(partial(self._load_group, group)))
            while chunks:
                yield chunks.popleft()

    async def rows(
        self, entity_path: str | list[object], *, component: str, timeline: str | None = None
    ) -> pa.Table:
        """The rows of an entity that have a component: row id, times, and a list of instances per row.

        What the recording does not have, an entity, a component or a timeline, has no rows: the table is
        empty then. :meth:`schema` says what there is.

        Args:
            entity_path: The entity.
            component: The component, e.g. ``"Points3D:positions"``.
            timeline: Only rows on this timeline, sorted by it, static rows (without a time) first. By default
                all rows with all their times, sorted by row id, that is in the order they were logged.

        Raises:
            RrdError: The file is damaged, or the component changes its type.
        """
        return await off_loop(partial(self._rows, entity_path, component, timeline))

    async def to_table(
        self,
        *,
        entity_path: str | list[object] | None = None,
        component: str | None = None,
        timeline: str | None = None,
    ) -> pa.Table:
        """All rows as one table in memory, in the columns of :meth:`to_reader`; same arguments.

        Raises:
            RrdError: The file is damaged, or a component changes its type.
        """
        return await off_loop(partial(self._table, entity_path, component, timeline))


class RRDArchive:
    """All recordings and blueprints of a file; see :func:`load_archive`.

    The file stays open as long as anything of it is in use; ``async with`` or :meth:`aclose` close it.

    Example:
        >>> import asyncio
        >>> import aiorerun as rr
        >>> async def main():
        ...     async with rr.AsyncRecordingStream("rerun_example_archive", recording_id="one") as rec:
        ...         await rec.save("archive.rrd")
        ...         await rec.log("wave", rr.Scalars(1.0))
        ...     async with await rr.recording.load_archive("archive.rrd") as archive:
        ...         print(archive.num_recordings(), archive.num_blueprints())
        ...         print([recording.recording_id() for recording in archive.all_recordings()])
        >>> asyncio.run(main())
        1 0
        ['one']
    """

    def __init__(self, source: Source, indexes: list[StoreIndex]) -> None:
        self._source = source
        self._stores = [Recording(source, index) for index in indexes]

    def num_recordings(self) -> int:
        """How many recordings the file has."""
        return len(self.all_recordings())

    def all_recordings(self) -> list[Recording]:
        """The recordings, in the order in which they begin."""
        return [store for store in self._stores if store.kind is StoreKind.RECORDING]

    def num_blueprints(self) -> int:
        """How many blueprints the file has."""
        return len(self.all_blueprints())

    def all_blueprints(self) -> list[Recording]:
        """The blueprints, in the order in which they begin."""
        return [store for store in self._stores if store.kind is StoreKind.BLUEPRINT]

    async def aclose(self) -> None:
        """Closes the file: what was not read cannot be read any more."""
        self._source.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"RRDArchive({self._source.name!r}, {self._stores!r})"


async def load_archive(
    path: str | os.PathLike[str], *, on_error: Callable[[RrdError], None] | None = None
) -> RRDArchive:
    """Opens an RRD file with any number of recordings and blueprints.

    With a footer only that is read; data follows when it is asked for. Files without one (cut off, joined,
    still being written) are read once from front to back to find out what they hold; what is incomplete at
    the end is left out. A pipe is copied to a temporary file first.

    Cancelling stops the reading.

    Args:
        path: The file, a pipe, or ``-`` for the standard input.
        on_error: Gets what is wrong with a message, which is then left out; by default it is raised.

    Raises:
        RrdError: It is no RRD file, or damaged.
        OSError: It cannot be opened or read.
    """
    stop = threading.Event()
    errors: list[RrdError] = []
    collect = None if on_error is None else errors.append
    try:
        source, indexes = await off_loop(partial(open_archive, path, collect, stop))
    except asyncio.CancelledError:
        stop.set()
        raise
    if on_error is not None:
        for error in errors:
            on_error(error)
    return RRDArchive(source, indexes)


async def load_recording(
    path: str | os.PathLike[str], *, on_error: Callable[[RrdError], None] | None = None
) -> Recording:
    """Opens an RRD file that holds exactly one recording (and maybe blueprints); see :func:`load_archive`.

    Raises:
        ValueError: It holds none, or several.
        RrdError: It is no RRD file, or damaged.
        OSError: It cannot be opened or read.
    """
    archive = await load_archive(path, on_error=on_error)
    recordings = archive.all_recordings()
    if len(recordings) != 1:
        await archive.aclose()
        raise not_one(path, len(recordings))
    return recordings[0]


def not_one(path: str | os.PathLike[str], count: int) -> ValueError:
    """The error for a file with none or several recordings."""
    return ValueError(
        f"load_recording: {name_of(path)} holds {count} recordings instead of one; use load_archive()"
    )


class follow:
    """Follows a file that is still being written: gives each chunk when it is complete.

    It begins with what is there already and ends when the stream in the file does (its writer disconnects) or
    with :meth:`aclose`. A pipe ends when its writer closes it. The file is looked at in a thread, every
    ``poll_interval`` seconds while nothing new comes; of what was found, about a mebibyte is held.

    Cancelling a task that waits for the next chunk loses none of them. After an :class:`~aiorerun.RrdError`
    about one damaged chunk the iteration can go on.

    Args:
        path: The file, a pipe, or ``-`` for the standard input.
        poll_interval: Seconds between two looks.

    Raises:
        RrdError: While iterating: the file is no RRD file, or damaged.
        OSError: While iterating: it cannot be opened or read.

    Example:
        >>> import asyncio
        >>> import aiorerun as rr
        >>> async def write(rec):
        ...     for frame in range(3):
        ...         rec.set_time("frame", sequence=frame)
        ...         await rec.log("wave", rr.Scalars(frame))
        ...         await rec.flush()
        ...     await rec.disconnect()
        >>> async def main():
        ...     rec = rr.AsyncRecordingStream("rerun_example_live", recording_id="x", send_properties=False)
        ...     await rec.save("live.rrd")
        ...     writing = asyncio.create_task(write(rec))
        ...     async for chunk in rr.recording.follow("live.rrd"):
        ...         print(chunk.entity_path, chunk.column("frame").to_pylist())
        ...     await writing
        >>> asyncio.run(main())
        /wave [0]
        /wave [1]
        /wave [2]
    """

    def __init__(self, path: str | os.PathLike[str], *, poll_interval: float = POLL_SECS) -> None:
        self._tail = Tail(path)
        self._interval = poll_interval
        self._found: deque[Item] = deque()
        self._reading: asyncio.Future[list[Item]] | None = None
        self._closing = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        while not self._closing.is_set():
            if self._found:
                item = self._found.popleft()
                if isinstance(item, RrdError):
                    raise item
                return item
            # The last look may have been made for somebody who was cancelled.
            if self._tail.has_ended and self._reading is None:
                break
            await self._read()
            if not self._found and not self._tail.has_ended:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._interval):
                        await self._closing.wait()
        raise StopAsyncIteration

    async def _read(self) -> None:
        if self._reading is None:
            self._reading = asyncio.get_running_loop().run_in_executor(None, self._tail.read)
            self._reading.add_done_callback(_retrieve)
        reading = self._reading
        # Cancelled or not, what the thread finds is there the next time.
        await asyncio.wait([reading])
        if self._reading is reading:
            self._reading = None
            self._found.extend(reading.result())

    async def aclose(self) -> None:
        """Ends the iteration, in another task too, and closes the file."""
        self._closing.set()
        self._found.clear()
        if self._reading is not None:
            await asyncio.wait([self._reading])
        self._tail.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()


def _retrieve(future: asyncio.Future[list[Item]]) -> None:
    """Marks the outcome as seen: whoever iterates gets it, if anybody still does."""
    if not future.cancelled():
        future.exception()
