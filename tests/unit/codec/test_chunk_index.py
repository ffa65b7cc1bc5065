"""What is kept per chunk for the footer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from aiorerun.codec.chunk import encode_batch
from aiorerun.codec.chunk_index import ChunkIndex, chunk_index, record_dtype, record_size
from aiorerun.types.timeline import Timeline
from tests.unit.codec.building import FRAME, TIMESTAMP, chunk, component, index, scalar_chunk

if TYPE_CHECKING:
    from aiorerun.pipeline.chunk import Chunk


def indexed(made: Chunk) -> ChunkIndex:
    return chunk_index(made, encode_batch(made).columns, 1234)


def record(made: ChunkIndex) -> np.void:
    data = np.frombuffer(made.record, record_dtype(made.group))
    assert len(data) == 1
    assert len(made.record) == record_size(made.group)
    return data[0]  # type: ignore[no-any-return]


def test_a_plain_chunk() -> None:
    made = scalar_chunk(frames=[3, 4, 9])
    read = record(indexed(made))
    assert read["id"].tobytes() == made.id.to_bytes()
    assert (read["num_rows"], read["uncompressed_size"]) == (3, 1234)
    assert read["times"].tolist() == [[3, 9]]
    assert indexed(made).group.sparse == indexed(made).group.empty == ()


def test_unsorted_times() -> None:
    made = chunk("/a", 3, [index(FRAME, [5, -1, 2]), index(Timeline("t", TIMESTAMP), [1, 1, 1])], [])
    assert record(indexed(made))["times"].tolist() == [[-1, 5], [1, 1]]


def test_components_that_rows_left_out_have_their_own_times() -> None:
    made = chunk(
        "/a",
        4,
        [index(FRAME, [4, 3, 2, 1]), index(Timeline("t", TIMESTAMP), [10, 20, 30, 40])],
        [
            component("all", [[1]] * 4, pa.int8()),
            component("never", [None] * 4, pa.int8()),
            component("some", [None, [1], [], None], pa.int8()),
        ],
    )
    made_index = indexed(made)
    assert made_index.group.sparse == (1, 2)
    assert made_index.group.empty == (1,)
    assert record(made_index)["sparse"].tolist() == [[0, 0, 0, 0, 0], [2, 2, 3, 20, 30]]


def test_no_rows_and_no_timelines() -> None:
    assert record(indexed(chunk("/a", 0, [index(FRAME, [])], [])))["times"].tolist() == [[0, 0]]
    static = record(indexed(chunk("/a", 2, [], [component("x", [[1], None], pa.int8())])))
    assert static["times"].shape == (0, 2)
    assert static["sparse"].tolist() == [[1]]


def test_the_extremes_of_time() -> None:
    low, high = -(1 << 63) + 1, (1 << 63) - 1
    assert record(indexed(scalar_chunk(frames=[low, high])))["times"].tolist() == [[low, high]]


def test_chunks_of_equal_columns_share_their_group() -> None:
    one, other = indexed(scalar_chunk("/a", [1, 2])), indexed(scalar_chunk("/a", [2, 1]))
    assert one.group == other.group
    assert hash(one.group) == hash(other.group)
    assert one.group != indexed(scalar_chunk("/b")).group
