from __future__ import annotations

import datetime as dt
import enum
import math
import subprocess
import sys
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from aiorerun.types import time
from aiorerun.types.time import (
    I64_MAX,
    I64_MIN,
    check_timeline_name,
    duration_nanos,
    sequence_value,
    time_value,
    timestamp_nanos,
)
from aiorerun.types.timeline import TimelineKind

SECOND = 1_000_000_000


class Frame(enum.IntEnum):
    FIRST = 1


class PandasTimestamp(dt.datetime):
    """As pandas has it: a datetime that knows of nanoseconds."""

    def to_datetime64(self) -> np.datetime64:
        return np.datetime64("2024-01-02T03:04:05.000000007", "ns")


class PandasTimedelta(dt.timedelta):
    """As pandas has it: a timedelta that knows of nanoseconds."""

    def to_timedelta64(self) -> np.timedelta64:
        return np.timedelta64(7, "ns")


class PandasNaT(dt.datetime):
    """As pandas has it: a datetime that is none."""

    def to_datetime64(self) -> np.datetime64:
        return np.datetime64("NaT", "ns")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (-5, -5),
        (I64_MAX, I64_MAX),
        (I64_MIN, I64_MIN),
        (I64_MIN - 1, I64_MIN),
        (True, 1),
        (Frame.FIRST, 1),
        (np.int8(-3), -3),
        (np.uint64(7), 7),
        (np.int64(I64_MIN - 1), I64_MIN),
        (np.array(9), 9),
    ],
)
def test_sequences(value: Any, expected: int) -> None:
    result = sequence_value(value)
    assert result == expected
    assert type(result) is int


@pytest.mark.parametrize("value", [I64_MAX + 1, I64_MIN - 2, 10**30, np.uint64(I64_MAX + 1)])
def test_sequences_beyond_64_bits(value: Any) -> None:
    with pytest.raises(OverflowError, match=r"sequence .* does not fit 64 bits"):
        sequence_value(value)


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        np.float64(1),
        np.float32(1),
        np.bool_(True),
        "1",
        b"1",
        [1],
        np.array([1, 2]),
        np.array(1.0),
        dt.timedelta(1),
        np.timedelta64(1, "ns"),
        np.datetime64(1, "ns"),
        1j,
    ],
)
def test_what_is_no_sequence(value: Any) -> None:
    with pytest.raises(TypeError, match=r"sequence must be an int, got .*: pass int\(value\)"):
        sequence_value(value)


