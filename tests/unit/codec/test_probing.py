"""Which messages are probed, and what sources are remembered for."""

from __future__ import annotations

import itertools

import numpy as np

from aiorerun.codec.compression import LZ4, NONE, compress
from aiorerun.codec.probing import Habits

RANDOM = np.random.default_rng(2)
_numbers = itertools.count()


def source() -> tuple[str, int]:
    """One that no test has used."""
    return "camera", next(_numbers)


def kinds(count: int, data: bytes, name: tuple[str, int]) -> list[int]:
    """How so many messages of a source are compressed."""
    return [compress((data,), len(data), name)[2] for _ in range(count)]


def test_the_longer_nothing_is_gained_the_more_pass() -> None:
    habits = Habits()
    passed = ""
    for _ in range(30):
        if habits.expects_nothing("lidar"):
            passed += "p"
        else:
            passed += "."
            habits.note("lidar", gained=False)
    assert passed == ".p.ppp.ppppppp.ppppppp.ppppppp"


def test_a_gain_changes_what_is_expected() -> None:
    habits = Habits()
    habits.note("depth", gained=True)
    assert not habits.expects_nothing("depth")
    habits.note("depth", gained=False)
    assert habits.expects_nothing("depth")
    habits.note("depth", gained=True)
    assert not habits.expects_nothing("depth")
    assert not habits.expects_nothing("another")


def test_many_sources_are_not_all_remembered() -> None:
    habits = Habits()
    for number in range(10_000):
        habits.note(number, gained=False)
    assert len(habits._known) <= 512
    assert habits.expects_nothing(9_999)
    assert not habits.expects_nothing(0)


def test_noise_stays_as_it_is_and_what_follows_is_noticed_soon() -> None:
    camera = source()
    assert kinds(20, RANDOM.bytes(200_000), camera) == [NONE] * 20
    after = kinds(20, bytes(200_000), camera)
    assert after[:8].count(LZ4) >= 1
    assert after[8:] == [LZ4] * 12


def test_what_shrinks_is_never_passed() -> None:
    camera = source()
    assert kinds(20, bytes(200_000), camera) == [LZ4] * 20


def test_sources_do_not_mix() -> None:
    left, right = source(), source()
    kinds(5, RANDOM.bytes(200_000), left)
    assert kinds(5, bytes(200_000), right) == [LZ4] * 5


def test_short_messages_are_always_looked_at() -> None:
    camera = source()
    kinds(5, RANDOM.bytes(200_000), camera)
    assert kinds(5, bytes(100_000), camera) == [LZ4] * 5


def test_messages_without_a_source_are_always_looked_at() -> None:
    noise, quiet = RANDOM.bytes(200_000), bytes(200_000)
    for _ in range(5):
        assert compress((noise,), 200_000)[2] == NONE
        assert compress((quiet,), 200_000)[2] == LZ4


def test_huge_messages_have_habits_too() -> None:
    camera = source()
    assert kinds(3, RANDOM.bytes(5 << 20), camera) == [NONE] * 3
    assert LZ4 in kinds(8, bytes(5 << 20), camera)
