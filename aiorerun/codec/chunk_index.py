"""What the footer of a file says about one chunk."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from aiorerun.pipeline.chunk import RunColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from aiorerun.codec.columns import ColumnSet
    from aiorerun.pipeline.chunk import Chunk

_NOTHING: Final[tuple[int, ...]] = ()


class ChunkGroup(NamedTuple):
    """Chunks that the footer describes by records of one layout.

    Attributes:
        entity_path: Whose rows they have.
        columns: What their columns are.
        sparse: Positions of the components that rows left out.
        empty: Positions of the components without a single instance.
    """

    entity_path: str
    columns: ColumnSet
    sparse: tuple[int, ...]
    empty: tuple[int, ...]


class ChunkIndex(NamedTuple):
    """What the footer says about a chunk, apart from where it is.

    Attributes:
        group: What it has in common with others.
        record: See :func:`record_dtype`.
    """

    group: ChunkGroup
    record: bytes


def record_dtype(group: ChunkGroup) -> np.dtype[np.void]:
    """The layout of the records of a group.

    ``times`` holds the earliest and latest time per timeline; ``sparse`` holds, per sparse component,
    the number of rows that have it, and the earliest and latest time of these rows per timeline.
    """
    timelines = len(group.columns.timelines)
    return np.dtype(
        [
            ("id", "V16"),
            ("num_rows", "<i8"),
            ("uncompressed_size", "<i8"),
            ("times", "<i8", (timelines, 2)),
            ("sparse", "<i8", (len(group.sparse), 1 + 2 * timelines)),
        ]
    )


def record_size(group: ChunkGroup) -> int:
    """Bytes of one record of a group."""
    timelines = len(group.columns.timelines)
    return 16 + 8 * (2 + 2 * timelines + len(group.sparse) * (1 + 2 * timelines))


# The id is written as the big-endian bytes that columns hold.
_ID: Final = struct.Struct(">QQ")


def chunk_index(chunk: Chunk, columns: ColumnSet, uncompressed_size: int) -> ChunkIndex:
    """Describes a chunk whose IPC stream has so many bytes."""
    num_rows = len(chunk.row_ids)
    numbers = [num_rows, uncompressed_size]
    for index in chunk.indexes:
        if type(index) is RunColumn:
            run = index.run
            numbers += (run.first, run.first + run.count - 1)
        else:
            numbers += _range(index.values, is_sorted=index.is_sorted)
    sparse, empty = _NOTHING, _NOTHING
    for position, component in enumerate(chunk.components):
        if not component.values.length:
            empty += (position,)
        present = component.present
        if present is not None:
            sparse += (position,)
            numbers.append(int(np.count_nonzero(present)))
            for index in chunk.indexes:
                numbers += _range(index.values[present], is_sorted=index.is_sorted)
    record = _ID.pack(*chunk.id) + _numbers(len(numbers)).pack(*numbers)
    return ChunkIndex(ChunkGroup(chunk.entity_path, columns, sparse, empty), record)


def record_of(time_ns: int, inc: int, numbers: Sequence[int]) -> bytes:
    """The record of a chunk with this id: how many rows and bytes it has, and its times."""
    return _ID.pack(time_ns, inc) + _numbers(len(numbers)).pack(*numbers)


@lru_cache(maxsize=256)
def _numbers(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}q")


def _range(values: npt.NDArray[np.int64], *, is_sorted: bool) -> tuple[int, int]:
    """The earliest and latest time; 0 where there is none, which the record tells by its counts."""
    count = len(values)
    if count == 1:
        time: int = values.item()
        return (time, time)
    if count == 0:
        return (0, 0)
    if is_sorted:
        return (values.item(0), values.item(-1))
    return (int(values.min()), int(values.max()))