DURATIONS: list[tuple[Any, int]] = [
    (0, 0),
    (2, 2 * SECOND),
    (-2, -2 * SECOND),
    (9_223_372_036, 9_223_372_036 * SECOND),
    (True, SECOND),
    (Frame.FIRST, SECOND),
    (0.5, SECOND // 2),
    (-0.5, -SECOND // 2),
    (-0.0, 0),
    (1.0000000005, SECOND),
    (1.9999999996, 2 * SECOND),
    (0.5e-9, 0),
    (1.5e-9, 2),
    (2.5e-9, 2),
    (1 / 3, 333_333_333),
    (np.int32(3), 3 * SECOND),
    (np.uint8(200), 200 * SECOND),
    (np.float64(1.5), 3 * SECOND // 2),
    (np.float32(0.1), 100_000_001),
    (np.array(1.5), 3 * SECOND // 2),
    (dt.timedelta(seconds=1, microseconds=500_001), 1_500_001_000),
    (dt.timedelta(microseconds=-1), -1000),
    (dt.timedelta(days=100_000, microseconds=1), 8_640_000_000_000_001_000),
    (PandasTimedelta(days=1), 7),
    (np.timedelta64(5, "ns"), 5),
    (np.timedelta64(5, "us"), 5_000),
    (np.timedelta64(5, "ms"), 5_000_000),
    (np.timedelta64(5, "s"), 5 * SECOND),
    (np.timedelta64(5, "m"), 300 * SECOND),
    (np.timedelta64(5, "h"), 18_000 * SECOND),
    (np.timedelta64(5, "D"), 432_000 * SECOND),
    (np.timedelta64(5, "W"), 7 * 432_000 * SECOND),
    (np.timedelta64(1, "M"), 2_629_746 * SECOND),
    (np.timedelta64(1, "Y"), 31_556_952 * SECOND),
    (np.timedelta64(3, ("ms", 25)), 75_000_000),
    (np.timedelta64(1500, "ps"), 1),
    (np.timedelta64(-1501, "ps"), -2),
    (np.timedelta64(10**16, "fs"), 10**10),
    (np.timedelta64(10**18, "as"), 10**9),
    (np.array(np.timedelta64(5, "us")), 5_000),
    (pa.scalar(5, pa.duration("us")), 5_000),
    (pa.scalar(5, pa.duration("ns")), 5),
]


@pytest.mark.parametrize(("value", "expected"), DURATIONS)
def test_durations(value: Any, expected: int) -> None:
    result = duration_nanos(value)
    assert result == expected
    assert type(result) is int


BERLIN = ZoneInfo("Europe/Berlin")
NEW_YEAR_2024 = 1_704_067_200 * SECOND
MORNING = NEW_YEAR_2024 + (86_400 + 3 * 3_600 + 4 * 60 + 5) * SECOND

TIMESTAMPS: list[tuple[Any, int]] = [
    (0, 0),
    (1_700_000_000, 1_700_000_000 * SECOND),
    (-1, -SECOND),
    (True, SECOND),
    (1_700_000_000.25, 1_700_000_000_249_999_872),
    (0.5, SECOND // 2),
    (-0.5, -SECOND // 2),
    (1.9999999996, 2 * SECOND),
    (np.int64(1_700_000_000), 1_700_000_000 * SECOND),
    (np.float32(0.5), SECOND // 2),
    (np.float64(0.5), SECOND // 2),
    (dt.datetime(2024, 1, 2, 3, 4, 5), MORNING),  # noqa: DTZ001
    (dt.datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC), MORNING + 6_000),
    (dt.datetime(2024, 1, 2, 3, 4, 5, 123_457, tzinfo=dt.UTC), MORNING + 123_457_000),
    (
        dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.timezone(dt.timedelta(hours=2))),
        MORNING - 7_200 * SECOND,
    ),
    (dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=BERLIN), MORNING - 3_600 * SECOND),
    # The hour that comes twice when summer time ends.
    (dt.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN), 1_729_989_000 * SECOND),
    (dt.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN, fold=1), 1_729_992_600 * SECOND),
    (dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC), -1_000),
    (PandasTimestamp(2024, 1, 2), MORNING + 7),
    (np.datetime64(123, "ns"), 123),
    (np.datetime64("2024-01-01"), NEW_YEAR_2024),
    (np.datetime64("2024-01"), NEW_YEAR_2024),
    (np.datetime64("2024"), NEW_YEAR_2024),
    (np.datetime64("2024-01-01", "W"), 1_703_721_600 * SECOND),
    (np.datetime64("2024-01-02T03:04:05", "s"), MORNING),
    (np.datetime64("2024-01-02T03", "h"), MORNING - (4 * 60 + 5) * SECOND),
    (np.datetime64("2024-01-02T03:04:05.006", "ms"), MORNING + 6_000_000),
    (np.datetime64(-1, "ps"), -1),
    (np.array(np.datetime64(123, "ns")), 123),
    (pa.scalar(5, pa.timestamp("ns")), 5),
    (pa.scalar(5, pa.timestamp("us")), 5_000),
    (pa.scalar(5, pa.timestamp("ms")), 5_000_000),
    (pa.scalar(5, pa.timestamp("s")), 5 * SECOND),
    (pa.scalar(5, pa.timestamp("ns", "Europe/Berlin")), 5),
]


@pytest.mark.parametrize(("value", "expected"), TIMESTAMPS)
def test_timestamps(value: Any, expected: int) -> None:
    result = timestamp_nanos(value)
    assert result == expected
    assert type(result) is int


BEYOND = r"does not fit 64 bits \(±292 years"


@pytest.mark.parametrize(
    "value",
    [
        9_223_372_037,
        -9_223_372_037,
        1e10,
        -1e10,
        1e308,
        dt.timedelta.max,
        dt.timedelta.min,
        np.timedelta64(10**15, "s"),
        np.timedelta64(300, "Y"),
        np.int64(10**12),
        pa.scalar(10**12, pa.duration("s")),
    ],
)
def test_durations_beyond_64_bits(value: Any) -> None:
    with pytest.raises(OverflowError, match=f"duration .* {BEYOND}"):
        duration_nanos(value)


@pytest.mark.parametrize(
    "value",
    [
        9_223_372_037,
        1e11,
        10**11,
        -(10**12),
        -1e300,
        dt.datetime.max.replace(tzinfo=dt.UTC),
        dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=14))),
        np.datetime64("9999-01-01"),
        np.datetime64("1600-01"),
        np.datetime64(10**15, "s"),
        np.datetime64(10**18, "Y"),
        pa.scalar(10**12, pa.timestamp("s")),
    ],
)
def test_timestamps_beyond_64_bits(value: Any) -> None:
    with pytest.raises(OverflowError, match=f"timestamp .* {BEYOND}"):
        timestamp_nanos(value)


