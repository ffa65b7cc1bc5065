"""Reading recordings back, blocking: ``rr.recording.load_recording("file.rrd")``."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from aiorerun.codec.errors import RrdError
from aiorerun.recording.aio import not_one
from aiorerun.recording.archive import open_archive
from aiorerun.recording.base import BaseRecording
from aiorerun.recording.chunk import Chunk
from aiorerun.recording.follow import POLL_SECS, Tail
from aiorerun.recording.schema import (
    ComponentColumnDescriptor,
    IndexColumnDescriptor,
    Schema,
    TimelineRange,
)
from aiorerun.types.store import StoreKind

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from typing import Self

    import pyarrow as pa

    from aiorerun.codec.store_index import StoreIndex
    from aiorerun.recording.follow import Item
    from aiorerun.recording.source import Source

__all__ = [
    "Chunk",
    "ComponentColumnDescriptor",
    "IndexColumnDescriptor",
    "RRDArchive",
    "Recording",
    "Schema",
    "TimelineRange",
    "follow",
    "load_archive",
    "load_recording",
]


class Recording(BaseRecording):
    """A recording, or a blueprint, in a file; see :func:`load_recording`.

    What is in it (:meth:`schema`, :meth:`entities`, :meth:`timelines`) is known at once; data is read when it
    is asked for, and only that. pandas, polars, DuckDB and others take a recording as it is over the Arrow
    PyCapsule interface, one row per logged row.

    Example:
        >>> import aiorerun.sync as rr
        >>> import pyarrow as pa
        >>> rec = rr.RecordingStream("rerun_example_wave", recording_id="wave")
        >>> rec.save("wave.rrd")
        >>> for frame in range(3):
        ...     rec.set_time("frame", sequence=frame)
        ...     rec.log("wave", rr.Scalars(frame / 2))
        >>> rec.disconnect()
        >>> recording = rr.recording.load_recording("wave.rrd")
        >>> recording.recording_id(), recording.entities()
        ('wave', ['/__properties', '/wave'])
        >>> rows = recording.rows("wave", component="Scalars:scalars", timeline="frame")
        >>> rows.column("Scalars:scalars").to_pylist()
        [[0.0], [0.5], [1.0]]
        >>> sum(chunk.num_rows for chunk in recording.chunks(entity_path="wave"))
        3
        >>> pa.table(recording).num_rows
        4
    """

    def chunks(
        self,
        *,
        entity_path: str | list[object] | None = None,
        component: str | None = None,
        timeline: str | None = None,
    ) -> Iterator[Chunk]:
        """Its chunks, in the order of the file; each is read when it is used, only what matches.

        Args:
            entity_path: Only of this entity.
            component: Only with this component.
            timeline: Only with rows on this timeline; static ones hold always, and are included.
        """
        return self._lazy_chunks(*self._chosen(entity_path, component, timeline))

    def rows(
        self, entity_path: str | list[object], *, component: str, timeline: str | None = None
    ) -> pa.Table:
        """The rows of an entity that have a component; see :meth:`aiorerun.recording.Recording.rows`.

        What the recording does not have has no rows: the table is empty then. :meth:`schema` says what there
        is.

        Raises:
            RrdError: The file is damaged, or the component changes its type.
        """
        return self._rows(entity_path, component, timeline)

    def to_table(
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
        return self._table(entity_path, component, timeline)


class RRDArchive:
    """All recordings and blueprints of a file; see :func:`load_archive`.

    The file stays open as long as anything of it is in use; ``with`` or :meth:`close` close it at once.

    Example:
        >>> import aiorerun.sync as rr
        >>> rec = rr.RecordingStream("rerun_example_archive", recording_id="one")
        >>> rec.save("archive.rrd")
        >>> rec.log("wave", rr.Scalars(1.0))
        >>> rec.disconnect()
        >>> with rr.recording.load_archive("archive.rrd") as archive:
        ...     print(archive.num_recordings(), archive.all_recordings()[0].recording_id())
        1 one
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

    def close(self) -> None:
        """Closes the file: what was not read cannot be read any more."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"RRDArchive({self._source.name!r}, {self._stores!r})"


def load_archive(
    path: str | os.PathLike[str], *, on_error: Callable[[RrdError], None] | None = None
) -> RRDArchive:
    """Opens an RRD file with any number of recordings and blueprints.

    With a footer only that is read; data follows when it is asked for. Files without one (cut off, joined,
    still being written) are read once from front to back to find out what they hold; what is incomplete at
    the end is left out. A pipe is copied to a temporary file first.

    Args:
        path: The file, a pipe, or ``-`` for the standard input.
        on_error: Gets what is wrong with a message, which is then left out; by default it is raised.

    Raises:
        RrdError: It is no RRD file, or damaged.
        OSError: It cannot be opened or read.
    """
    return RRDArchive(*open_archive(path, on_error))


def load_recording(
    path: str | os.PathLike[str], *, on_error: Callable[[RrdError], None] | None = None
) -> Recording:
    """Opens an RRD file that holds exactly one recording (and maybe blueprints); see :func:`load_archive`.

    Raises:
        ValueError: It holds none, or several.
        RrdError: It is no RRD file, or damaged.
        OSError: It cannot be opened or read.
    """
    archive = load_archive(path, on_error=on_error)
    recordings = archive.all_recordings()
    if len(recordings) != 1:
        archive.close()
        raise not_one(path, len(recordings))
    return recordings[0]


class follow:
    """Follows a file that is still being written: gives each chunk when it is complete.

    It begins with what is there already and ends when the stream in the file does (its writer disconnects) or
    with :meth:`close`, which may come from another thread. A pipe ends when its writer closes it. The file is
    looked at every ``poll_interval`` seconds while nothing new comes; of what was found, about a mebibyte is
    held. After an :class:`~aiorerun.RrdError` about one damaged chunk the iteration can go on.

    Args:
        path: The file, a pipe, or ``-`` for the standard input.
        poll_interval: Seconds between two looks.

    Raises:
        RrdError: While iterating: the file is no RRD file, or damaged.
        OSError: While iterating: it cannot be opened or read.

    Example:
        >>> import aiorerun.sync as rr
        >>> rec = rr.RecordingStream("rerun_example_live", recording_id="x", send_properties=False)
        >>> rec.save("live.rrd")
        >>> rec.log("wave", rr.Scalars(1.5))
        >>> rec.flush()
        >>> with rr.recording.follow("live.rrd") as chunks:
        ...     print(next(chunks).column("Scalars:scalars").to_pylist())
        [[1.5]]
        >>> rec.disconnect()
    """

    def __init__(self, path: str | os.PathLike[str], *, poll_interval: float = POLL_SECS) -> None:
        self._tail = Tail(path)
        self._interval = poll_interval
        self._found: deque[Item] = deque()
        self._closing = threading.Event()
        self._reading = threading.Lock()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Chunk:
        while not self._closing.is_set():
            with self._reading:
                if not self._found and not self._tail.has_ended:
                    self._found.extend(self._tail.read())
                item = self._found.popleft() if self._found else None
            if isinstance(item, RrdError):
                raise item
            if item is not None:
                return item
            if self._tail.has_ended:
                break
            self._closing.wait(self._interval)
        raise StopIteration

    def close(self) -> None:
        """Ends the iteration, in another thread too, and closes the file."""
        self._closing.set()
        with self._reading:
            self._found.clear()
            self._tail.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
