"""Chunks of single rows are made another way than tables of them, and must not differ."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import aiorerun as rr
from aiorerun.config import ChunkBatcherConfig
from aiorerun.pipeline.assemble import single_row_chunk
from aiorerun.pipeline.capture import Capture
from aiorerun.types.flat_arrow import unflatten
from aiorerun.types.ids import ids
from aiorerun.types.rows import row_of
from aiorerun.types.timeline import TimelineKind
from aiorerun.types.timepoint import NO_TIMES, with_time
from tests.unit.pipeline.assembling import assemble_cuts

TIMES = with_time(with_time(NO_TIMES, "step", TimelineKind.SEQUENCE, 7), "a", TimelineKind.DURATION, -3)

ENTITIES: list[Any] = [
    rr.Scalars(1.5),
    rr.Scalars([1.0, 2.0, 3.0]),
    rr.Scalars([]),
    rr.Transform3D(translation=[1, 2, 3], quaternion=[0, 0, 0, 1], child_frame="arm"),
    rr.TextLog("text", level="INFO"),
    rr.TextDocument("Füße"),
    rr.Points3D(np.ones((4, 3)), colors=np.arange(12, dtype=np.uint8).reshape(4, 3), labels=["a", "bc"]),
    rr.Points3D(np.ones((0, 3))),
    rr.LineStrips3D([[[1, 2, 3], [4, 5, 6]], [[7, 8, 9]]]),
    rr.Image(np.zeros((2, 3, 3), np.uint8)),
    rr.AnyValues(z=1.0, a="x", m=pa.array([[1], [2, 3]])),
    rr.Clear(recursive=True),
]


def rows_of(entity: Any, count: int) -> list[tuple[Any, ...]]:
    """What the chunk of ``count`` equal rows says of its first row."""
    clock = itertools.count(1)
    capture = Capture(
        ChunkBatcherConfig.NEVER(), clock=lambda: next(clock), wall=lambda: 5, max_waiting_bytes=1 << 30
    )
    capture.inject = 1
    for _ in range(count):
        capture.add("entity", entity, (), TIMES)
    (cut,) = capture.cut_all()
    (chunk,) = assemble_cuts([cut], ids, 256)
    assert chunk.num_rows == count
    assert not cut.rows
    assert all(index.is_sorted for index in chunk.indexes)
    return [
        (chunk.entity_path, chunk.row_ids.dtype, chunk.row_ids.shape[1:]),
        *[(index.timeline, index.values.dtype, index.values.tolist()[0]) for index in chunk.indexes],
        *[
            (
                column.descriptor,
                column.offsets.dtype,
                column.offsets.tolist()[:2],
                unflatten(column.values)[: int(column.offsets[1])],
                column.present,
            )
            for column in chunk.components
        ],
    ]


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: type(entity).__name__)
def test_a_single_row_is_the_first_of_many(entity: Any) -> None:
    assert rows_of(entity, 1) == rows_of(entity, 3)


def test_a_static_row_has_no_times() -> None:
    chunk = single_row_chunk("/s", row_of(rr.Scalars([1.0, 2.0])), ids, 1)
    assert chunk.is_static
    assert chunk.components[0].offsets.tolist() == [0, 2]
