"""One file becomes several, by the times on a timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from aiorerun.codec.chunk_arrow import fixed_width_values
from aiorerun.codec.errors import RrdError
from aiorerun.codec.forward import forwarded_message
from aiorerun.codec.framing import MESSAGE_HEADER
from aiorerun.files.disk_table import DiskTable
from aiorerun.files.divide import divided
from aiorerun.files.progress import Stage
from aiorerun.files.reading import Note
from aiorerun.files.split import DEFAULTS, MAX_PARTS, SplitOptions, Splitting

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from aiorerun.codec.decoder import RawMessage
    from aiorerun.files.passing import ReadChunk
    from aiorerun.files.split import Part
    from aiorerun.types.timeline import TimelineKind

    Times = npt.NDArray[np.int64]

_NOWHERE: Final = -(1 << 63)
"""Stands for the part of rows that are not on the timeline; it becomes the first one."""


class Intervals(Protocol):
    """Says which times belong together."""

    def of(self, times: Times) -> Times:
        """A number per time, equal for times that belong together, and ascending with time."""
        ...


class Every:
    """Intervals of one length; they begin at multiples of it.

    Args:
        length: In steps of a sequence, or nanoseconds.

    Raises:
        ValueError: It is not positive.
    """

    def __init__(self, length: int) -> None:
        if not 0 < length < 1 << 63:
            raise ValueError(f"an interval is longer than nothing, not {length}")
        self._length = length

    def of(self, times: Times) -> Times:
        """See :class:`Intervals`."""
        return times // self._length


class Between:
    """Intervals between given times; a time belongs to the interval that it begins.

    Args:
        times: In any order.

    Raises:
        ValueError: There are none.
    """

    def __init__(self, times: Sequence[int]) -> None:
        if not times:
            raise ValueError("there is no time to split at")
        self._times = np.array(sorted(set(times)), np.int64)

    def of(self, times: Times) -> Times:
        """See :class:`Intervals`."""
        return np.searchsorted(self._times, times, side="right").astype(np.int64)


def split_by_time(
    path: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    timeline: str,
    intervals: Callable[[TimelineKind], Intervals],
    options: SplitOptions = DEFAULTS,
) -> list[Part]:
    """Splits a file into parts by the times on a timeline, each complete in itself.

    Parts begin as those of :func:`aiorerun.files.split.split_by_size`. Chunks that lie in one interval stay
    as they are. Rows of others are divided, and get chunk ids of their own; their row ids stay. There is a
    part for every interval with any row. Rows that are not on the timeline are in the first part.

    Args:
        path: The file, a pipe, or ``-`` for the standard input.
        folder: Where the parts go, as ``NAME_0000.rrd`` and so on; made if it does not exist.
        timeline: The timeline.
        intervals: Given the kind of the timeline, says which times belong into one part; a ``ValueError``
            that it raises comes back.
        options: How.

    Returns:
        The parts.

    Raises:
        RrdError: It is no RRD file, or damaged, or has no such timeline.
        OSError: It cannot be read, or a part not be written; then none of them appears.
        ValueError: There would be more than 10,000 parts.
    """
    with (
        Splitting(path, folder, options) as splitting,
        DiskTable("part", "place", others=("size", "is_whole")) as table,
    ):
        survey = _TimeSurvey(splitting, table, timeline, intervals)
        survey.run(options)
        splitting.begin_writing()
        _write_parts(splitting, table, survey, options)
        return splitting.parts.finish()


class _TimeSurvey:
    """Finds out which chunks have rows in which part."""

    def __init__(
        self,
        splitting: Splitting,
        table: DiskTable,
        timeline: str,
        intervals: Callable[[TimelineKind], Intervals],
    ) -> None:
        self._splitting = splitting
        self._table = table
        self._timeline = timeline
        self._make_intervals = intervals
        self._intervals: Intervals | None = None
        self._kind: TimelineKind | None = None
        self._others: set[str] = set()
        self._parts: set[int] = set()

    def run(self, options: SplitOptions) -> None:
        """Reads the file."""
        reader = self._splitting.reader
        # Damage is told of here: later only what was found is read.
        reader.on_note = options.on_note
        for _ in reader.messages(self._add, Stage(options.on_progress, 0, 2 * reader.size)):
            pass
        if self._kind is None:
            known = ", ".join(map(repr, sorted(self._others))) or "no timelines at all"
            raise RrdError(f"{reader.source.name} has no timeline {self._timeline!r}; there are: {known}")

    def _add(self, raw: RawMessage) -> None:
        found = self._splitting.survey(raw)
        if found is None:
            return
        chunk = found[1] or self._splitting.passing.chunk(raw)
        if not chunk.facts.indexes:
            raise RrdError("a chunk says that it is not static, and has no times")
        times = self.times(chunk)
        if times is None or not len(times):
            self._table.add(_NOWHERE, raw.offset, len(raw.payload), True)
            return
        ends = self.parts(np.array([times.min(), times.max()], np.int64)).tolist()
        parts = ends[:1] if ends[0] == ends[1] else np.unique(self.parts(times)).tolist()
        self._parts.update(parts)
        if len(self._parts) > MAX_PARTS:
            raise ValueError(f"this would make more than {MAX_PARTS} parts; choose longer intervals")
        for part in parts:
            self._table.add(part, raw.offset, len(raw.payload), len(parts) == 1)

    def times(self, chunk: ReadChunk) -> Times | None:
        """The times of a chunk on the timeline; ``None`` if it is not on it."""
        for index in chunk.facts.indexes:
            if index.timeline.name == self._timeline:
                self._check_kind(index.timeline.kind)
                return fixed_width_values(chunk.batch.column(index.column))
            self._others.add(index.timeline.name)
        return None

    def parts(self, times: Times) -> Times:
        """Which parts these times belong into."""
        assert self._intervals is not None
        return self._intervals.of(times)

    def _check_kind(self, kind: TimelineKind) -> None:
        if self._kind is None:
            self._kind = kind
            self._intervals = self._make_intervals(kind)
        elif self._kind is not kind:
            raise ValueError(f"the timeline {self._timeline!r} is of several kinds; it has no order")


def _write_parts(splitting: Splitting, table: DiskTable, survey: _TimeSurvey, options: SplitOptions) -> None:
    reader, parts = splitting.reader, splitting.parts
    done = reader.size
    last: int | None = None
    for part, place, size, is_whole in table.rows():
        if part != last and last not in (None, _NOWHERE):
            parts.end()
        last = part
        try:
            _write_rows(splitting, reader.read(place, size), None if is_whole else part, survey)
        except RrdError as error:
            if not options.continue_on_error:
                raise
            options.on_note(Note(reader.source.name, place - MESSAGE_HEADER.size, f"left out: {error}"))
        done += size
        options.on_progress(min(done, 2 * reader.size), 2 * reader.size)


def _write_rows(splitting: Splitting, raw: RawMessage, part: int | None, survey: _TimeSurvey) -> None:
    """Writes a chunk, or its rows in one part."""
    passing = splitting.passing
    chunk = passing.chunk(raw)
    if part is None:
        message = passing.message(raw)
        assert message is not None
        splitting.parts.write(chunk.store, message)
        return
    times = survey.times(chunk)
    assert times is not None
    target = chunk.store if passing.rename is None else passing.rename(chunk.store)
    for batch in divided(chunk.batch, survey.parts(times) == part):
        splitting.parts.write(chunk.store, forwarded_message(target, batch))
