"""Assembling: rows that were cut off become chunks. Runs in the worker, once per chunk."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from aiorerun.pipeline.accumulator import Accumulator, Cut
from aiorerun.pipeline.chunk import Chunk, ComponentData, IndexColumn
from aiorerun.types.encoding import ARRAY, ARROW, BLOB, FIXED, PACKED, RAW, TEXT, TEXTS
from aiorerun.types.flat import FlatArray, Pieces
from aiorerun.types.flat_arrow import flatten, unflatten
from aiorerun.types.timepoint import STATIC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy.typing as npt

    from aiorerun.types.descriptors import ComponentDescriptor
    from aiorerun.types.encoding import Encoding
    from aiorerun.types.form import ColumnSpec, Form, Row
    from aiorerun.types.timeline import Timeline
    from aiorerun.types.timepoint import RowLayout
    from aiorerun.types.tuid import TuidSource

BLOCK: Final = 4096
"""Rows that are joined, or let go, in one step; between steps other threads get their turn."""


def no_pause() -> None:
    """Stands for "nobody else needs a turn"."""


def grouped(cuts: Iterable[Cut]) -> Iterable[list[Cut]]:
    """The cuts of equal groups together (entity, timelines, components and their encodings)."""
    groups: dict[Any, list[Cut]] = {}
    for cut in cuts:
        groups.setdefault(cut.source.group, []).append(cut)
    return groups.values()


def assemble(
    group: Sequence[Cut], ids: TuidSource, max_rows_if_unsorted: int, pause: Callable[[], None] = no_pause
) -> Iterator[Chunk]:
    """Makes chunks of rows that were cut off, ordered by when they were logged.

    Args:
        group: What was cut off, of equal groups; their ``rows`` are let go on the way, and empty afterwards.
        ids: Where row and chunk ids come from.
        max_rows_if_unsorted: A chunk with at least this many rows and an unsorted timeline is split.
        pause: Called between steps of about a millisecond.
    """
    if len(group) == 1 and group[0].num_rows == 1:
        yield _one_row(group[0], ids)
    else:
        parts = [_Part(cut, pause) for cut in group]
        block = parts[0] if len(parts) == 1 else _Merged(parts)
        yield from _chunks(group[0], block, ids, max_rows_if_unsorted)
    pause()


def single_row_chunk(
    entity_path: str,
    row: Row,
    ids: TuidSource,
    clock_ns: int,
    layout: RowLayout = STATIC,
    times: Sequence[int] = (),
) -> Chunk:
    """A chunk of one row, made at once: for what does not go through the batcher.

    Args:
        entity_path: In normal form.
        row: The row.
        ids: Where its ids come from.
        clock_ns: When it was logged, on the monotonic clock of the capture.
        layout: Its timelines; none make it static.
        times: One time for each of them.
    """
    return stamped_row_chunk(entity_path, row, ids, (layout, layout.pack(clock_ns, *times)))


def stamped_row_chunk(entity_path: str, row: Row, ids: TuidSource, stamp: tuple[RowLayout, bytes]) -> Chunk:
    """A chunk of one row with given times, made at once.

    Args:
        entity_path: In normal form.
        row: The row.
        ids: Where its ids come from.
        stamp: Its times, as :meth:`aiorerun.pipeline.capture.Capture.stamp` gives them.
    """
    form, fixed, objects = row
    layout, head = stamp
    accumulator = Accumulator(None, entity_path, form, layout)
    cut = Cut(accumulator, [head + fixed, *objects], 0)
    return next(assemble([cut], ids, 1))


def _one_row(cut: Cut, ids: TuidSource) -> Chunk:
    """The chunk of a single row, without the machinery for tables of them, which costs more than the row."""
    source = cut.source
    layout = source.layout
    head, *objects = cut.rows
    cut.rows.clear()
    times = np.frombuffer(head, _TIME, 1 + len(layout.timelines))
    components: list[ComponentData] = []
    for spec, start, position in _places(source.form):
        offsets = _ONE
        if position < 0:
            raw = np.ndarray((1, spec.encoding.width), np.uint8, head, layout.width + start)
            values = spec.encoding.fixed_column(raw)
        else:
            values = _values_of_one(spec, objects[position])
            if spec.shape not in _SINGLE and values.length != 1:
                offsets = np.array((0, values.length), np.int32)
        components.append(ComponentData(spec.descriptor, offsets, values))
    return Chunk(
        ids.next(),
        source.entity_path,
        ids.row_ids(times[:1]),
        tuple([IndexColumn(timeline, times[at : at + 1], True) for at, timeline in _times_in_order(layout)]),
        tuple(components),
    )


@lru_cache(maxsize=1024)
def _places(form: Form) -> tuple[tuple[ColumnSpec, int, int], ...]:
    """The columns in the order of a chunk; where each begins in the packed ones, or which object it is."""
    places: list[tuple[ColumnSpec, int, int]] = []
    start = objects = 0
    for spec in form.columns:
        if spec.shape == FIXED:
            places.append((spec, start, -1))
            start += spec.encoding.width
        else:
            places.append((spec, 0, objects))
            objects += 1
    places.sort(key=lambda place: _component_order(place[0]))
    return tuple(places)


@lru_cache(maxsize=1024)
def _times_in_order(layout: RowLayout) -> tuple[tuple[int, Timeline], ...]:
    """The timelines in the order of a chunk, each with the place of its field in the head of a row."""
    fields = list(enumerate(layout.timelines, start=1))
    fields.sort(key=lambda field: field[1].name.encode())
    return tuple(fields)


def _values_of_one(spec: ColumnSpec, data: Any) -> FlatArray:
    """All values of one row's component."""
    shape = spec.shape
    if shape == ARRAY:
        return spec.encoding.array_column(data)
    if shape == RAW:
        return spec.encoding.raw_column((data,))
    if shape == TEXT:
        text = data.encode()
        return FlatArray(pa.utf8(), 1, _ONE_NODE, [None, np.array((0, len(text)), np.int32), text])
    return _values(spec, (data,))[1]


