"""Accumulators: the rows of one kind that wait to be cut off."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiorerun.pipeline.limits import Gate
    from aiorerun.types.form import Form
    from aiorerun.types.timepoint import RowLayout

ROW_OVERHEAD: Final = 48
"""Bytes that keeping a row costs beside its payload: object header and list slot."""

SMALL_BYTES: Final = 512
"""What a row with objects is taken to hold in them if it is less; only more is counted exactly."""

PASS: Final = 0
"""Of a row: it is taken."""
HOLD: Final = 1
"""Of a row: it is kept until it may pass, or a newer one takes its place."""
DROP: Final = 2
"""Of a row: it is left out, and counted."""


class GuardedList(list[Any]):
    """A list whose appending is locked, for builds of Python without a GIL."""

    def __init__(self, lock: Any) -> None:
        super().__init__()
        self._lock = lock

    def append(self, item: Any) -> None:
        """Under the lock."""
        with self._lock:
            super().append(item)

    def extend(self, items: Any) -> None:
        """Under the lock."""
        with self._lock:
            super().extend(items)


class Accumulator:
    """Rows of one entity, form and timeline set that wait to be cut off.

    Attributes:
        rows: ``stride`` entries per row: the packed head, then the objects. Always the same list.
        pack: Packs a head: the fields of the layout, and the fixed-width columns.
        group: Cuts of equal groups become rows of the same chunk.
        full: A cut is due when ``rows`` has this many entries.
        limit: Somebody looks at it when ``rows`` has this many entries. 0 once it is given up.
        object_bytes: What the objects of the waiting rows hold on to; guarded by the capture's lock.
        gate: Which rows get in, if they are limited.
    """

    __slots__ = (
        "_encoded_ns", "_encoded_rows", "entity_path", "form", "full", "gate", "group", "idle_cuts", "key",
        "layout", "limit", "object_bytes", "pack", "row_bytes", "rows", "stride",
    )  # fmt: skip

    def __init__(self, key: Any, entity_path: str, form: Form, layout: RowLayout) -> None:
        self.key = key
        self.entity_path = entity_path
        self.form = form
        self.layout = layout
        self.rows: list[Any] = []
        self.stride = 1 + len(form.objects)
        self.pack: Callable[..., bytes] = struct.Struct(f"{layout.format}{form.fixed_width}s").pack
        self.row_bytes = layout.width + form.fixed_width + ROW_OVERHEAD
        if form.objects:
            self.row_bytes += SMALL_BYTES
        self.object_bytes = 0
        self.idle_cuts = 0
        self.gate: Gate | None = None
        self.full = 1
        self.limit = 1
        columns = frozenset((spec.descriptor, spec.encoding) for spec in form.columns)
        self.group = (entity_path, layout.timelines, columns)
        self._encoded_ns = self._encoded_rows = 0

    def note_encoded(self, rows: int, cpu_ns: int) -> None:
        """So many of its rows, cut off together, took so much CPU time to encode."""
        self._encoded_rows, self._encoded_ns = rows, cpu_ns

    def expected_ns(self, rows: int) -> float:
        """How long so many rows will take to encode, going by the last ones; infinite for the first."""
        known = self._encoded_rows
        return self._encoded_ns * max(rows, known) / known if known else math.inf


class Cut:
    """Rows taken off an accumulator: what a chunk will be assembled from.

    Attributes:
        source: The accumulator they came from (for its form and layout).
        rows: The entries, ``source.stride`` per row. Whoever assembles the chunk empties it.
        num_rows: How many rows.
        cost: The bytes it holds on to, for the byte limit.
    """

    __slots__ = ("cost", "num_rows", "rows", "source")

    def __init__(self, source: Accumulator, rows: list[Any], cost: int) -> None:
        self.source = source
        self.rows = rows
        self.num_rows = len(rows) // source.stride
        self.cost = cost


def size_of_entry(accumulator: Accumulator, entry: tuple[Any, ...]) -> int:
    """What the objects of a row hold on to."""
    return sum(sizer(value) for sizer, value in zip(accumulator.form.sizers, entry[1:], strict=True))
