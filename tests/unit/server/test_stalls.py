"""How long a reader may hold up the others."""

from __future__ import annotations

import pytest

from aiorerun.server.stalls import REFILL, StallBudget


def test_it_is_spent_and_comes_back_slowly() -> None:
    budget = StallBudget(2.0, 100.0)
    assert budget.left(200.0) == 2.0
    budget.spend(200.0, 201.5)
    assert budget.left(201.5) == pytest.approx(0.5)
    assert budget.left(206.5) == pytest.approx(1.0)
    assert budget.left(1000.0) == 2.0


def test_in_the_long_run_a_tenth_of_the_time() -> None:
    budget, now = StallBudget(2.0, 0.0), 0.0
    stalled = 0.0
    for _ in range(1000):
        if budget.left(now) > 0.5:
            budget.spend(now, now + 0.5)
            stalled += 0.5
        now += 0.5
    assert stalled <= 2.0 + now * REFILL * 1.05