class _Part:
    """The rows of one cut in columns, in the order in which they were logged.

    Attributes:
        clock: When each was captured.
        times: The values of the timelines, one line per timeline.
        columns: What is kept of each component: its spec, and the values of all rows.
    """

    __slots__ = ("clock", "columns", "layout", "num_rows", "times")

    def __init__(self, cut: Cut, pause: Callable[[], None]) -> None:
        form, layout = cut.source.form, cut.source.layout
        self.layout = layout
        self.num_rows = count = cut.num_rows
        heads, objects = _take(cut.rows, cut.source.stride, pause)
        width = layout.width + form.fixed_width
        # The heads lie one behind the other: taken column by column, nothing is copied byte by byte.
        times = np.ndarray((layout.width // 8, count), _TIME, heads, 0, (8, width)).copy()
        order = _order(times[0])
        if order is not None:
            times = times[:, order]
            objects = [[column[row] for row in order] for column in objects]
        self.clock = times[0]
        self.times = times[1:]
        self.columns: dict[Any, tuple[ColumnSpec, Any]] = {}
        start = layout.width
        remaining = iter(objects)
        for spec in form.columns:
            if spec.shape == FIXED:
                size = spec.encoding.width
                self.columns[spec.descriptor] = (spec, _fixed_column(heads, count, width, start, size, order))
                start += size
            else:
                self.columns[spec.descriptor] = (spec, next(remaining))
            pause()


def _fixed_column(
    heads: bytes, count: int, width: int, start: int, size: int, order: npt.NDArray[np.intp] | None
) -> npt.NDArray[Any]:
    """The values of a FIXED column, one line per row, in units of as many bytes as there can be."""
    unit = next(unit for unit in (8, 4, 2, 1) if not size % unit)
    values: npt.NDArray[Any] = np.ndarray((count, size // unit), _UNITS[unit], heads, start, (width, unit))
    return values if order is None else values[order]


def _take(rows: list[Any], stride: int, pause: Callable[[], None]) -> tuple[bytes, list[list[Any]]]:
    """Takes rows apart: all heads joined, and one list per object column.

    Empties ``rows`` step by step, so that letting go of many objects never holds other threads up for long.
    """
    step = BLOCK * stride
    if stride == 1 and len(rows) <= step:
        joined = b"".join(rows)
        rows.clear()
        return joined, []
    objects = [rows[position::stride] for position in range(1, stride)]
    heads: list[bytes] = []
    for start in range(0, len(rows), step):
        heads.append(b"".join(rows[start : start + step : stride]))
        pause()
    while rows:
        del rows[-step:]
        pause()
    return (heads[0] if len(heads) == 1 else b"".join(heads)), objects


def _order(clock: npt.NDArray[np.int64]) -> npt.NDArray[np.intp] | None:
    """How to sort the rows by when they were logged; ``None`` if they are. Threads may interleave."""
    return None if _is_sorted(clock) else np.argsort(clock, kind="stable")


def _is_sorted(times: npt.NDArray[np.int64]) -> bool:
    return bool((times[1:] >= times[:-1]).all())


class _Merged:
    """Rows of several cuts whose values were kept in different shapes, as one."""

    __slots__ = ("clock", "columns", "layout", "num_rows", "times")

    def __init__(self, parts: Sequence[_Part]) -> None:
        self.layout = parts[0].layout
        self.num_rows = sum(part.num_rows for part in parts)
        clock = np.concatenate([part.clock for part in parts])
        order = np.argsort(clock, kind="stable")
        self.clock = clock[order]
        self.times = np.concatenate([part.times for part in parts], axis=1)[:, order]
        self.columns: dict[Any, tuple[npt.NDArray[np.int32], FlatArray]] = {}
        for descriptor in parts[0].columns:
            columns = [_with_lengths(*_values(*part.columns[descriptor])) for part in parts]
            self.columns[descriptor] = _reordered(columns, order)


def _with_lengths(
    lengths: npt.NDArray[np.int32] | None, values: FlatArray
) -> tuple[npt.NDArray[np.int32], FlatArray]:
    return (np.ones(values.length, np.int32) if lengths is None else lengths), values


def _reordered(
    columns: Sequence[tuple[npt.NDArray[np.int32], FlatArray]], order: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.int32], FlatArray]:
    """Joins columns (lengths, values) and puts their rows in another order."""
    lengths = np.concatenate([lengths for lengths, _ in columns])
    values = pa.concat_arrays([unflatten(values) for _, values in columns])
    offsets = _offsets(lengths)
    # Rows that stay neighbours are taken as one piece. Not by Arrow's `take`: the first use of its compute
    # functions imports them, which takes a tenth of a second.
    ends = [*(np.flatnonzero(np.diff(order) != 1) + 1).tolist(), len(order)]
    pieces: list[pa.Array[Any]] = []
    for start, end in pairwise([0, *ends]):
        first, last = int(offsets[order[start]]), int(offsets[order[end - 1] + 1])
        pieces.append(values.slice(first, last - first))
    return lengths[order], flatten(pa.concat_arrays(pieces))


def _chunks(cut: Cut, block: _Part | _Merged, ids: TuidSource, max_rows_if_unsorted: int) -> Iterator[Chunk]:
    layout = block.layout
    bounds = _bounds(block.times, max_rows_if_unsorted)
    for start, end in bounds:
        rows = slice(start, end)
        chunk_id = ids.next()
        # One object for all columns: the encoder recognises it and writes it once.
        unit = unit_offsets(end - start)
        components = [
            _component(descriptor, _sliced(block, descriptor, rows), unit) for descriptor in block.columns
        ]
        components.sort(key=_component_order)
        yield Chunk(
            id=chunk_id,
            entity_path=cut.source.entity_path,
            row_ids=ids.row_ids(block.clock[rows]),
            indexes=_indexes(layout, block.times[:, rows]),
            components=tuple(components),
        )


def _bounds(times: npt.NDArray[np.int64], max_rows: int) -> list[tuple[int, int]]:
    """Where to split rows.

    A chunk is closed before a row if it has ``max_rows`` rows or more and one of its timelines goes
    backwards somewhere in it.
    """
    num_rows = times.shape[1]
    if num_rows <= max_rows or all(map(_is_sorted, times)):
        return [(0, num_rows)]
    backwards = np.flatnonzero((times[:, 1:] < times[:, :-1]).any(axis=0)) + 1
    bounds: list[tuple[int, int]] = []
    start = 0
    while True:
        position = int(np.searchsorted(backwards, start, side="right"))
        if position == len(backwards):
            break
        end = max(start + max(max_rows, 1), int(backwards[position]) + 1)
        if end >= num_rows:
            break
        bounds.append((start, end))
        start = end
    bounds.append((start, num_rows))
    return bounds


def _indexes(layout: RowLayout, times: npt.NDArray[np.int64]) -> tuple[IndexColumn, ...]:
    columns: list[IndexColumn] = []
    for position, timeline in _times_in_order(layout):
        values = np.ascontiguousarray(times[position - 1])
        columns.append(IndexColumn(timeline, values, _is_sorted(values)))
    return tuple(columns)


def _component_order(column: ComponentData | ColumnSpec) -> tuple[str, str, str]:
    descriptor = column.descriptor
    return (descriptor.archetype or "", descriptor.component, descriptor.component_type or "")


def _component(
    descriptor: ComponentDescriptor,
    column: tuple[npt.NDArray[np.int32] | None, FlatArray],
    unit: npt.NDArray[np.int32],
) -> ComponentData:
    lengths, values = column
    return ComponentData(descriptor, unit if lengths is None else _offsets(lengths), values)


def _sliced(
    block: _Part | _Merged, descriptor: Any, rows: slice
) -> tuple[npt.NDArray[np.int32] | None, FlatArray]:
    """Lengths and values of one component for some of the rows."""
    whole = rows.start == 0 and rows.stop == block.num_rows
    if isinstance(block, _Part):
        spec, data = block.columns[descriptor]
        return _values(spec, data if whole else data[rows])
    lengths, values = block.columns[descriptor]
    if whole:
        return lengths, values
    offsets = _offsets(lengths)
    first, last = int(offsets[rows.start]), int(offsets[rows.stop])
    return lengths[rows], flatten(unflatten(values).slice(first, last - first))


def _values(spec: ColumnSpec, data: Any) -> tuple[npt.NDArray[np.int32] | None, FlatArray]:
    """Lengths per row (``None`` if all are 1) and all values of one component."""
    shape, encoding = spec.shape, spec.encoding
    if shape == FIXED:
        return None, encoding.fixed_column(np.ascontiguousarray(data).view(np.uint8))
    if shape == ARRAY:
        return _lengths(data), data_column(encoding, data)
    if shape == RAW:
        width = spec.encoding.width
        return np.array([len(raw) // width for raw in data], np.int32), spec.encoding.raw_column(data)
    if shape == TEXT:
        return None, text_column(data)
    if shape == TEXTS:
        texts = [text for row in data for text in row]
        return _lengths(data), text_column(texts)
    if shape == BLOB:
        return None, encoding.blob_column(data)
    if shape == PACKED:
        return _lengths(data), encoding.packed_column(data)
    assert shape == ARROW
    return _lengths(data), _arrow_column(data)


def _lengths(data: Sequence[Any]) -> npt.NDArray[np.int32]:
    return np.fromiter(map(len, data), np.int32, len(data))


def data_column(encoding: Encoding, arrays: Sequence[npt.NDArray[Any]]) -> FlatArray:
    """Values of several ARRAY instances. Where the encoding writes arrays as they are, nothing is copied."""
    if len(arrays) == 1:
        return encoding.array_column(arrays[0])
    total = sum(map(len, arrays))
    if not total:
        return encoding.array_column(arrays[0])
    first = next(array for array in arrays if len(array))
    # An array of the right shape that holds no data of its own shows where the data belongs.
    stand_in = np.broadcast_to(first[:1], (total, *first.shape[1:]))
    values = encoding.array_column(stand_in)
    if values.buffers[-1] is not stand_in:
        return encoding.array_column(np.concatenate(arrays))
    return FlatArray(values.type, total, values.nodes, [*values.buffers[:-1], Pieces(arrays)])


def _arrow_column(arrays: Sequence[Any]) -> FlatArray:
    return flatten(arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays))


def text_column(texts: Sequence[str]) -> FlatArray:
    """UTF-8 values of many strings."""
    joined = "".join(texts)
    data = joined.encode()
    if len(data) == len(joined):
        lengths = np.fromiter(map(len, texts), np.int32, len(texts))
    else:
        lengths = np.fromiter((len(text.encode()) for text in texts), np.int32, len(texts))
    return FlatArray(pa.utf8(), len(texts), [(len(texts), 0)], [None, _offsets(lengths), data])


_UNIT_OFFSETS: Final = np.arange(1 << 16, dtype=np.int32)
_UNIT_OFFSETS.flags.writeable = False


def unit_offsets(rows: int) -> npt.NDArray[np.int32]:
    """The offsets of rows that have exactly one instance each: the numbers from 0 on."""
    if rows < len(_UNIT_OFFSETS):
        return _UNIT_OFFSETS[: rows + 1]
    return np.arange(rows + 1, dtype=np.int32)


_ONE: Final = unit_offsets(1)
_ONE_NODE: Final = ((1, 0),)
_TIME: Final = np.dtype("<i8")
_UNITS: Final = {size: np.dtype(f"<u{size}") for size in (1, 2, 4, 8)}
_SINGLE: Final = frozenset({FIXED, TEXT, BLOB})
"""Shapes of exactly one instance."""


def _offsets(lengths: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return offsets
