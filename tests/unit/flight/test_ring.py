"""What a flight recorder keeps: by age, by bytes, and nothing of what has gone."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from aiorerun.codec.messages import chunk_message
from aiorerun.flight.ring import ENTRY_BYTES, Ring
from tests.unit.codec.building import STORE, scalar_chunk

if TYPE_CHECKING:
    from aiorerun.codec.messages import Message


def message(path: str = "/a") -> Message:
    return chunk_message(STORE, scalar_chunk(path))


def kept(ring: Ring) -> list[int]:
    return [dated.arrived_ns for dated in ring.snapshot().messages()]


def test_what_is_too_old_goes() -> None:
    ring = Ring(10, None)
    for now in range(0, 30, 5):
        ring.put(message(), now)
    assert kept(ring) == [20, 25]
    ring.trim(34)
    assert kept(ring) == [25]
    ring.trim(35)
    assert kept(ring) == []
    assert (ring.nbytes, ring.rows, len(ring)) == (0, 0, 0)
    assert not ring.young_lost


def test_what_there_is_no_room_for_goes() -> None:
    one = message()
    size = one.nbytes + ENTRY_BYTES
    ring = Ring(1000, 3 * size + 10)
    for now in range(5):
        ring.put(message(), now)
    assert kept(ring) == [2, 3, 4]
    assert ring.nbytes <= 3 * size + 10
    assert ring.rows == 3 * one.rows
    assert ring.young_lost


def test_what_is_larger_than_everything_is_left_out() -> None:
    one = message()
    ring = Ring(None, one.nbytes + ENTRY_BYTES - 1)
    assert not ring.put(one, 1)
    assert kept(ring) == []


def test_nothing_ages_while_a_dump_is_pending() -> None:
    ring = Ring(10, None)
    ring.put(message(), 1)
    ring.pinned_at = 5
    ring.put(message(), 100)
    assert kept(ring) == [1, 100]
    ring.pinned_at = None
    ring.trim(100)
    assert kept(ring) == [100]


def test_messages_come_out_as_they_went_in() -> None:
    ring = Ring(None, 1 << 20)
    messages = [message(f"/{name}") for name in "aba"]
    for now, each in enumerate(messages):
        ring.put(each, now)
    for given, dated in zip(messages, ring.snapshot().messages(), strict=True):
        for name in ("kind", "segments", "nbytes", "rows", "index", "store", "captured_ns"):
            assert getattr(given, name) == getattr(dated.message, name)
        assert dated.captured_ns == given.captured_ns


def test_entities_that_are_gone_leave_nothing() -> None:
    ring = Ring(10, None)
    for now in range(1000):
        ring.put(message(f"/{now}"), now)
    assert len(ring.snapshot().groups) == 10
    ring.clear()
    assert [len(ring._groups), len(ring._numbers), len(ring._counts)] == [0, 0, 0]


def test_a_snapshot_stays_as_it_is() -> None:
    ring = Ring(10, None)
    ring.put(message(), 1)
    snapshot = ring.snapshot()
    ring.put(message("/b"), 100)
    assert [
        dated.message.index.group.entity_path for dated in snapshot.messages() if dated.message.index
    ] == ["/a"]


def test_the_garbage_collector_does_not_look_at_what_is_kept() -> None:
    """Thousands of small messages would take it many milliseconds, again and again."""
    ring = Ring(None, 1 << 20)
    for now in range(10):
        ring.put(message(), now)
    # Tuples are let alone from the second time on, those around them from the third.
    for _ in range(3):
        gc.collect()
    assert not any(map(gc.is_tracked, ring._kept))
