"""Encoding, and what is expected of it."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import aiorerun as rr
from aiorerun.codec.messages import chunk_message
from aiorerun.engine import jobs
from aiorerun.engine.cargo import Batch, Ready
from aiorerun.engine.room import Room
from aiorerun.pipeline.capture import Capture
from aiorerun.types.ids import ids
from aiorerun.types.timepoint import NO_TIMES
from tests.unit.codec.building import STORE

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiorerun.codec.messages import Message
    from aiorerun.pipeline.chunk import Chunk
    from aiorerun.types.store import StoreId


class Rows:
    """Cuts batches off one capture, and encodes them."""

    def __init__(self) -> None:
        clock = itertools.count(1)
        self.capture = Capture(
            rr.ChunkBatcherConfig.NEVER(),
            clock=lambda: next(clock),
            wall=lambda: 1_000,
            max_waiting_bytes=1 << 24,
        )
        self.capture.due = (1 << 63) - 1
        self.room = Room(self.capture, 1 << 24, 5.0, "room")

    def batch(self, rows: int, *paths: str, value: Any = 1.0) -> Batch:
        for path in paths or ("a",):
            for _ in range(rows):
                self.capture.add(path, rr.Scalars(value), (), NO_TIMES)
        return Batch(self.capture.cut_all(), 256)

    def encode(self, *batches: Batch | Ready) -> list[jobs.Outcome]:
        return jobs.encode(batches, STORE, ids, self.room)


def cpu_times(monkeypatch: pytest.MonkeyPatch, *times: int) -> None:
    """What the clock for CPU time says from now on."""
    monkeypatch.setattr(jobs, "thread_time_ns", iter(times).__next__)


def test_nothing_is_expected_of_what_never_was_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows()
    cpu_times(monkeypatch, 0, 8_000)
    assert jobs.expected_ns([rows.batch(1)]) == math.inf
    rows.encode(rows.batch(1, "a"))
    assert jobs.expected_ns([rows.batch(1, "a")]) < math.inf
    # One kind that is new is enough.
    assert jobs.expected_ns([rows.batch(1, "a", "b")]) == math.inf


def test_more_rows_take_longer_and_fewer_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows()
    cpu_times(monkeypatch, 0, 80_000)
    rows.encode(rows.batch(4))
    assert jobs.expected_ns([rows.batch(4)]) == 80_000
    assert jobs.expected_ns([rows.batch(1)]) == 80_000
    assert jobs.expected_ns([rows.batch(40)]) == 800_000
    assert jobs.expected_ns([rows.batch(4), rows.batch(8)]) == 240_000


def test_kinds_that_were_encoded_together_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows()
    mixed = [*rows.batch(30, "large").cuts, *rows.batch(10, "small").cuts]
    # Of one batch, whose time is counted for the tick as well.
    cpu_times(monkeypatch, 0, 0, 80_000, 80_000)
    rows.encode(Batch(mixed, 256))
    # Half of it equally, half by rows.
    assert jobs.expected_ns([rows.batch(30, "large")]) == 20_000 + 30_000
    assert jobs.expected_ns([rows.batch(10, "small")]) == 20_000 + 10_000
    assert rows.room.batch_ns == 20_000


def test_the_last_time_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows()
    cpu_times(monkeypatch, 0, 5_000_000, 10, 20_010)
    rows.encode(rows.batch(1))
    assert jobs.expected_ns([rows.batch(1)]) == math.inf
    jobs.encode_here([rows.batch(1)], STORE, ids, rows.room)
    assert jobs.expected_ns([rows.batch(1)]) == 20_000


def test_large_rows_and_what_others_make_may_take_any_time() -> None:
    rows = Rows()
    large = np.zeros(jobs.QUICK_BYTES // 8 + 1)
    rows.encode(rows.batch(1, value=large))
    assert jobs.expected_ns([rows.batch(1, value=large)]) == math.inf
    assert jobs.expected_ns([Ready(list, 0, 0)]) == math.inf


def test_both_ways_make_the_same() -> None:
    rows = Rows()
    (in_worker,) = rows.encode(rows.batch(3))
    (here,) = jobs.encode_here([rows.batch(3)], STORE, ids, rows.room)
    assert not here.failures
    (message,), (other,) = here.messages, in_worker.messages
    assert message.rows == other.rows == 3
    assert message.index is not None
    assert other.index is not None
    assert message.index.group == other.index.group


def test_an_error_is_the_batch_s_own() -> None:
    def fail() -> list[Any]:
        raise ValueError("cannot be made")

    rows = Rows()
    good, bad, other = rows.encode(rows.batch(1), Ready(fail, 3, 1), rows.batch(2))
    assert len(good.messages) == len(other.messages) == 1
    assert not bad.messages
    assert [(lost, type(error)) for lost, error in bad.failures] == [(3, ValueError)]


@pytest.mark.parametrize("way", [jobs.encode, jobs.encode_here])
def test_rows_that_cannot_be_encoded_take_no_others_with_them(
    way: Callable[..., list[jobs.Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def encoded(store: StoreId, chunk: Chunk) -> Message:
        if chunk.entity_path == "/bad":
            raise OverflowError("too much")
        return chunk_message(store, chunk)

    monkeypatch.setattr(jobs, "chunk_message", encoded)
    rows = Rows()
    ((messages, failures),) = way([rows.batch(3, "a", "bad", "b")], STORE, ids, rows.room)
    assert [message.rows for message in messages] == [3, 3]
    assert [(lost, str(error)) for lost, error in failures] == [(3, "too much")]


def test_rows_are_there_again_when_the_handler_of_a_signal_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def encoded(store: StoreId, chunk: Chunk) -> Message:
        if chunk.entity_path == "/b":
            raise SystemExit
        return chunk_message(store, chunk)

    rows = Rows()
    batches = [rows.batch(3), rows.batch(2, "b", "c")]
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "chunk_message", encoded)
        with pytest.raises(SystemExit):
            jobs.encode_here(batches, STORE, ids, rows.room)
    outcomes = jobs.encode_here(batches, STORE, ids, rows.room)
    assert [[message.rows for message in outcome.messages] for outcome in outcomes] == [[3], [2, 2]]


def test_no_chunk_takes_no_time_where_the_clock_is_coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows()
    cpu_times(monkeypatch, 0, 0, 0, 0)
    rows.encode(rows.batch(1, "a", "b"))
    assert jobs.expected_ns([rows.batch(1, "a", "b")]) == 20_000


def test_what_nobody_waits_for_is_left() -> None:
    rows = Rows()
    answers = iter((True, False))
    encoded = jobs.encode(
        [rows.batch(1), rows.batch(1)], STORE, ids, rows.room, is_wanted=lambda: next(answers)
    )
    assert len(encoded) == 1
    assert jobs.expected_ns([rows.batch(1)]) == math.inf
