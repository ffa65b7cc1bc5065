"""Assembling: splitting unsorted rows, order, row ids."""

from __future__ import annotations

import gc
import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, strategies as st

import aiorerun as rr
from aiorerun.codec.chunk import encode_batch
from aiorerun.config import ChunkBatcherConfig
from aiorerun.pipeline.assemble import _bounds, single_row_chunk, text_column
from aiorerun.pipeline.capture import Capture
from aiorerun.types.flat_arrow import unflatten
from aiorerun.types.ids import ids
from aiorerun.types.timeline import TimelineKind
from aiorerun.types.timepoint import NO_TIMES, with_time
from tests.unit.pipeline.assembling import assemble_cuts

if TYPE_CHECKING:
    from aiorerun.pipeline.chunk import Chunk


def chunks_of(frames: list[int], max_rows: int, *, instances: int = 1) -> list[Chunk]:
    clock = itertools.count(1)
    capture = Capture(
        ChunkBatcherConfig.NEVER(), clock=lambda: next(clock), wall=lambda: 0, max_waiting_bytes=1 << 30
    )
    capture.inject = 0
    for frame in frames:
        values = float(frame) if instances == 1 else [float(frame)] * instances
        capture.add("a", rr.Scalars(values), (), with_time(NO_TIMES, "frame", TimelineKind.SEQUENCE, frame))
    return list(assemble_cuts(capture.cut_all(), ids, max_rows))


def test_unsorted_rows_are_split_as_in_the_reference_example() -> None:
    chunks = chunks_of([5, 1, 2, 3, 4, 9, 8, 7, 6, 0], 3)
    assert [chunk.num_rows for chunk in chunks] == [3, 4, 3]


def test_sorted_rows_are_never_split() -> None:
    (chunk,) = chunks_of(list(range(10)), 3)
    assert chunk.num_rows == 10
    assert chunk.indexes[0].is_sorted


@given(st.lists(st.integers(0, 20), max_size=60), st.integers(1, 8))
def test_splitting_follows_the_row_by_row_rule(frames: list[int], max_rows: int) -> None:
    expected: list[list[int]] = []
    for frame in frames:
        current = expected[-1] if expected else None
        if current is None or (len(current) >= max_rows and current != sorted(current)):
            expected.append([frame])
        else:
            current.append(frame)
    times = np.array(frames, np.int64).reshape(1, -1)
    bounds = _bounds(times, max_rows) if frames else []
    assert [frames[start:end] for start, end in bounds] == expected


@pytest.mark.parametrize("instances", [1, 3])
def test_split_chunks_hold_the_values_of_their_rows(instances: int) -> None:
    frames = [5, 1, 2, 3, 4, 9, 8, 7, 6, 0]
    chunks = chunks_of(frames, 3, instances=instances)
    seen: list[float] = []
    for chunk in chunks:
        (column,) = chunk.components
        assert column.offsets.tolist() == list(range(0, chunk.num_rows * instances + 1, instances))
        seen.extend(unflatten(column.values).to_pylist())
    assert seen == [float(frame) for frame in frames for _ in range(instances)]


def test_rows_of_mixed_shapes_are_split_as_well() -> None:
    clock = itertools.count(1)
    capture = Capture(
        ChunkBatcherConfig.NEVER(), clock=lambda: next(clock), wall=lambda: 0, max_waiting_bytes=1 << 30
    )
    for frame in [3, 2, 1, 0]:
        times = with_time(NO_TIMES, "frame", TimelineKind.SEQUENCE, frame)
        capture.add("a", rr.Scalars(float(frame) if frame % 2 else [float(frame), 0.5]), (), times)
    chunks = list(assemble_cuts(capture.cut_all(), ids, 2))
    assert [chunk.num_rows for chunk in chunks] == [2, 2]
    values = [unflatten(chunk.components[0].values).to_pylist() for chunk in chunks]
    assert values == [[3.0, 2.0, 0.5], [1.0, 0.0, 0.5]]


def test_arrays_and_lists_share_chunks() -> None:
    clock = itertools.count(1)
    capture = Capture(
        ChunkBatcherConfig.NEVER(), clock=lambda: next(clock), wall=lambda: 0, max_waiting_bytes=1 << 30
    )
    capture.inject = 0
    points = np.arange(12, dtype=np.float32).reshape(4, 3)
    huge = np.arange(30_000, dtype=np.float32).reshape(-1, 3)
    given = [
        points, points.tolist(), points[0], points[:0], huge, points.astype(np.float64), points[::2],
        points.T[:, :3], huge[::-1],
    ]  # fmt: skip
    for frame, positions in enumerate(given):
        times = with_time(NO_TIMES, "frame", TimelineKind.SEQUENCE, frame)
        colors = np.full((max(len(positions), 1), 4), frame, np.uint8)
        capture.add(
            "a", rr.Points3D(positions, colors=colors, radii=np.full(2, frame, np.float32)), (), times
        )
    (chunk,) = assemble_cuts(capture.cut_all(), ids, 100)
    values = {column.descriptor.component: column for column in chunk.components}

    def rows(component: str) -> list[list[object]]:
        column = values[component]
        instances = unflatten(column.values).to_pylist()
        return [instances[start:end] for start, end in itertools.pairwise(column.offsets.tolist())]

    expected = [np.asarray(positions, np.float32).reshape(-1, 3).tolist() for positions in given]
    assert rows("Points3D:positions") == expected
    assert [row[0] for row in rows("Points3D:colors")] == [frame * 0x01010101 for frame in range(len(given))]
    assert rows("Points3D:radii") == [[float(frame)] * 2 for frame in range(len(given))]


