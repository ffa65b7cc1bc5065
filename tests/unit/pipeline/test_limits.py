"""Limits at the capture, with a clock of the test's own: what passes, waits, and is counted."""

from __future__ import annotations

import math
import struct
from operator import itemgetter
from typing import Any

import numpy as np
import pytest

import aiorerun as rr
from aiorerun.config import ChunkBatcherConfig
from aiorerun.pipeline import limits as limits_module
from aiorerun.pipeline.capture import IDLE_CUTS, Capture
from aiorerun.pipeline.limits import Limit
from aiorerun.types.timeline import TimelineKind
from aiorerun.types.timepoint import LOG_TICK, NO_TIMES, Timepoint, with_time

MS = 1_000_000


class Limited:
    """A capture with limits; rows are known by the number they carry."""

    def __init__(self) -> None:
        self.now = 1_000_000 * MS
        self.capture = Capture(
            ChunkBatcherConfig.NEVER(), clock=lambda: self.now, wall=lambda: 0, max_waiting_bytes=1 << 24
        )
        self.capture.due = (1 << 63) - 1
        self.capture.inject = LOG_TICK

    def limit(self, pattern: str, **options: Any) -> Limit:
        hz, on_change = options.get("hz"), options.get("on_change", False)
        limit = Limit(pattern, hz, on_change, options.get("latest_wins", True), self.remove)
        self.capture.set_limits(lambda limits: limits.append(limit))
        return limit

    def remove(self, limit: Limit) -> None:
        self.capture.set_limits(lambda limits: limits.remove(limit))

    def log(
        self, number: float, path: Any = "a", at: float | None = None, times: Timepoint | None = NO_TIMES
    ) -> bool:
        """Logs a number, ``at`` so many milliseconds; returns whether attention is asked for."""
        if at is not None:
            self.now = 1_000_000 * MS + round(at * MS)
        return self.capture.add(path, rr.Scalars(number), (), times) is not None

    def taken(self) -> list[float]:
        """The numbers of all rows that passed, by time of logging."""
        rows: list[tuple[int, float]] = []
        for cut in self.capture.cut_all():
            width = cut.source.layout.width
            rows += [
                (struct.unpack_from("<q", row)[0], struct.unpack_from("<d", row, width)[0])
                for row in cut.rows[:: cut.source.stride]
            ]
        return [number for _, number in sorted(rows, key=itemgetter(0))]

    @property
    def dropped(self) -> dict[str, int]:
        rows, reasons = self.capture.dropped_rows
        assert rows == sum(reasons.values())
        return reasons


def test_the_newest_row_of_a_period_is_recorded_when_it_ends() -> None:
    each = Limited()
    each.limit("a/**", hz=10)
    for step in range(0, 95, 10):
        each.log(step, at=step)
    assert each.taken() == [0]
    assert each.capture.release(each.now) == []
    each.now = 1_000_000 * MS + 100 * MS
    (accumulator,) = each.capture.release(each.now)
    assert accumulator.entity_path == "/a"
    assert each.taken() == [90]
    assert each.dropped == {"rate limit: a/**": 8}
    # It counts as the row of the period that begins now.
    each.log(100, at=110)
    assert each.taken() == []


def test_nothing_is_lost_between_the_end_of_a_period_and_its_release() -> None:
    each = Limited()
    each.limit("a/**", hz=10)
    each.log(1, at=0)
    each.log(2, at=50)
    # Nobody has come in time; the next row lets it go first.
    each.log(3, at=130)
    assert each.taken() == [1, 2]
    each.capture.release(math.inf)
    assert each.taken() == [3]
    assert each.dropped == {}


def test_without_latest_wins_all_others_are_dropped() -> None:
    each = Limited()
    each.limit("a/**", hz=10, latest_wins=False)
    for step in range(0, 200, 10):
        each.log(step, at=step)
    assert each.taken() == [0, 100]
    assert each.dropped == {"rate limit: a/**": 18}
    assert each.capture.release(math.inf) == []


