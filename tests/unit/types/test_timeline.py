from __future__ import annotations

from aiorerun.types.timeline import Timeline, TimelineKind


def test_the_kinds_are_three_and_in_this_order() -> None:
    assert [kind.name for kind in TimelineKind] == ["SEQUENCE", "DURATION", "TIMESTAMP"]
    assert sorted(TimelineKind) == list(TimelineKind)


def test_timelines_are_equal_by_name_and_kind() -> None:
    frame = Timeline("frame", TimelineKind.SEQUENCE)
    assert frame == Timeline("frame", TimelineKind.SEQUENCE)
    assert hash(frame) == hash(Timeline("frame", TimelineKind.SEQUENCE))
    assert frame != Timeline("frame", TimelineKind.DURATION)
    assert frame != Timeline("frames", TimelineKind.SEQUENCE)


def test_timelines_are_sorted_by_name_first() -> None:
    late = Timeline("a", TimelineKind.TIMESTAMP)
    early = Timeline("b", TimelineKind.SEQUENCE)
    same_name = Timeline("a", TimelineKind.SEQUENCE)
    assert sorted([early, late, same_name]) == [same_name, late, early]


def test_the_parts_of_a_timeline_have_names() -> None:
    timeline = Timeline("my time/line", TimelineKind.TIMESTAMP)
    assert timeline.name == "my time/line"
    assert timeline.kind is TimelineKind.TIMESTAMP
