"""Cases: timelines of all kinds, set, changed, disabled and reset."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

from tests.conformance.cases.registry import case


@case()
def several_timelines(rr: Any, rec: Any) -> None:
    for number in range(50):
        rec.set_time("frame", sequence=number)
        rec.set_time("elapsed", duration=number * 0.1)
        rec.set_time("clock", timestamp=1_700_000_000.25 + number)
        rec.log("a", rr.Scalars(float(number)))


@case()
def kinds_of_values(rr: Any, rec: Any) -> None:
    sequences = [0, -5, np.int32(7), True, 2**62]
    durations = [1, 0.5, -0.25, dt.timedelta(days=1, microseconds=7), np.timedelta64(123456789, "ns")]
    stamps = [
        0,
        1_700_000_000.125,
        dt.datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=dt.UTC),
        dt.datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001 - naive means UTC at both
        np.datetime64("2026-01-02T03:04:05.123456789"),
    ]
    for sequence, duration, stamp in zip(sequences, durations, stamps, strict=True):
        rec.set_time("sequence", sequence=sequence)
        rec.set_time("duration", duration=duration)
        rec.set_time("timestamp", timestamp=stamp)
        rec.log("a", rr.Scalars(1.0))


@case()
def unsorted_times(rr: Any, rec: Any) -> None:
    for number in [5, 1, 2, 3, 4, 9, 8, 7, 6, 0]:
        rec.set_time("frame", sequence=number)
        rec.log("a", rr.Scalars(float(number)))


@case()
def unsorted_beyond_the_limit(rr: Any, rec: Any) -> None:
    for number in range(1000):
        rec.set_time("frame", sequence=(number * 37) % 1000)
        rec.log("a", rr.Scalars(float(number)))


@case()
def late_disorder(rr: Any, rec: Any) -> None:
    for number in [*range(600), 5, *range(600, 900)]:
        rec.set_time("frame", sequence=number)
        rec.set_time("other", sequence=-number)
        rec.log("a", rr.Scalars(float(number)))


@case()
def equal_times(rr: Any, rec: Any) -> None:
    rec.set_time("frame", sequence=1)
    for number in range(20):
        rec.log("a", rr.Scalars(float(number)))


@case()
def timelines_come_and_go(rr: Any, rec: Any) -> None:
    rec.log("a", rr.Scalars(0.0))
    rec.set_time("frame", sequence=1)
    rec.log("a", rr.Scalars(1.0))
    rec.set_time("elapsed", duration=1.5)
    rec.log("a", rr.Scalars(2.0))
    rec.disable_timeline("frame")
    rec.log("a", rr.Scalars(3.0))
    rec.set_time("frame", sequence=4)
    rec.log("a", rr.Scalars(4.0))
    rec.disable_timeline("unknown")
    rec.log("a", rr.Scalars(5.0))
    rec.reset_time()
    rec.log("a", rr.Scalars(6.0))
    rec.set_time("frame", sequence=7)
    rec.log("a", rr.Scalars(7.0))


@case()
def without_log_time(rr: Any, rec: Any) -> None:
    rr.set_log_time_enabled(False, recording=rec)
    rec.set_time("frame", sequence=1)
    rec.log("a", rr.Scalars(1.0))
    rec.reset_time()
    rec.log("a", rr.Scalars(2.0))
    rr.set_log_time_enabled(True, recording=rec)
    rec.log("a", rr.Scalars(3.0))


@case()
def with_log_tick(rr: Any, rec: Any) -> None:
    rec.log("a", rr.Scalars(0.0))
    rr.set_log_tick_enabled(True, recording=rec)
    rec.log("a", rr.Scalars(1.0))
    rec.log("a", rr.Scalars(2.0), static=True)
    rec.log("b", rr.Scalars(3.0))
    rr.set_log_tick_enabled(False, recording=rec)
    rec.log("a", rr.Scalars(4.0))
    rr.set_log_tick_enabled(True, recording=rec)
    rec.log("a", rr.Scalars(5.0))


@case()
def own_log_time_and_log_tick(rr: Any, rec: Any) -> None:
    rec.set_time("log_tick", sequence=77)
    rec.log("a", rr.Scalars(1.0))
    rr.set_log_tick_enabled(True, recording=rec)
    rec.log("a", rr.Scalars(2.0))
    rr.set_log_tick_enabled(False, recording=rec)
    rr.set_log_time_enabled(False, recording=rec)
    rec.reset_time()
    rec.set_time("other", sequence=3)
    rec.log("a", rr.Scalars(3.0))


@case()
def odd_timeline_names(rr: Any, rec: Any) -> None:
    for name in ["with space", "a/b", "ünï", "x" * 200, "frame"]:
        rec.reset_time()
        rec.set_time(name, sequence=1)
        rec.log("a", rr.Scalars(1.0))


@case()
def many_timelines(rr: Any, rec: Any) -> None:
    for number in range(30):
        rec.set_time(f"timeline {number:02}", sequence=number)
    for number in range(5):
        rec.set_time("timeline 17", sequence=100 - number)
        rec.log("a", rr.Scalars(float(number)))


@case()
def extreme_times(rr: Any, rec: Any) -> None:
    for value in [0, 1, -1, 2**63 - 1, -(2**63) + 1]:
        rec.set_time("frame", sequence=value)
        rec.set_time("elapsed", duration=np.timedelta64(value, "ns"))
        rec.log("a", rr.Scalars(1.0))
