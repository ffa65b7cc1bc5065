"""Sizes, intervals and times as people write them."""

from __future__ import annotations

import pytest

from aiorerun.files.amounts import parse_interval, parse_size, parse_time, size_text
from aiorerun.types.timeline import TimelineKind

SEQUENCE, DURATION, TIMESTAMP = TimelineKind


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("100MB", 100_000_000),
        ("100 mb", 100_000_000),
        ("1.5GiB", 3 << 29),
        ("4096", 4096),
        ("7B", 7),
        ("2k", 2000),
        (".5kB", 500),
        ("1TiB", 1 << 40),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "MB", "0", "-1MB", "1XB", "1e3", "1 M B", "0.1B", "\N{ARABIC-INDIC DIGIT ONE}"]
)
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("10s", 10**10),
        ("10", 10**10),
        ("5min", 3 * 10**11),
        ("1.5h", 54 * 10**11),
        ("250ms", 25 * 10**7),
        ("1d", 864 * 10**11),
        ("3us", 3000),
        ("3µs", 3000),
        ("7ns", 7),
        ("0.000000001", 1),
    ],
)
@pytest.mark.parametrize("kind", [DURATION, TIMESTAMP])
def test_intervals(text: str, nanos: int, kind: TimelineKind) -> None:
    assert parse_interval(text, kind) == nanos


def test_steps() -> None:
    assert parse_interval("100", SEQUENCE) == 100
    for text in ("10s", "0", "-1", "1.5", ""):
        with pytest.raises(ValueError, match="number of them"):
            parse_interval(text, SEQUENCE)
    for text in ("", "x", "0s", "-1s", "1 week"):
        with pytest.raises(ValueError, match="such as 10s"):
            parse_interval(text, DURATION)


@pytest.mark.parametrize(
    ("text", "kind", "time"),
    [
        ("-5", SEQUENCE, -5),
        ("7", SEQUENCE, 7),
        ("1.5s", DURATION, 15 * 10**8),
        ("-2ms", DURATION, -2_000_000),
        ("0", DURATION, 0),
        ("0s", DURATION, 0),
        ("5", TIMESTAMP, 5),
        ("1970-01-01T00:00:01.5", TIMESTAMP, 15 * 10**8),
        ("1970-01-01T01:00:00+01:00", TIMESTAMP, 0),
        ("1970-01-02", TIMESTAMP, 864 * 10**11),
        ("1970-01-01T00:00:01.123456789", TIMESTAMP, 1_123_456_789),
        ("1970-01-01T00:00:01.12345678Z", TIMESTAMP, 1_123_456_780),
        ("1969-12-31T23:59:59.999999999+00:00", TIMESTAMP, -1),
        ("2262-04-11T23:47:16.854775807", TIMESTAMP, (1 << 63) - 1),
        ("1677-09-21T00:12:43.145224193", TIMESTAMP, 1 - (1 << 63)),
        ("9223372036854775807ns", DURATION, (1 << 63) - 1),
    ],
)
def test_times(text: str, kind: TimelineKind, time: int) -> None:
    assert parse_time(text, kind) == time


@pytest.mark.parametrize(
    ("text", "kind"),
    [("x", SEQUENCE), ("1.5", SEQUENCE), (str(1 << 63), SEQUENCE), ("tomorrow", TIMESTAMP), ("x", DURATION)],
)
def test_no_times(text: str, kind: TimelineKind) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_time(text, kind)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("3000-01-01", TIMESTAMP),
        ("0001-01-01", TIMESTAMP),
        ("0001-01-01T00:00:00+12:00", TIMESTAMP),
        ("9999-12-31T23:59:59-12:00", TIMESTAMP),
        ("2262-04-11T23:47:16.854775808", TIMESTAMP),
        ("1677-09-21T00:12:43.145224192", TIMESTAMP),
        ("200000d", DURATION),
        ("-200000d", DURATION),
        ("9223372036854775808ns", DURATION),
    ],
)
def test_times_too_far_away(text: str, kind: TimelineKind) -> None:
    with pytest.raises(ValueError, match="more than 64 bits"):
        parse_time(text, kind)


def test_sizes_for_people() -> None:
    sizes = [0, 999, 1000, 1_234_567, 5 * 10**9, 12 * 10**12, 10**16]
    assert [size_text(size) for size in sizes] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "1.2 MB",
        "5.0 GB",
        "12.0 TB",
        "10000.0 TB",
    ]
