"""What the footer of a file says about a chunk that was read, for passing its message on as it is."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from aiorerun.codec.chunk_arrow import fixed_width_values
from aiorerun.codec.chunk_index import ChunkGroup, ChunkIndex, record_of
from aiorerun.codec.columns import ColumnSet

if TYPE_CHECKING:
    import numpy.typing as npt

    from aiorerun.codec.chunk_facts import ChunkFacts
    from aiorerun.types.descriptors import ComponentDescriptor
    from aiorerun.types.timeline import Timeline


def batch_index(batch: pa.RecordBatch, facts: ChunkFacts, uncompressed_size: int) -> ChunkIndex:
    """Describes a chunk that was read; contents of its components are not looked at.

    Args:
        batch: The record batch of the chunk, its buffers checked.
        facts: What it says about itself.
        uncompressed_size: Bytes of its Arrow stream.
    """
    numbers = [facts.num_rows, uncompressed_size]
    for index in facts.indexes:
        numbers += (index.start, index.end)
    sparse: tuple[int, ...] = ()
    empty: tuple[int, ...] = ()
    for position, component in enumerate(facts.components):
        values = batch.column(component.column)
        if not _has_instances(values):
            empty += (position,)
        if component.num_rows != facts.num_rows:
            sparse += (position,)
            numbers.append(component.num_rows)
            present = values.is_valid().to_numpy(zero_copy_only=False)
            for index in facts.indexes:
                numbers += _range(fixed_width_values(batch.column(index.column))[present])
    group = ChunkGroup(facts.entity_path, column_set(facts), sparse, empty)
    return ChunkIndex(group, record_of(facts.id.time_ns, facts.id.inc, numbers))


def _has_instances(values: pa.Array[Any]) -> bool:
    if not len(values):
        return False
    if not pa.types.is_list(values.type):
        return True
    offsets = np.frombuffer(values.buffers()[1], np.int32, len(values) + 1, 4 * values.offset)
    return bool(offsets[-1] > offsets[0])


def _range(times: npt.NDArray[np.int64]) -> tuple[int, int]:
    return (int(times.min()), int(times.max())) if len(times) else (0, 0)


def column_set(facts: ChunkFacts) -> ColumnSet:
    """What the columns of a chunk are."""
    return _known_columns(
        tuple(index.timeline for index in facts.indexes),
        tuple(component.descriptor for component in facts.components),
        tuple(component.type for component in facts.components),
    )


@lru_cache(maxsize=1024)
def _known_columns(
    timelines: tuple[Timeline, ...],
    descriptors: tuple[ComponentDescriptor, ...],
    types: tuple[pa.DataType, ...],
) -> ColumnSet:
    # Types that differ in the metadata of inner fields only count as one here, as they do for readers.
    return ColumnSet(timelines, descriptors, types)
