"""What each policy drops, in which order, and that nothing is miscounted."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import example, given, strategies as st

from aiorerun.pipeline.overflow import (
    ESSENTIAL,
    NEVER,
    QUIET_SECS,
    STATIC,
    TEMPORAL,
    Backlog,
    Losses,
    OverflowPolicy,
    check_policy,
    choose_losses,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Unit:
    name: str
    nbytes: int = 10
    rank: int = TEMPORAL

    @property
    def key(self) -> str:
        return self.name[0]


def backlog(policy: OverflowPolicy, units: Sequence[Unit], limit: int = 1000) -> Backlog[Unit, str]:
    made: Backlog[Unit, str] = Backlog(policy, limit)
    for unit in units:
        assert made.put(unit) == []
    return made


def names(units: Sequence[Unit]) -> list[str]:
    return [unit.name for unit in units]


def units(text: str, rank: int = TEMPORAL) -> list[Unit]:
    return [Unit(name, rank=rank) for name in text.split()]


def test_a_name_that_is_no_policy() -> None:
    assert [check_policy(policy) for policy in get_args(OverflowPolicy)] == list(get_args(OverflowPolicy))
    for wrong in ("drop", None, 3):
        with pytest.raises(ValueError, match=r"overflow: .* is not a policy; pass one of 'wait', "):
            check_policy(wrong)


def test_waiting_drops_nothing_and_keeps_the_order() -> None:
    queue = backlog("wait", [Unit("a", rank=STATIC), Unit("b"), Unit("c", rank=NEVER)], limit=1)
    assert (len(queue), queue.nbytes) == (3, 30)
    assert names(queue.take(20)) == ["a", "b"]
    assert names(queue.take(1000)) == ["c"]
    assert not queue


@pytest.mark.parametrize(
    ("policy", "lost", "left"),
    [
        ("drop_oldest", ["c1", "a1"], ["b1", "a2", "b2", "a3"]),
        ("drop_newest", ["b2", "a3"], ["c1", "a1", "b1", "a2"]),
        ("keep_latest", ["a1", "b1"], ["c1", "a2", "b2", "a3"]),
    ],
)
def test_what_goes_first(policy: OverflowPolicy, lost: list[str], left: list[str]) -> None:
    queue: Backlog[Unit, str] = Backlog(policy, 40)
    gone = [unit for unit in units("c1 a1 b1 a2 b2 a3") for unit in queue.put(unit)]
    assert names(gone) == lost
    assert names(queue.take(1000)) == left


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "keep_latest"])
def test_static_data_stays_while_there_is_temporal_data(policy: OverflowPolicy) -> None:
    queue = backlog(policy, [*units("s t", STATIC), *units("a b")], limit=40)
    for number in range(20):
        lost = queue.put(Unit(f"{'cde'[number % 3]}{number}"))
        assert all(unit.rank == TEMPORAL for unit in lost)
    lost_for_static = queue.put(Unit("u", rank=STATIC))
    assert all(unit.rank == TEMPORAL for unit in lost_for_static)
    assert {unit.name for unit in queue.take(1000)} >= {"s", "t", "u"}


@pytest.mark.parametrize(
    ("policy", "left"),
    [("drop_oldest", ["s2", "t"]), ("drop_newest", ["r", "s2"]), ("keep_latest", ["s2", "t"])],
)
def test_replaced_static_data_goes_before_the_rest_of_it(policy: OverflowPolicy, left: list[str]) -> None:
    queue = backlog(policy, units("s1 r", STATIC), limit=20)
    assert names(queue.put(Unit("s2", rank=STATIC))) == ["s1"]
    queue.put(Unit("t", rank=STATIC))
    assert names(queue.take(1000)) == left


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "keep_latest"])
def test_properties_go_only_when_replaced_and_announcements_never(policy: OverflowPolicy) -> None:
    essential = [Unit("i", rank=NEVER), Unit("i", rank=NEVER), Unit("p1", rank=ESSENTIAL)]
    queue: Backlog[Unit, str] = Backlog(policy, 20)
    for unit in essential:
        queue.append(unit)
    assert names(queue.put(Unit("p2", rank=ESSENTIAL))) == ["p1"]
    assert queue.put(Unit("q", rank=ESSENTIAL)) == []
    assert names(queue.take(1000)) == ["i", "i", "p2", "q"]


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "keep_latest"])
def test_the_last_one_stays_however_large(policy: OverflowPolicy) -> None:
    queue = backlog(policy, [])
    assert queue.put(Unit("a", nbytes=5000)) == []
    (lost,) = queue.put(Unit("b", nbytes=5000))
    assert lost.name == ("b" if policy == "drop_newest" else "a")
    assert len(queue) == 1


def test_the_latest_alone_may_be_too_many() -> None:
    queue: Backlog[Unit, str] = Backlog("keep_latest", 80)
    lost = [unit for unit in units("a b c d e f g h i") for unit in queue.put(unit)]
    assert names(lost) == ["a"]
    assert names(queue.take(1000)) == ["b", "c", "d", "e", "f", "g", "h", "i"]


def test_markers_keep_their_place() -> None:
    queue: Backlog[Unit, str] = Backlog("drop_oldest", 20)
    queue.put(Unit("a"))
    queue.mark("first")
    assert queue.take_marker() is None
    queue.put(Unit("b"))
    queue.mark("second")
    assert names(queue.put(Unit("c"))) == ["a"]
    assert queue.take_marker() == "first"
    assert names(queue.take(1000)) == ["b"]
    assert queue.take_marker() == "second"
    assert names(queue.take(1000)) == ["c"]
    assert queue.take_marker() is None


def test_choosing_among_what_waits_elsewhere() -> None:
    waiting = [Unit("p", rank=ESSENTIAL), *units("s", STATIC), *units("a1 b1 a2 b2")]
    assert names(choose_losses(waiting, "drop_oldest", 15)) == ["a1", "b1"]
    assert names(choose_losses(waiting, "drop_newest", 15)) == ["b2", "a2"]
    assert names(choose_losses(waiting, "keep_latest", 25)) == ["a1", "b1", "a2"]
    assert names(choose_losses(waiting, "drop_oldest", 1000)) == ["a1", "b1", "a2", "b2"]


@given(
    st.sampled_from(["drop_oldest", "drop_newest", "keep_latest"]),
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 40), st.integers(0, 3))),
    st.integers(1, 150),
)
def test_bytes_and_units_balance(
    policy: OverflowPolicy, puts: list[tuple[str, int, int]], limit: int
) -> None:
    queue: Backlog[Unit, str] = Backlog(policy, limit)
    waiting: list[Unit] = []
    for number, (name, nbytes, rank) in enumerate(puts):
        unit = Unit(f"{name}{number}", nbytes, rank)
        lost = queue.put(unit)
        waiting.append(unit)
        for each in lost:
            waiting.remove(each)
            assert each.rank != NEVER
        if any(each.rank == STATIC for each in lost):
            assert all(each.rank != TEMPORAL for each in waiting if each is not unit) or any(
                other.key == each.key for each in lost for other in waiting if other.rank == STATIC
            )
        assert queue.nbytes == sum(each.nbytes for each in waiting)
        assert len(queue) == len(waiting)
        droppable = [each for each in waiting if each.rank < ESSENTIAL]
        kept = sum(each.nbytes for each in waiting if each.rank >= ESSENTIAL)
        assert queue.nbytes <= limit or len(droppable) <= 1 or kept > limit
    assert queue.take(10**9) == waiting


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "keep_latest"])
def test_the_cost_is_linear(policy: OverflowPolicy) -> None:
    def cost(count: int) -> float:
        generator = random.Random(1)
        many = [
            Unit(f"{chr(generator.randrange(1000, 50_000))}{number}", rank=number % 50 == 0)
            for number in range(count)
        ]
        queue: Backlog[Unit, str] = Backlog(policy, 20 * count // 4)
        started = time.process_time()
        for unit in many:
            queue.put(unit)
        return time.process_time() - started

    small = min(cost(5_000) for _ in range(3))
    large = min(cost(40_000) for _ in range(3))
    # Eight times as much; a quadratic cost would be 64 times as much.
    assert large < 30 * small


def test_losses_are_told_once_with_their_count() -> None:
    told: list[str] = []
    losses = Losses(told.append)
    losses.end(lambda rows: f"{rows} for nothing")
    losses.add(0, 0.0, lambda: "nothing is lost")
    losses.add(3, 0.0, lambda: "begins")
    losses.end(lambda rows: f"{rows} too early", QUIET_SECS / 2)
    losses.add(4, QUIET_SECS / 2, lambda: "goes on")
    losses.end(lambda rows: f"{rows} too early", QUIET_SECS * 1.2)
    losses.end(lambda rows: f"{rows} lost", QUIET_SECS * 1.5)
    losses.add(1, 0.0, lambda: "begins again", lambda text: told.append(f"elsewhere: {text}"))
    losses.end(lambda rows: f"{rows} lost")
    assert told == ["begins", "7 lost", "elsewhere: begins again", "1 lost"]


@pytest.mark.parametrize("policy", get_args(OverflowPolicy))
def test_what_was_taken_can_be_put_back_in_front(policy: OverflowPolicy) -> None:
    mixed = [Unit("i", rank=NEVER), *units("a1 b1"), Unit("s", rank=STATIC), *units("a2 c")]
    queue = backlog(policy, mixed)
    taken = queue.take(30)
    queue.put(Unit("d"))
    assert queue.put_back(taken) == []
    assert (len(queue), queue.nbytes) == (7, 70)
    again = queue.take(20)
    assert queue.put_back(again) == []
    assert names(queue.take(1000)) == ["i", "a1", "b1", "s", "a2", "c", "d"]


@pytest.mark.parametrize(
    ("policy", "lost", "left"),
    [
        ("drop_oldest", ["a1", "b1"], ["a2", "c", "a3", "d"]),
        ("drop_newest", ["d", "a3"], ["a1", "b1", "a2", "c"]),
        ("keep_latest", ["a1", "a2"], ["b1", "c", "a3", "d"]),
    ],
)
def test_what_is_put_back_is_dropped_like_the_rest(
    policy: OverflowPolicy, lost: list[str], left: list[str]
) -> None:
    queue = backlog(policy, units("a1 b1 a2"), limit=40)
    taken = queue.take(1000)
    for unit in units("c a3 d"):
        assert queue.put(unit) == []
    assert names(queue.put_back(taken)) == lost
    assert names(queue.take(1000)) == left


def test_all_markers_can_be_taken() -> None:
    queue = backlog("wait", [])
    queue.mark("first")
    queue.put(Unit("a"))
    queue.mark("second")
    taken = queue.take(10)
    assert taken == []
    assert queue.take_markers() == ["first", "second"]
    assert queue.take_markers() == []
    assert names(queue.take(10)) == ["a"]


@given(
    st.sampled_from(get_args(OverflowPolicy)),
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 40), st.integers(0, 3), st.integers(0, 60))),
    st.integers(20, 150),
)
@example(
    "drop_oldest", [("a", 24, 2, 0), ("c", 20, 2, 0), ("c", 20, 2, 0), ("a", 24, 2, 1), ("a", 1, 0, 0)], 88
)
def test_putting_back_changes_nothing_else(
    policy: OverflowPolicy, puts: list[tuple[str, int, int, int]], limit: int
) -> None:
    """With what was taken put back each time, the same goes and the same is left as without."""
    plain: Backlog[Unit, str] = Backlog(policy, limit)
    other: Backlog[Unit, str] = Backlog(policy, limit)
    for number, (name, nbytes, rank, take) in enumerate(puts):
        unit = Unit(f"{name}{number}", nbytes, rank)
        expected = plain.put(unit)
        lost = other.put(unit)
        assert lost == expected
        if take:
            assert other.put_back(other.take(take)) == []
        assert other.nbytes == plain.nbytes
    assert other.take(10**9) == plain.take(10**9)
