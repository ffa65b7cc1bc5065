"""Rows of requests that wait side by side in one piece of memory, and become a chunk together.

A busy service makes thousands of rows a second. Nothing is made for each of them here, neither when it is
written nor when a worker puts its values into columns: what a row costs is one call of :mod:`struct`.
"""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, Any, Final

from aiorerun.engine.cargo import Ready
from aiorerun.integrations.exchange import TIMELINE
from aiorerun.integrations.requests.rows import COLUMNS, HTTP_LETTERS
from aiorerun.pipeline.capture import FULL
from aiorerun.types.ids import ids
from aiorerun.types.timeline import Timeline, TimelineKind
from aiorerun.worker import pause

if TYPE_CHECKING:
    from aiorerun.codec.messages import Message
    from aiorerun.stream import AsyncRecordingStream
    from aiorerun.types.store import StoreId

INDEXES: Final = (
    Timeline("log_tick", TimelineKind.SEQUENCE),
    Timeline("log_time", TimelineKind.TIMESTAMP),
    Timeline(TIMELINE, TimelineKind.SEQUENCE),
)
"""The times of a row, in the order in which they are packed."""

_STRUCT: Final = struct.Struct(f"<{len(INDEXES)}q{HTTP_LETTERS}")
_LEAST_ROWS: Final = 32
_MOST_ROWS: Final = 16384
_ROW_ID_BYTES: Final = 20

pack_into: Final = _STRUCT.pack_into
"""Packs times and values of a row: buffer, place, one number per timeline, one value per column."""
WIDTH: Final = _STRUCT.size
"""Bytes of a row."""


class RowBuffer:
    """Where the rows of one route wait. Not thread-safe.

    Args:
        recording: Where they go.
        entity_path: Likewise.

    Attributes:
        memory: Where rows are packed.
        place: Where the next one goes.
        end: There is no room for a row from this place on.
    """

    __slots__ = ("_entity_path", "_rows", "end", "memory", "place", "recording")

    def __init__(self, recording: AsyncRecordingStream, entity_path: str) -> None:
        self.recording = recording
        self._entity_path = entity_path
        self._rows = _LEAST_ROWS
        self.memory = bytearray()
        self.place = self.end = 0

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.place // WIDTH

    def make_room(self) -> None:
        """Gets ready for more rows, after those that are there, if any, were pushed."""
        self.memory = bytearray(self._rows * WIDTH)
        self.place, self.end = 0, len(self.memory)

    def push(self, *, drop: bool = False) -> int:
        """Passes all rows on to the recording, or drops them; returns how many there were."""
        memory, size, rows = self.memory, self.place, self.rows
        self.memory = bytearray()
        self.place = self.end = 0
        if not rows or drop:
            return rows
        # Room for twice as many as this time; less than last time only little by little.
        self._rows = min(_MOST_ROWS, max(_LEAST_ROWS, 2 * rows, self._rows - self._rows // 8))
        recording = self.recording
        if recording._capture.gate == FULL:
            recording._engine.room.refuse(rows=rows)
        else:
            recording._capture.count_ready_rows(rows)
            job = _Job(recording._store, self._entity_path, memory, rows, time.perf_counter_ns())
            recording._engine.push(Ready(job, rows, size + rows * _ROW_ID_BYTES))
        return rows


class _Job:
    """Makes the message of packed rows, in the worker; lets go of the rows."""

    __slots__ = ("_clock_ns", "_entity_path", "_memory", "_rows", "_store")

    def __init__(self, store: StoreId, entity_path: str, memory: bytearray, rows: int, clock_ns: int) -> None:
        self._store = store
        self._entity_path = entity_path
        self._memory = memory
        self._rows = rows
        self._clock_ns = clock_ns

    def __call__(self) -> list[Message]:
        import numpy as np

        from aiorerun.codec.blocks import block_messages
        from aiorerun.pipeline.columns import CapturedColumn, ColumnBlock
        from aiorerun.types.encoding import ARRAY

        table: Any = np.frombuffer(self._memory, _dtype(), self._rows)
        self._memory = bytearray()
        indexes = [(timeline, table[timeline.name].copy()) for timeline in INDEXES]
        columns = [
            CapturedColumn(descriptor, encoding, (ARRAY, table[descriptor.component].copy()))
            for descriptor, encoding in COLUMNS
        ]
        block = ColumnBlock.of(self._entity_path, indexes, columns, self._rows)
        return block_messages(self._store, block, ids, self._clock_ns, pause)


def _dtype() -> Any:
    """What numpy calls a row."""
    import numpy as np

    letters = {"?": "?", "d": "<f8", "H": "<u2", "Q": "<u8"}
    names = [timeline.name for timeline in INDEXES] + [descriptor.component for descriptor, _ in COLUMNS]
    kinds = ["<i8"] * len(INDEXES) + [letters[letter] for letter in HTTP_LETTERS]
    return np.dtype(list(zip(names, kinds, strict=True)))