def test_arrays_of_rows_are_written_as_they_were_captured() -> None:
    points = np.ones((1000, 3), np.float32)
    rows = [rr.Points3D(points) for _ in range(5)]
    captured = [row._row[2][0] for row in rows]
    capture = Capture(
        ChunkBatcherConfig.NEVER(), clock=iter(range(5)).__next__, wall=lambda: 0, max_waiting_bytes=1 << 30
    )
    for row in rows:
        capture.add("a", row, (), None)
    (chunk,) = assemble_cuts(capture.cut_all(), ids, 100)
    segments = encode_batch(chunk).segments
    assert [segment for segment in segments if len(segment) == points.nbytes] == captured
    # Of so many things as rows are logged, none is one that the garbage collector has to look at.
    kept = [segment for segment in segments if any(segment is data for data in captured)]
    assert len(kept) == 5
    assert not any(map(gc.is_tracked, kept))


def test_row_ids_ascend_and_are_unique() -> None:
    chunks = chunks_of([3, 1, 2] * 50, 4)
    rows = [bytes(row) for chunk in chunks for row in chunk.row_ids]
    assert rows == sorted(set(rows))


def test_rows_that_threads_interleaved_are_ordered_by_their_clock() -> None:
    readings = iter([5, 1, 3])
    capture = Capture(
        ChunkBatcherConfig.NEVER(), clock=lambda: next(readings), wall=lambda: 0, max_waiting_bytes=1 << 30
    )
    for text in ("last", "first", "middle"):
        capture.add("a", rr.TextLog(text), (), NO_TIMES)
    (chunk,) = assemble_cuts(capture.cut_all(), ids, 100)
    assert unflatten(chunk.components[0].values).to_pylist() == ["first", "middle", "last"]


@given(st.permutations(range(6)))
def test_values_of_all_widths_stay_with_their_rows(readings: list[int]) -> None:
    clock = iter(readings)
    capture = Capture(
        ChunkBatcherConfig.NEVER(), clock=lambda: next(clock), wall=lambda: 0, max_waiting_bytes=1 << 30
    )
    for reading in readings:
        times = with_time(NO_TIMES, "frame", TimelineKind.SEQUENCE, 10 * reading)
        # 1, 2, 4, 8 and 12 bytes, at places that are no multiples of their widths.
        row = rr.Points3D(
            [[reading, 0.5, -reading]], show_labels=reading > 2, class_ids=reading, colors=reading, radii=0.25
        )
        capture.add("a", row, (rr.Scalars(reading + 0.5),), times)
    (chunk,) = assemble_cuts(capture.cut_all(), ids, 100)
    values = {
        column.descriptor.component: unflatten(column.values).to_pylist() for column in chunk.components
    }
    ordered = range(6)
    frames = {index.timeline.name: index.values.tolist() for index in chunk.indexes}["frame"]
    assert frames == [10 * each for each in ordered]
    assert values["Points3D:positions"] == [[each, 0.5, -each] for each in ordered]
    assert values["Points3D:show_labels"] == [each > 2 for each in ordered]
    assert values["Points3D:class_ids"] == list(ordered)
    assert values["Points3D:colors"] == list(ordered)
    assert values["Points3D:radii"] == [0.25] * 6
    assert values["Scalars:scalars"] == [each + 0.5 for each in ordered]


def test_columns_are_sorted_by_descriptor_and_timelines_by_name() -> None:
    clock = itertools.count(1)
    capture = Capture(
        ChunkBatcherConfig.NEVER(), clock=lambda: next(clock), wall=lambda: 0, max_waiting_bytes=1 << 30
    )
    times = with_time(NO_TIMES, "a_frame", TimelineKind.SEQUENCE, 1)
    capture.add("a", rr.TextLog("x", level="INFO"), (rr.AnyValues(zz=1.0, aa=2.0),), times)
    (chunk,) = assemble_cuts(capture.cut_all(), ids, 100)
    assert [column.timeline.name for column in chunk.indexes] == ["a_frame", "log_tick", "log_time"]
    names = [column.descriptor.component for column in chunk.components]
    assert names == ["aa", "zz", "TextLog:level", "TextLog:text"]


def test_the_rows_are_let_go() -> None:
    clock = itertools.count(1)
    capture = Capture(
        ChunkBatcherConfig.NEVER(), clock=lambda: next(clock), wall=lambda: 0, max_waiting_bytes=1 << 30
    )
    for _ in range(10_000):
        capture.add("a", rr.Scalars(1.0), (), NO_TIMES)
    pauses: list[int] = []
    (cut,) = capture.cut_all()
    list(assemble_cuts([cut], ids, 100, lambda: pauses.append(1)))
    assert cut.rows == []
    assert len(pauses) >= 6


def test_single_row_chunk_is_static() -> None:
    chunk = single_row_chunk("/p", rr.TextLog("hello")._row, ids, 5)
    assert chunk.is_static
    assert chunk.num_rows == 1
    assert unflatten(chunk.components[0].values).to_pylist() == ["hello"]


@given(st.lists(st.text()))
def test_text_columns_hold_any_text(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    assert unflatten(text_column(texts)).to_pylist() == texts
