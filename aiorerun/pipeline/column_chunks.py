"""Blocks of columns become chunks. Runs in the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pyarrow as pa

from aiorerun.pipeline.assemble import no_pause, text_column, unit_offsets
from aiorerun.pipeline.chunk import Chunk, ComponentData, IndexColumn, RunColumn
from aiorerun.pipeline.columns import CapturedColumn, ColumnBlock
from aiorerun.types.coerce.arrow import captured_to_arrow
from aiorerun.types.encoding import ARRAY, ARROW, BLOB, FIXED, PACKED, RAW, TEXT, TEXTS
from aiorerun.types.flat_arrow import flatten
from aiorerun.types.numpy_arrow import numbers_array
from aiorerun.types.time_run import TimeRun
from aiorerun.types.tuid import MANY_IDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from aiorerun.types.encoding import Encoding
    from aiorerun.types.flat import FlatArray
    from aiorerun.types.time_column import Int64s
    from aiorerun.types.tuid import TuidSource

MAX_CHUNK_BYTES: Final = 1 << 30
"""A larger block becomes several chunks: LZ4, Protocol Buffers and gRPC end at twice as much."""


def chunks_of(
    block: ColumnBlock,
    ids: TuidSource,
    clock_ns: int,
    *,
    max_bytes: int = MAX_CHUNK_BYTES,
    pause: Callable[[], None] = no_pause,
) -> Iterator[Chunk]:
    """Makes the chunks of a block: one, unless it is huge. The block is used up.

    Unless they keep their order, rows are put in that of their times, timelines compared in the order of
    their names; rows of equal times, and static ones, stay in the order in which they were given.

    Args:
        block: The rows.
        ids: Where row and chunk ids come from.
        clock_ns: When they were sent, on the monotonic clock of the capture.
        max_bytes: A block of more bytes is split.
        pause: Called between steps.
    """
    if not block.keeps_order:
        _sort(block, pause)
    if block.nbytes <= max_bytes:
        yield _chunk(block, ids, clock_ns)
        pause()
        return
    step = max(1, block.num_rows * max_bytes // block.nbytes)
    for start in range(0, block.num_rows, step):
        end = min(start + step, block.num_rows)
        part = block if end - start == block.num_rows else _rows(block, start, end)
        pause()
        yield _chunk(part, ids, clock_ns)
        pause()


def _chunk(block: ColumnBlock, ids: TuidSource, clock_ns: int) -> Chunk:
    chunk_id = block.chunk_id or ids.next()
    row_ids = block.row_ids
    if row_ids is None:
        fresh = ids.row_ids_at(clock_ns, block.num_rows)
        row_ids = fresh.all() if block.num_rows < MANY_IDS else cast("npt.NDArray[Any]", fresh)
    return Chunk(chunk_id, block.entity_path, row_ids, _indexes(block), _components(block))


def _sort(block: ColumnBlock, pause: Callable[[], None]) -> None:
    """Puts rows in the order of their times."""
    order = _order([values for _, values in block.indexes])
    if order is None:
        return
    block.indexes = [(timeline, _plain(values)[order]) for timeline, values in block.indexes]
    for position, column in enumerate(block.components):
        block.components[position] = _reordered(column, order)
        pause()


def _plain(values: Int64s | TimeRun) -> Int64s:
    return values.values() if isinstance(values, TimeRun) else values


def _order(times: Sequence[Int64s | TimeRun]) -> npt.NDArray[np.intp] | None:
    """How to sort rows by their times, the first column first; ``None`` if they are sorted."""
    tied: npt.NDArray[np.bool_] | None = None
    for values in times:
        if isinstance(values, TimeRun):
            # It ascends, without ties.
            break
        before, after = values[:-1], values[1:]
        backwards = after < before
        if tied is not None:
            backwards &= tied
        if np.any(backwards):
            return np.lexsort([_plain(each) for each in times[::-1]])
        if len(times) == 1:
            break
        same = after == before
        tied = same if tied is None else tied & same
        if not np.any(tied):
            break
    return None


def _indexes(block: ColumnBlock) -> tuple[IndexColumn, ...]:
    columns: list[IndexColumn] = []
    for timeline, values in block.indexes:
        if isinstance(values, TimeRun):
            columns.append(RunColumn(timeline, values))
            continue
        # The rows were put in the order of the first timeline.
        is_sorted = not columns and not block.keeps_order
        is_sorted = is_sorted or bool((values[1:] >= values[:-1]).all())
        columns.append(IndexColumn(timeline, values, is_sorted))
    return tuple(columns)


def _components(block: ColumnBlock) -> tuple[ComponentData, ...]:
    """The columns of a chunk. Equal offsets become one object: the encoder writes it once."""
    first: npt.NDArray[np.int32] | None = None
    components: list[ComponentData] = []
    for column in block.components:
        offsets = unit_offsets(block.num_rows) if column.offsets is None else column.offsets
        values = flat_values(column)
        if len(offsets) and (offsets[0] or offsets[-1] != values.length):
            # Values that no row has are left out.
            begin, end = int(offsets[0]), int(offsets[-1])
            values = flatten(_arrow(column).slice(begin, end - begin))
            offsets = offsets - np.int32(begin)
        if first is None:
            first = offsets
        elif offsets is not first and np.array_equal(offsets, first):
            offsets = first
        components.append(ComponentData(column.descriptor, offsets, values, column.present))
    return tuple(components)


def flat_values(column: CapturedColumn) -> FlatArray:
    """All instances of a column."""
    shape, data = column.values
    if shape == ARROW:
        return flatten(data)
    encoding = _encoding(column)
    if shape == ARRAY:
        return encoding.array_column(data)
    if shape == FIXED:
        return encoding.fixed_column(np.frombuffer(data, np.uint8).reshape(1, -1))
    if shape == TEXT:
        return text_column((data,))
    if shape == TEXTS:
        return text_column(data)
    if shape == RAW:
        return encoding.raw_column((data,))
    if shape == BLOB:
        return encoding.blob_column((data,))
    assert shape == PACKED
    return encoding.packed_column((data,))


def _encoding(column: CapturedColumn) -> Encoding:
    assert column.encoding is not None
    return column.encoding


def _arrow(column: CapturedColumn) -> pa.Array[Any]:
    shape, data = column.values
    return data if shape == ARROW else captured_to_arrow(_encoding(column), shape, data)


def _reordered(column: CapturedColumn, order: npt.NDArray[np.intp]) -> CapturedColumn:
    """A column with its rows in another order."""
    shape, data = column.values
    if column.offsets is None and shape == ARRAY:
        return column._replace(values=(ARRAY, data[order]))
    if column.offsets is None:
        return column._replace(values=(ARROW, _taken(_arrow(column), order)))
    lists = _taken(pa.ListArray.from_arrays(numbers_array(column.offsets), _arrow(column)), order)
    present = None if column.present is None else column.present[order]
    return CapturedColumn(column.descriptor, None, (ARROW, lists.values), lists.offsets.to_numpy(), present)


def _taken(array: pa.Array[Any], order: npt.NDArray[np.intp]) -> pa.Array[Any]:
    try:
        return array.take(numbers_array(order))
    except pa.ArrowNotImplementedError:
        # Arrow cannot do that with views and runs, which are rare.
        return pa.concat_arrays([array.slice(position, 1) for position in order.tolist()])


def _rows(block: ColumnBlock, start: int, end: int) -> ColumnBlock:
    """Some of the rows of a block."""
    indexes = [(timeline, values[start:end]) for timeline, values in block.indexes]
    components = [_cut(column, start, end) for column in block.components]
    row_ids = None if block.row_ids is None else block.row_ids[start:end]
    size = end - start
    return ColumnBlock(block.entity_path, indexes, components, size, 0, block.keeps_order, row_ids=row_ids)


def _cut(column: CapturedColumn, start: int, end: int) -> CapturedColumn:
    present = None if column.present is None else column.present[start:end]
    if column.offsets is not None:
        return column._replace(offsets=column.offsets[start : end + 1], present=present)
    shape, data = column.values
    if shape == ARRAY:
        return column._replace(values=(ARRAY, data[start:end]))
    return column._replace(values=(ARROW, _arrow(column).slice(start, end - start)), present=present)
