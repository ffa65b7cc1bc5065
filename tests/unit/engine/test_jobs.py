"""Encoding, and what is expected of it."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

import aiorerun as rr
from aiorerun.engine import jobs
from aiorerun.engine.cargo import Batch, Ready
from aiorerun.engine.room import Room
from aiorerun.pipeline.capture import Capture
from aiorerun.types.ids import ids
from aiorerun.types.timepoint import NO_TIMES
from tests.unit.codec.building import STORE

if TYPE_CHECKING:
    import pytest


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

    def encode(self, *batches: Batch | Ready) -> list[Any]:
        return list(jobs.encode(batches, STORE, ids, self.room))


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
    cpu_times(monkeypatch, 0, 8_000)
    rows.encode(rows.batch(4))
    assert jobs.expected_ns([rows.batch(4)]) == 8_000
    assert jobs.expected_ns([rows.batch(1)]) == 8_000
    assert jobs.expected_ns([rows.batch(40)]) == 80_000
    assert jobs.expected_ns([rows.batch(4), rows.batch(8)]) == 24_000


def test_kinds_that_were_encoded_together_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows()
    mixed = [*rows.batch(30, "large").cuts, *rows.batch(10, "small").cuts]
    # Of one batch, whose time is counted for the tick as well.
    cpu_times(monkeypatch, 0, 0, 8_000, 8_000)
    rows.encode(Batch(mixed, 256))
    # Half of it equally, half by rows.
    assert jobs.expected_ns([rows.batch(30, "large")]) == 2_000 + 3_000
    assert jobs.expected_ns([rows.batch(10, "small")]) == 2_000 + 1_000
    assert rows.room.batch_ns == 2_000


def test_the_last_time_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows()
    cpu_times(monkeypatch, 0, 5_000_000, 10, 2_010)
    rows.encode(rows.batch(1))
    assert jobs.expected_ns([rows.batch(1)]) == math.inf
    jobs.encode_here([rows.batch(1)], STORE, ids, rows.room)
    assert jobs.expected_ns([rows.batch(1)]) == 2_000


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
    assert not isinstance(here, Exception)
    assert [message.rows for message in here] == [message.rows for message in in_worker] == [3]
    assert here[0].index is not None
    assert here[0].index.group == in_worker[0].index.group


def test_an_error_is_the_batch_s_own() -> None:
    def fail() -> list[Any]:
        raise ValueError("cannot be made")

    rows = Rows()
    good, bad, other = rows.encode(rows.batch(1), Ready(fail, 1, 1), rows.batch(2))
    assert len(good) == len(other) == 1
    assert isinstance(bad, ValueError)


def test_what_nobody_waits_for_is_left() -> None:
    rows = Rows()
    answers = iter((True, False))
    encoded = jobs.encode(
        [rows.batch(1), rows.batch(1)], STORE, ids, rows.room, is_wanted=lambda: next(answers)
    )
    assert len(encoded) == 1
    assert jobs.expected_ns([rows.batch(1)]) == math.inf