def test_a_source_that_is_a_little_late_keeps_its_rate() -> None:
    each = Limited()
    each.limit("a", hz=10, latest_wins=False)
    for step in range(100):
        each.log(step, at=33.4 * step)
    assert 33 <= len(each.taken()) <= 34


def test_after_a_pause_there_is_no_burst() -> None:
    each = Limited()
    each.limit("a", hz=10, latest_wins=False)
    for at in (0, 10_000, 10_010, 10_020):
        each.log(at, at=at)
    assert each.taken() == [0, 10_000]


def test_entities_and_kinds_of_rows_count_on_their_own() -> None:
    each = Limited()
    each.limit("/**", hz=1, latest_wins=False)
    frame = with_time(NO_TIMES, "frame", TimelineKind.SEQUENCE, 1)
    each.log(1, "a")
    each.log(2, "b")
    each.log(3, "a", times=frame)
    each.capture.add("a", rr.TextLog("text"), (), NO_TIMES)
    each.log(4, ["a"])
    each.log(5, "/a")
    assert each.capture.waiting_rows == 4
    # The path is written in three ways: as keys they differ, as entities they do not.
    assert each.dropped == {"rate limit: /**": 2}


def test_static_rows_have_no_rate() -> None:
    each = Limited()
    each.limit("a", hz=1)
    for number in range(5):
        each.log(number, times=None)
    assert len(each.taken()) == 5


def test_the_most_specific_limit_counts() -> None:
    each = Limited()
    each.limit("cam/left", hz=10, latest_wins=False)
    each.limit("cam/**", hz=1, latest_wins=False)
    for path in ("cam/left", "cam/right", "other"):
        for step in range(10):
            each.log(step, path, at=1000 * step / 10)
    assert each.dropped == {"rate limit: cam/**": 9}


def test_a_limit_ends() -> None:
    each = Limited()
    limit = each.limit("a", hz=10)
    each.log(1, at=0)
    each.log(2, at=1)
    cuts = each.capture.set_limits(lambda limits: limits.remove(limit))
    assert sum(cut.num_rows for cut in cuts) == 2
    each.log(3, at=2)
    each.log(4, at=3)
    assert each.taken() == [3, 4]
    assert each.dropped == {}


def test_a_limit_begins_for_entities_that_are_there() -> None:
    each = Limited()
    each.log(1)
    each.log(2)
    each.limit("a", hz=10, latest_wins=False)
    each.log(3)
    each.log(4)
    assert each.taken() == [3]


def test_a_row_that_waits_is_pending() -> None:
    each = Limited()
    each.limit("a", hz=10)
    assert not each.log(1, at=0)
    # Somebody has to come and release it.
    assert each.log(2, at=1)
    each.capture.limiter.armed = True  # type: ignore[union-attr]
    assert not each.log(3, at=2)
    assert each.capture.accepted_rows == 3
    assert each.dropped == {"rate limit: a": 1}
    each.capture.clear()
    assert (each.capture.accepted_rows, each.dropped) == (0, {})
    assert each.taken() == []


def test_only_changes() -> None:
    each = Limited()
    each.limit("a", on_change=True)
    for number in (1, 1, 2, 2, 1):
        each.log(number)
    assert each.taken() == [1, 2, 1]
    assert each.dropped == {"unchanged: a": 2}


def test_changes_of_static_rows() -> None:
    each = Limited()
    each.limit("a", on_change=True)
    for number in (1, 1, 2):
        each.log(number, times=None)
    assert each.dropped == {"unchanged: a": 1}


def test_changes_of_large_values() -> None:
    each = Limited()
    each.limit("a", on_change=True)
    one, other = np.zeros((40, 40, 3), np.uint8), np.ones((40, 40, 3), np.uint8)
    for picture in (one, one.copy(), other, one, one.reshape(20, 80, 3)):
        each.capture.add("a", rr.Image(picture), (), NO_TIMES)
    for text in ("one", "one", "two"):
        each.capture.add("a", rr.TextDocument(text), (), NO_TIMES)
    for blob in (b"x" * 1000, b"x" * 1000, b"y" * 1000):
        each.capture.add("a", rr.EncodedImage(contents=blob, media_type="image/png"), (), NO_TIMES)
    assert each.dropped == {"unchanged: a": 3}


