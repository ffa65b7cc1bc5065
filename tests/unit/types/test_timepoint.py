"""Timepoints: interned timeline sets, immutable values, row layouts."""

from __future__ import annotations

import struct

from hypothesis import given, strategies as st

from aiorerun.types.timeline import Timeline, TimelineKind
from aiorerun.types.timepoint import (
    LOG_TICK,
    LOG_TIME,
    NO_TIMES,
    STATIC,
    TimelineSet,
    time_of,
    with_time,
    without_time,
)

SEQUENCE, DURATION, TIMESTAMP = TimelineKind.SEQUENCE, TimelineKind.DURATION, TimelineKind.TIMESTAMP


def test_equal_sets_are_one_object() -> None:
    first = with_time(with_time(NO_TIMES, "b", SEQUENCE, 1), "a", DURATION, 2)
    second = with_time(with_time(NO_TIMES, "a", DURATION, 3), "b", SEQUENCE, 4)
    assert first[0] is second[0]
    assert first[0].timelines == (Timeline("a", DURATION), Timeline("b", SEQUENCE))
    assert first[1] == (2, 1)


def test_another_kind_replaces_the_timeline() -> None:
    timepoint = with_time(NO_TIMES, "t", SEQUENCE, 7)
    changed = with_time(timepoint, "t", TIMESTAMP, 8)
    assert time_of(changed, "t") == (TIMESTAMP, 8)
    assert changed[0] is not timepoint[0]
    assert time_of(timepoint, "t") == (SEQUENCE, 7)


def test_without_an_unknown_timeline_nothing_changes() -> None:
    timepoint = with_time(NO_TIMES, "t", SEQUENCE, 7)
    assert without_time(timepoint, "other") is timepoint
    assert without_time(timepoint, "t") == NO_TIMES
    assert time_of(timepoint, "other") is None


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(TimelineKind), st.integers(-5, 5))))
def test_behaves_like_a_dict(changes: list[tuple[str, TimelineKind, int]]) -> None:
    timepoint = NO_TIMES
    expected: dict[str, tuple[TimelineKind, int]] = {}
    for name, kind, value in changes:
        if value == 0:
            timepoint = without_time(timepoint, name)
            expected.pop(name, None)
        else:
            timepoint = with_time(timepoint, name, kind, value)
            expected[name] = (kind, value)
    assert {name: time_of(timepoint, name) for name in expected} == expected
    assert [each.name for each in timepoint[0].timelines] == sorted(expected)


def test_layout_puts_injected_values_first_and_hides_user_values_of_the_same_name() -> None:
    timelines = TimelineSet.of((Timeline("frame", SEQUENCE), Timeline("log_tick", SEQUENCE)))
    layout = timelines.layouts[LOG_TIME | LOG_TICK]
    assert [each.name for each in layout.timelines] == ["log_time", "log_tick", "frame"]
    assert layout.keep == (0,)
    assert struct.unpack("<4q", layout.pack(1, 2, 3, 4)) == (1, 2, 3, 4)
    assert layout.width == 32


def test_a_user_value_survives_when_its_injection_is_off() -> None:
    timelines = TimelineSet.of((Timeline("log_tick", SEQUENCE),))
    layout = timelines.layouts[LOG_TIME]
    assert layout.keep is None
    assert [each.name for each in layout.timelines] == ["log_time", "log_tick"]


def test_static_rows_have_no_timeline() -> None:
    assert STATIC.timelines == ()
    assert STATIC.width == 8


def test_many_derived_sets_do_not_pile_up() -> None:
    for number in range(5000):
        with_time(NO_TIMES, f"t{number}", SEQUENCE, 0)
    assert len(NO_TIMES[0]._with) <= 1024


def test_repr_names_the_timelines() -> None:
    timepoint = with_time(NO_TIMES, "t", SEQUENCE, 7)
    assert repr(timepoint[0]) == "TimelineSet(t: SEQUENCE)"
