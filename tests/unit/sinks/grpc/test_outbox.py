"""The outbox: what is kept, forgotten, acknowledged, and sent again."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from aiorerun.codec.framing import MessageKind
from aiorerun.codec.messages import Message
from aiorerun.net.logmsg import frame
from aiorerun.sinks.grpc.outbox import ENTRY_BYTES, Outbox
from tests.unit.codec.building import STORE

if TYPE_CHECKING:
    from collections.abc import Sequence


def message(rows: int, nbytes: int = 100) -> Message:
    return Message(MessageKind.ARROW_MSG, (bytes(nbytes),), nbytes, rows, None, STORE)


def held_by_nobody(number: int) -> bool:
    return False


def send_all(outbox: Outbox) -> list[int]:
    """Sends what waits, in small batches; returns the numbers."""
    numbers: list[int] = []
    while outbox.has_waiting:
        entries = outbox.take(300)
        outbox.advance(len(entries))
        numbers += [entry.number for entry in entries]
    return numbers


def put_and_send(outbox: Outbox, rows: Sequence[int]) -> None:
    outbox.put([message(each) for each in rows])
    send_all(outbox)
    outbox.trim(held_by_nobody)


def test_it_gives_batches_of_about_the_size_asked_for() -> None:
    outbox = Outbox(1 << 20)
    assert outbox.put([message(1, 1000) for _ in range(5)]) == 0
    assert [entry.number for entry in outbox.take(1)] == [0]
    assert len(outbox.take(2 * (1000 + ENTRY_BYTES))) == 2
    assert len(outbox.take(1 << 20)) == 5
    outbox.advance(2)
    assert [entry.number for entry in outbox.take(1 << 20)] == [2, 3, 4]
    assert (outbox.rows_sent, outbox.rows_waiting) == (2, 3)


def test_what_is_not_acknowledged_is_sent_again_in_order_and_unchanged() -> None:
    outbox = Outbox(1 << 20)
    first = [message(rows) for rows in (1, 2, 3)]
    outbox.put(first)
    send_all(outbox)
    outbox.put([message(4)])
    assert outbox.rewind() == 0
    assert [entry.framed for entry in outbox.take(1 << 20)][:3] == [frame(each) for each in first]
    assert send_all(outbox) == [0, 1, 2, 3]


def test_an_acknowledgement_is_for_all_that_was_sent_and_nothing_else() -> None:
    outbox = Outbox(1 << 20)
    put_and_send(outbox, [1, 2])
    outbox.put([message(3)])
    outbox.acknowledge()
    assert (outbox.rows_sent, outbox.rows_waiting, outbox.kept_bytes) == (0, 3, 0)
    assert outbox.rewind() == 0
    assert send_all(outbox) == [2]


def test_the_oldest_are_forgotten_over_the_limit_and_lost_only_if_the_connection_breaks() -> None:
    outbox = Outbox(2 * (100 + ENTRY_BYTES))
    put_and_send(outbox, [1, 2, 4, 8])
    assert outbox.forgotten_rows == 3
    outbox.acknowledge()
    assert outbox.rewind() == 0
    put_and_send(outbox, [16, 32, 64])
    assert outbox.rewind() == 16
    # It is told once.
    assert outbox.rewind() == 0
    assert outbox.rows_waiting == 96


def test_messages_of_an_unfinished_call_are_not_forgotten() -> None:
    outbox = Outbox(0)
    put_and_send(outbox, [1])
    first = outbox.put([message(2), message(4)])
    outbox.advance(1)
    outbox.trim(held_by_nobody, first)
    assert outbox.rewind() == 1
    outbox.withdraw(first)
    assert not outbox.has_waiting
    assert outbox.rows_waiting == 0


def test_what_was_withdrawn_is_not_sent_and_its_numbers_are_not_given_again() -> None:
    outbox = Outbox(1 << 20)
    put_and_send(outbox, [1])
    first = outbox.put([message(2), message(4)])
    outbox.withdraw(first)
    assert outbox.put([message(8)]) == first + 2
    assert send_all(outbox) == [first + 2]


def test_messages_kept_elsewhere_count_as_forgotten_when_they_are_not_any_more() -> None:
    outbox = Outbox(0)
    outbox.put([message(1), message(2)])
    send_all(outbox)
    outbox.trim(lambda number: number == 0)
    assert outbox.forgotten_rows == 2
    outbox.release(0, 1)
    assert outbox.forgotten_rows == 3
    outbox.acknowledge()
    # It has arrived meanwhile.
    outbox.release(1, 2)
    assert outbox.rewind() == 0


def test_it_can_drop_what_a_server_never_takes() -> None:
    outbox = Outbox(1 << 20)
    put_and_send(outbox, [1, 2])
    outbox.rewind()
    outbox.put([message(4)])
    assert outbox.drop(2) == 3
    assert send_all(outbox) == [2]


def test_counting_leaves_later_messages_out() -> None:
    outbox = Outbox(1 << 20)
    put_and_send(outbox, [1, 2])
    outbox.put([message(4), message(8)])
    assert outbox.count(3) == ((3, 4), (2, 1))
    assert outbox.count(1) == ((1, 0), (1, 0))


def test_what_has_arrived_is_let_go_of_bit_by_bit() -> None:
    outbox = Outbox(1 << 20)
    put_and_send(outbox, [1, 2, 4])
    outbox.acknowledge()
    assert outbox.let_go(2)
    put_and_send(outbox, [8])
    outbox.acknowledge()
    assert outbox.rewind() == 0
    assert not outbox.has_waiting
    assert outbox.let_go(1)
    assert not outbox.let_go(1)


def test_the_garbage_collector_has_nothing_to_look_at() -> None:
    outbox = Outbox(1 << 20)
    put_and_send(outbox, [1] * 100)
    outbox.put([message(1) for _ in range(100)])
    for _ in range(3):
        gc.collect()
    assert not any(gc.is_tracked(kept) for kept in (*outbox._sent, *outbox._waiting))