@pytest.mark.parametrize("value", [100_000_000_001, 1.7e12, 1e300, np.int64(1_700_000_000_000), 10**400])
def test_timestamps_in_milliseconds_are_refused(value: Any) -> None:
    with pytest.raises(
        ValueError, match=r"timestamp .* looks like milliseconds.*seconds since the Unix epoch"
    ):
        timestamp_nanos(value)


NOT_FINITE = [math.nan, math.inf, -math.inf, np.float32("nan"), np.float64("inf")]


@pytest.mark.parametrize(
    "value", [*NOT_FINITE, np.timedelta64("NaT", "ns"), pa.scalar(None, pa.duration("ns"))]
)
def test_durations_that_are_not_finite(value: Any) -> None:
    with pytest.raises(ValueError, match=r"duration must be a finite time, got .*: leave such rows out"):
        duration_nanos(value)


@pytest.mark.parametrize(
    "value",
    [
        *NOT_FINITE,
        np.datetime64("NaT", "ns"),
        np.datetime64("NaT", "Y"),
        PandasNaT(2024, 1, 1),
        pa.scalar(None, pa.timestamp("ns")),
    ],
)
def test_timestamps_that_are_not_finite(value: Any) -> None:
    with pytest.raises(ValueError, match=r"timestamp must be a finite time, got .*: leave such rows out"):
        timestamp_nanos(value)


@pytest.mark.parametrize(
    "value",
    [
        "1",
        b"1",
        [1],
        1j,
        np.bool_(True),
        Fraction(1, 2),
        np.array([1]),
        dt.datetime.now(dt.UTC),
        np.datetime64(1, "ns"),
        pa.scalar(5, pa.timestamp("ns")),
        pa.scalar(5),
        dt.time(1),
    ],
)
def test_what_is_no_duration(value: Any) -> None:
    with pytest.raises(TypeError, match=r"duration must be an int, float, timedelta or np.timedelta64, got"):
        duration_nanos(value)


@pytest.mark.parametrize(
    "value",
    [
        "2024-01-01",
        b"1",
        [1],
        1j,
        np.bool_(True),
        np.array([1]),
        dt.date(2024, 1, 1),
        dt.timedelta(1),
        np.timedelta64(1, "ns"),
        pa.scalar(5, pa.duration("ns")),
        pa.scalar(5),
        dt.time(1),
    ],
)
def test_what_is_no_timestamp(value: Any) -> None:
    with pytest.raises(TypeError, match=r"timestamp must be an int, float, datetime, np.datetime64 or"):
        timestamp_nanos(value)


@pytest.mark.filterwarnings("ignore:The 'generic' unit:DeprecationWarning")
def test_lengths_without_a_unit_are_nanoseconds() -> None:
    assert duration_nanos(np.timedelta64(5)) == 5


def test_the_least_value_stands_for_static_and_is_not_used() -> None:
    assert duration_nanos(np.timedelta64(I64_MIN, "ns")) == I64_MIN
    assert duration_nanos(-9223372036.854775808) == I64_MIN
    assert duration_nanos(pa.scalar(I64_MIN - 1, pa.duration("ns"))) == I64_MIN
    assert timestamp_nanos(pa.scalar(I64_MIN - 1, pa.timestamp("ns"))) == I64_MIN


