"""The replay buffer: order, limit, what goes and what stays."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from aiorerun.server import history
from aiorerun.server.blocks import BlockQueue
from aiorerun.server.entries import Entry, Queue
from aiorerun.server.history import Replay, ReplayBuffer
from tests.unit.server.peers import entry, mark_of

if TYPE_CHECKING:
    import pytest

P, S, D, T = Queue.PERSISTENT, Queue.STATIC, Queue.DISPOSABLE, Queue.TABLE

# The measured run: t0 S1 st1 t1 bp t2 act st2 S2 bpStatic t3.
MIXED = [
    (D, "t0"),
    (P, "S1"),
    (S, "st1"),
    (D, "t1"),
    (P, "bp"),
    (D, "t2"),
    (P, "act"),
    (S, "st2"),
    (P, "S2"),
    (P, "bpStatic"),
    (D, "t3"),
]


def _fill(buffer: ReplayBuffer, messages: list[tuple[Queue, str]], size: int = 100) -> None:
    for queue, name in messages:
        buffer.add(entry(queue, size, name.encode()))


def _names(replay: Replay) -> str:
    names: list[str] = []
    while replay:
        names.append(mark_of(replay.take()).decode())
    assert replay.nbytes == 0
    return " ".join(names)


def test_oldest_first() -> None:
    buffer = ReplayBuffer(None)
    _fill(buffer, MIXED)
    assert _names(buffer.replay()) == "S1 bp act S2 bpStatic st1 st2 t0 t1 t2 t3"
    assert _names(buffer.replay()) == "S1 bp act S2 bpStatic st1 st2 t0 t1 t2 t3"
    assert len(buffer) == len(MIXED)


def test_newest_first() -> None:
    buffer = ReplayBuffer(None, newest_first=True)
    _fill(buffer, MIXED)
    assert _names(buffer.replay()) == "S1 bp act S2 bpStatic st2 st1 t3 t2 t1 t0"


def test_temporal_data_goes_and_the_rest_stays() -> None:
    buffer = ReplayBuffer(1000)
    _fill(buffer, [(P, "S1"), (S, "st1")], size=1)
    _fill(buffer, [(D, f"t{number}") for number in range(30)])
    # Before a message is added, all is brought below the limit.
    assert _names(buffer.replay()) == "S1 st1 " + " ".join(f"t{number}" for number in range(20, 30))


def test_static_data_is_never_given_up_for_other_data() -> None:
    buffer = ReplayBuffer(1000)
    _fill(buffer, [(D, "t0"), (D, "t1")])
    _fill(buffer, [(S, f"st{number}") for number in range(15)])
    assert _names(buffer.replay()) == " ".join(f"st{number}" for number in range(15))
    assert buffer.has_too_much_static
    _fill(buffer, [(D, "t2"), (D, "t3")])
    assert _names(buffer.replay()) == " ".join([*(f"st{number}" for number in range(15)), "t3"])


def test_persistent_messages_stay_over_the_limit() -> None:
    buffer = ReplayBuffer(1000)
    _fill(buffer, [(P, f"bp{number}") for number in range(15)])
    assert len(buffer) == 15
    assert buffer.nbytes == 1500
    assert not buffer.has_too_much_static


def test_a_message_over_the_limit_stays_until_the_next_one() -> None:
    buffer = ReplayBuffer(1000)
    _fill(buffer, [(D, "huge")], size=3000)
    assert _names(buffer.replay()) == "huge"
    _fill(buffer, [(D, "t")])
    assert _names(buffer.replay()) == "t"


def test_nothing_is_kept_with_a_limit_of_zero() -> None:
    buffer = ReplayBuffer(0)
    _fill(buffer, MIXED)
    assert len(buffer) == 0
    assert not buffer.replay()
    assert not buffer.has_too_much_static


def test_tables_are_as_disposable_as_data_but_for_other_readers() -> None:
    buffer = ReplayBuffer(500)
    _fill(buffer, [(D, "t0"), (T, "a"), (D, "t1"), (T, "b"), (D, "t2"), (D, "t3")])
    assert _names(buffer.replay()) == "t1 t2 t3"
    assert _names(buffer.replay_tables()) == "a b"
    _fill(buffer, [(D, "t4"), (D, "t5")])
    assert _names(buffer.replay()) == "t2 t3 t4 t5"
    assert _names(buffer.replay_tables()) == "b"
    _fill(buffer, [(T, f"c{number}") for number in range(9)])
    assert _names(buffer.replay()) == ""
    assert _names(buffer.replay_tables()) == "c4 c5 c6 c7 c8"


def test_a_replay_holds_what_was_given_up_since() -> None:
    buffer = ReplayBuffer(500)
    _fill(buffer, [(D, f"t{number}") for number in range(5)])
    replay = buffer.replay()
    _fill(buffer, [(D, f"t{number}") for number in range(5, 20)])
    assert replay.nbytes == 500
    assert _names(replay) == "t0 t1 t2 t3 t4"


def test_millions_of_small_messages_do_not_go_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "EVICTED_AT_ONCE", 4)
    buffer = ReplayBuffer(1000)
    _fill(buffer, [(D, f"t{number}") for number in range(10)])
    _fill(buffer, [(D, "huge")], size=5000)
    _fill(buffer, [(D, "next")])
    assert buffer.is_behind
    assert len(buffer) == 7
    buffer.trim()
    assert buffer.is_behind
    buffer.trim()
    assert _names(buffer.replay()) == "next"
    buffer.trim()
    assert len(buffer) == 1


def test_static_data_can_be_taken_out() -> None:
    buffer = ReplayBuffer(1000)
    _fill(buffer, [(S, f"st{number}") for number in range(6)])
    snapshot = buffer.static_snapshot()
    entries: list[Entry] = []
    while snapshot:
        entries.append(snapshot.take())
    assert all(before.number < after.number for before, after in pairwise(entries))
    # Meanwhile more has come.
    _fill(buffer, [(S, "st6"), (D, "t"), (S, "st7")])
    buffer.replace_static(BlockQueue(entries[3:5]), entries[-1].number)
    assert _names(buffer.replay()) == "st3 st4 st6 st7 t"
    assert buffer.static_bytes == 400
    _fill(buffer, [(S, "st8")])
    assert _names(buffer.replay()) == "st3 st4 st6 st7 st8 t"