def test_other_rows_with_the_same_components_are_seen() -> None:
    each = Limited()
    each.limit("a", on_change=True)
    both = rr.Points2D.from_fields(positions=[1, 2], colors=[255, 0, 0])
    moved = rr.Points2D.from_fields(positions=[3, 4])
    for row in (both, both, moved, both, moved):
        each.capture.add("a", row, (), NO_TIMES)
    # The third `both` is news: the position was another one meanwhile.
    assert each.dropped == {"unchanged: a": 1}


def test_what_is_cleared_is_logged_again() -> None:
    each = Limited()
    each.limit("a/**", on_change=True)
    each.log(1, "a/b")
    each.capture.add("a", rr.Clear(recursive=True), (), NO_TIMES)
    each.log(1, "a/b")
    each.log(1, "a/b")
    assert each.dropped == {"unchanged: a/**": 1}


def test_back_in_time_it_is_logged_again() -> None:
    each = Limited()
    each.limit("a", on_change=True)
    for frame in (5, 6, 4):
        each.log(1, times=with_time(NO_TIMES, "frame", TimelineKind.SEQUENCE, frame))
    assert each.dropped == {"unchanged: a": 1}


def test_another_sink_gets_what_has_not_changed() -> None:
    each = Limited()
    each.limit("a", on_change=True)
    each.log(1)
    each.capture.forget_values()
    each.log(1)
    assert each.dropped == {}


def test_changes_at_a_rate() -> None:
    each = Limited()
    each.limit("a", hz=10, on_change=True)
    each.log(1, at=0)
    each.log(1, at=10)
    each.log(2, at=20)
    each.log(2, at=30)
    each.log(3, at=40)
    each.capture.release(math.inf)
    assert each.taken() == [1, 3]
    assert each.dropped == {"unchanged: a": 2, "rate limit: a": 1}


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_module, "REMEMBERED_PATHS", 10)
    each = Limited()
    each.limit("/**", on_change=True)
    for number in range(100):
        each.log(number, f"path/{number}")
    assert each.capture.limiter is not None
    assert len(each.capture.limiter._known) == 10


def test_gates_are_given_up_when_they_say_nothing_more() -> None:
    each = Limited()
    each.limit("/**", hz=1)
    each.log(1, "a", at=0)
    for _ in range(2 * IDLE_CUTS):
        each.capture.cut_all()
    # Its period is not over: forgotten, the next row would pass.
    each.log(2, "a", at=10)
    assert each.taken() == []
    each.capture.release(math.inf)
    assert each.taken() == [2]
    each.now += 10_000 * MS
    for _ in range(2 * IDLE_CUTS):
        each.capture.cut_all()
    assert each.capture._accumulators == {}


def test_held_rows_leave_nothing_behind_without_anybody_who_releases_them() -> None:
    each = Limited()
    each.limit("/**", hz=1000)
    for step in range(5000):
        each.log(step, "a", at=step / 3)
    assert each.capture.limiter is not None
    assert len(each.capture.limiter._due) <= 1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({}, ValueError),
        ({"hz": 0}, ValueError),
        ({"hz": -1}, ValueError),
        ({"hz": math.nan}, ValueError),
        ({"hz": math.inf}, ValueError),
        ({"hz": "often"}, TypeError),
    ],
)
def test_wrong_limits(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match="limit: "):
        Limited().limit("a", **options)


def test_a_row_that_meets_a_change_of_limits_is_not_lost() -> None:
    each = Limited()
    limit = each.limit("a", hz=1)
    each.log(1, at=0)
    (accumulator,) = each.capture._accumulators.values()
    each.remove(limit)
    # Another thread has looked it up before.
    values: tuple[int, ...] = ()
    assert each.capture._add_limited(accumulator, values, rr.Scalars(2)._row[1], ()) is not None
    assert each.capture.waiting_rows == 1
    assert each.taken() == [2]
