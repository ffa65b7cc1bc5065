"""Parcels: what they count for, when they are settled, and how late they are dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiorerun.codec.messages import blueprint_activation_message, chunk_message
from aiorerun.pipeline.overflow import ESSENTIAL, NEVER, STATIC, TEMPORAL
from aiorerun.sinks.parcel import Parcel, is_property, settle
from tests.unit.codec.building import BLUEPRINT, STORE, announcement, chunk, component, scalar_chunk
from tests.unit.engine.test_room import make_room

if TYPE_CHECKING:
    from aiorerun.codec.messages import Message


def parcel_of(message: Message) -> Parcel:
    return Parcel(message, 1, 1)


def static_chunk(path: str) -> Message:
    import pyarrow as pa

    return chunk_message(STORE, chunk(path, 1, [], [component("x", [[1]], pa.int8())]))


def test_it_is_settled_by_the_last_sink() -> None:
    room = make_room()
    room.take(50)
    parcel = Parcel(announcement(), 3, 3, rows=2, cost=50, account=room)
    settle([parcel], None, waited_for=True)
    settle([parcel], "first reason", waited_for=True)
    assert room.ledger.in_flight == 50
    settle([parcel], "second reason", waited_for=True)
    assert (room.ledger.in_flight, room.ledger.aside) == (0, 0)
    assert room.ledger.reasons == {"first reason": 2}
    # Rows that were settled before are on nobody's account.
    settle([Parcel(announcement(), 1, 1)], None, waited_for=True)


@pytest.mark.parametrize("order", [(True, False), (False, True)])
def test_nobody_waits_for_what_only_other_sinks_hold(order: tuple[bool, bool]) -> None:
    room = make_room()
    room.take(50)
    parcel = Parcel(announcement(), 2, 1, rows=2, cost=50, account=room)
    settle([parcel], None, waited_for=order[0])
    assert (room.ledger.in_flight, room.ledger.aside) == ((0, parcel.nbytes) if order[0] else (50, 0))
    assert room.ledger.rows_delivered == 0
    settle([parcel], None, waited_for=order[1])
    assert (room.ledger.in_flight, room.ledger.aside, room.ledger.rows_delivered) == (0, 0, 2)


def test_without_anybody_who_waits_it_counts_nothing_from_the_start() -> None:
    room = make_room()
    room.take(50)
    parcel = Parcel(announcement(), 1, 0, rows=1, cost=50, account=room)
    assert (room.ledger.in_flight, room.ledger.aside) == (0, parcel.nbytes)
    settle([parcel], "overflow: drop_oldest", waited_for=False)
    assert (room.ledger.aside, room.ledger.rows_dropped) == (0, 1)


def test_what_comes_from_before_a_fork_counts_no_more() -> None:
    room = make_room()
    room.take(50)
    parcel = Parcel(announcement(), 2, 1, rows=1, cost=50, account=room)
    room.start_empty()
    settle([parcel], None, waited_for=True)
    settle([parcel], None, waited_for=False)
    assert (room.ledger.in_flight, room.ledger.aside, room.ledger.rows_delivered) == (0, 0, 0)


def test_how_late_it_is_dropped() -> None:
    assert parcel_of(announcement()).rank == NEVER
    activation = blueprint_activation_message(BLUEPRINT, make_active=True, make_default=True)
    assert parcel_of(activation).rank == NEVER
    assert parcel_of(chunk_message(BLUEPRINT, scalar_chunk("/view"))).rank == ESSENTIAL
    assert parcel_of(static_chunk("/__properties")).rank == ESSENTIAL
    assert parcel_of(static_chunk("/__properties/mine")).rank == ESSENTIAL
    assert parcel_of(static_chunk("/a")).rank == STATIC
    assert parcel_of(chunk_message(STORE, scalar_chunk("/a"))).rank == TEMPORAL
    assert not is_property("/__properties2")


def test_what_replaces_it() -> None:
    def key(message: Message) -> object:
        return parcel_of(message).key

    assert key(chunk_message(STORE, scalar_chunk("/a", [1]))) == key(
        chunk_message(STORE, scalar_chunk("/a", [2, 3]))
    )
    assert key(chunk_message(STORE, scalar_chunk("/a"))) != key(chunk_message(STORE, scalar_chunk("/b")))
    assert key(chunk_message(STORE, scalar_chunk("/a"))) != key(chunk_message(BLUEPRINT, scalar_chunk("/a")))
    assert key(static_chunk("/a")) != key(chunk_message(STORE, scalar_chunk("/a")))


def test_parcels_of_all_kinds_are_settled_together() -> None:
    room, other = make_room(1000), make_room(1000)
    room.take(60)
    other.take(7)
    alone = [Parcel(announcement(), 1, 1, rows=n, cost=10 * n, account=room) for n in (1, 2)]
    lost_before = Parcel(announcement(), 2, 2, rows=3, cost=15, account=room)
    shared = Parcel(announcement(), 2, 2, rows=4, cost=15, account=room)
    of_another = Parcel(announcement(), 1, 1, rows=5, cost=7, account=other)
    settle([lost_before], "full disk", waited_for=True)
    parcels = [alone[0], shared, lost_before, parcel_of(announcement()), of_another, alone[1]]
    settle(parcels, None, waited_for=True)
    assert (room.ledger.rows_delivered, room.ledger.reasons) == (3, {"full disk": 3})
    assert (other.ledger.rows_delivered, other.ledger.in_flight) == (5, 0)
    assert room.ledger.in_flight == 15
    settle([shared], None, waited_for=True)
    assert (room.ledger.rows_delivered, room.ledger.in_flight) == (7, 0)
