"""The ledger counts exactly and lets waiting callers in one by one."""

from __future__ import annotations

from hypothesis import given, strategies as st

from aiorerun.pipeline.ledger import Ledger


def over_by(nbytes: int) -> Ledger:
    ledger = Ledger(100)
    ledger.exempt = False
    ledger.take(100 + nbytes)
    return ledger


def test_counts_what_became_of_rows() -> None:
    ledger = Ledger(100)
    ledger.take(30)
    ledger.settle(10, 3, None)
    ledger.settle(20, 2, "disk full")
    ledger.refuse("over the limit")
    assert (ledger.rows_delivered, ledger.rows_dropped, ledger.rows_refused) == (3, 2, 1)
    assert ledger.reasons == {"disk full": 2, "over the limit": 1}
    assert ledger.in_flight == 0


def test_is_over_only_above_the_limit_and_never_when_exempt() -> None:
    assert over_by(1).is_over
    assert not over_by(0).is_over
    exempt = over_by(1)
    exempt.exempt = True
    assert not exempt.is_over


def test_admits_nobody_while_over() -> None:
    ledger = over_by(1)
    woken: list[int] = []
    ledger.wait(lambda: woken.append(1))
    assert not ledger.admit()
    assert woken == []


def test_admits_one_at_a_time_in_order() -> None:
    ledger = over_by(1)
    woken: list[int] = []
    for number in range(3):
        ledger.wait(lambda number=number: woken.append(number))  # type: ignore[misc]
    ledger.settle(1, 1, None)
    assert not ledger.admit()
    assert not ledger.admit(), "the first one has not had its turn yet"
    assert woken == [0]
    assert [ledger.admit(turn_is_over=True) for _ in range(3)] == [False, False, True]
    assert woken == [0, 1, 2]


def test_a_caller_that_left_is_not_woken() -> None:
    ledger = over_by(1)
    woken: list[int] = []

    def wake() -> None:
        woken.append(1)

    ledger.wait(wake)
    assert ledger.leave(wake)
    assert not ledger.leave(wake)
    ledger.settle(1, 1, None)
    assert ledger.admit()
    assert woken == []


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9), st.booleans())))
def test_bytes_balance(entries: list[tuple[int, int, bool]]) -> None:
    ledger = Ledger(100)
    for cost, _, _ in entries:
        ledger.take(cost)
    for cost, rows, lost in entries:
        ledger.settle(cost, rows, "lost" if lost else None)
    assert ledger.in_flight == 0
    assert ledger.rows_delivered + ledger.rows_dropped == sum(rows for _, rows, _ in entries)


def test_what_was_delivered_may_be_lost_later() -> None:
    ledger = Ledger(100)
    ledger.settle(0, 5, None)
    assert ledger.lose(3, "connection lost") == 3
    assert (ledger.rows_delivered, ledger.rows_dropped) == (2, 3)
    assert ledger.lose(10, "connection lost") == 2
    assert ledger.lose(1, "nothing left") == 0
    assert (ledger.rows_delivered, ledger.rows_dropped) == (0, 5)
    assert ledger.reasons == {"connection lost": 5}
