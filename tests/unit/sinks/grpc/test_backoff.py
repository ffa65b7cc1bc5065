"""Waits between attempts: growth, limit, chance, and when a failure counts as the first again."""

from __future__ import annotations

from aiorerun.sinks.grpc.backoff import FIRST_SECS, LIMIT_SECS, REFUSED_SECS, STABLE_SECS, Backoff


def test_waits_double_up_to_the_limit() -> None:
    backoff = Backoff(lambda: 1.0)
    waits = [backoff.delay(0.0) for _ in range(9)]
    assert waits[:4] == [0.1, 0.2, 0.4, 0.8]
    assert waits[-1] == LIMIT_SECS


def test_chance_takes_off_up_to_a_half() -> None:
    for chance, expected in ((0.0, 0.5), (0.5, 0.75), (1.0, 1.0)):
        assert Backoff(lambda chance=chance: chance, first=1.0).delay(0.0) == expected  # type: ignore[misc]


def test_a_connection_that_lasts_starts_it_again() -> None:
    backoff = Backoff(lambda: 1.0)
    for _ in range(5):
        backoff.delay(0.0)
    backoff.connected(10.0)
    assert backoff.delay(10.0 + STABLE_SECS / 2) > FIRST_SECS
    backoff.connected(20.0)
    assert backoff.delay(20.0 + STABLE_SECS) == FIRST_SECS


def test_a_refusal_is_waited_out_long() -> None:
    backoff = Backoff(lambda: 0.0)
    assert backoff.delay(0.0, is_refused=True) == REFUSED_SECS / 2