def test_pandas_values_are_exact() -> None:
    pd: Any = pytest.importorskip("pandas")
    assert timestamp_nanos(pd.Timestamp("2024-01-02T03:04:05.000000007")) == MORNING + 7
    assert timestamp_nanos(pd.Timestamp("2024-01-02T03:04:05.000000007", tz="Asia/Tokyo")) == (
        MORNING + 7 - 9 * 3_600 * SECOND
    )
    assert timestamp_nanos(pd.Timestamp("2024-01-02T03:04:05").as_unit("s")) == MORNING
    assert duration_nanos(pd.Timedelta(7, "ns")) == 7
    with pytest.raises(ValueError, match="finite"):
        timestamp_nanos(pd.NaT)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((3, None, None), (TimelineKind.SEQUENCE, 3)),
        ((0, None, None), (TimelineKind.SEQUENCE, 0)),
        ((None, 1.5, None), (TimelineKind.DURATION, 1_500_000_000)),
        ((None, 0, None), (TimelineKind.DURATION, 0)),
        ((None, None, 2), (TimelineKind.TIMESTAMP, 2 * SECOND)),
        ((None, None, 0.0), (TimelineKind.TIMESTAMP, 0)),
    ],
)
def test_a_time_has_a_kind_and_a_value(arguments: Any, expected: tuple[TimelineKind, int]) -> None:
    kind, value = time_value("frame", *arguments)
    assert (kind, value) == expected
    assert kind is expected[0]


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ((None, None, None), "none"),
        ((1, 1, None), "sequence and duration"),
        ((1, None, 1), "sequence and timestamp"),
        ((None, 1, 1), "duration and timestamp"),
        ((0, 0, 0), "sequence and duration and timestamp"),
    ],
)
def test_exactly_one_time_is_wanted(arguments: Any, given: str) -> None:
    message = f"exactly one of sequence, duration and timestamp for timeline 'my line', got {given}$"
    with pytest.raises(ValueError, match=message):
        time_value("my line", *arguments)


@pytest.mark.parametrize("name", [None, 3, b"frame", ["frame"], {}])
def test_the_name_of_a_timeline_is_a_string(name: Any) -> None:
    with pytest.raises(TypeError, match=f"timeline must be a str, got {type(name).__name__}"):
        time_value(name, 1, None, None)


@pytest.mark.parametrize(
    ("name", "message"), [("", "must not be empty"), ("a\ud800", "half of a surrogate pair")]
)
def test_names_that_no_timeline_can_have(name: str, message: str) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match=f"timeline .*{message}"):
            time_value(name, 1, None, None)


@pytest.mark.parametrize("name", ["a b/c", " ", "日本", "😀", "\0", "log_time"])
def test_any_other_name_is_fine(name: str) -> None:
    assert time_value(name, 1, None, None) == (TimelineKind.SEQUENCE, 1)


def test_a_subclass_of_str_names_a_timeline() -> None:
    class Name(enum.StrEnum):
        FRAME = "frame"
        NONE = ""

    assert time_value(Name.FRAME, 1, None, None) == (TimelineKind.SEQUENCE, 1)
    with pytest.raises(ValueError, match="empty"):
        time_value(Name.NONE, 1, None, None)


def test_the_memory_of_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "_known_names", known := set[str]())
    for number in range(3 * time._KNOWN_NAMES):
        check_timeline_name(f"line {number}")
        assert f"line {number}" in known
        assert len(known) <= time._KNOWN_NAMES


def test_plain_values_need_neither_numpy_nor_pyarrow() -> None:
    program = (
        "import sys, datetime as dt\n"
        "from aiorerun.types.time import *\n"
        "from aiorerun.types.time import time_value\n"
        "time_value('a', 1, None, None); time_value('a', True, None, None)\n"
        "time_value('a', None, 1.5, None)\n"
        "time_value('a', None, None, dt.datetime.now()); time_value('a', None, dt.timedelta(1), None)\n"
        "for bad in (('x', None, None), (None, 'x', None), (None, None, 'x')):\n"
        "    try: time_value('a', *bad)\n"
        "    except TypeError: pass\n"
        "    else: raise SystemExit('accepted')\n"
        "print(*sorted({'numpy', 'pyarrow', 'pandas'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
