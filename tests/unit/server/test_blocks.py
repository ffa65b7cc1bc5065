"""Queues in blocks, and snapshots of them."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

from aiorerun.net.logmsg import Framed
from aiorerun.server import blocks
from aiorerun.server.blocks import BLOCK_BYTES, BLOCK_ENTRIES, BlockQueue, Snapshot
from tests.unit.server.peers import entry

if TYPE_CHECKING:
    from aiorerun.server.entries import Entry


def _take_all(snapshot: Snapshot) -> list[Entry]:
    taken: list[Entry] = []
    while snapshot:
        taken.append(snapshot.take())
    assert snapshot.nbytes == 0
    return taken


def test_first_in_first_out_across_blocks() -> None:
    entries = [entry() for _ in range(3 * BLOCK_ENTRIES + 7)]
    queue = BlockQueue(entries)
    assert len(queue) == len(entries)
    assert queue.nbytes == 100 * len(entries)
    assert list(queue) == entries
    for expected in entries:
        assert queue.first() is expected
        assert queue.pop_first() is expected
    assert not queue
    assert queue.nbytes == 0
    queue.append(entries[0])
    assert list(queue) == entries[:1]


def test_snapshots_do_not_change() -> None:
    entries = [entry() for _ in range(2 * BLOCK_ENTRIES + 10)]
    queue = BlockQueue(entries)
    for _ in range(BLOCK_ENTRIES + 5):
        queue.pop_first()
    forwards, backwards = queue.snapshot(), queue.snapshot(newest_first=True)
    for _ in range(BLOCK_ENTRIES):
        queue.append(entry())
        queue.pop_first()
    expected = entries[BLOCK_ENTRIES + 5 :]
    assert forwards.nbytes == 100 * len(expected)
    assert _take_all(forwards) == expected
    assert _take_all(backwards) == expected[::-1]


def test_a_snapshot_of_nothing() -> None:
    queue = BlockQueue()
    assert not queue.snapshot()
    assert not queue.snapshot(newest_first=True)


def test_a_snapshot_within_one_block() -> None:
    entries = [entry() for _ in range(5)]
    queue = BlockQueue(entries)
    queue.pop_first()
    forwards, backwards = queue.snapshot(), queue.snapshot(newest_first=True)
    queue.append(entry())
    assert _take_all(forwards) == entries[1:]
    assert _take_all(backwards) == entries[:0:-1]


def test_large_messages_have_blocks_of_their_own() -> None:
    queue = BlockQueue(entry(size=BLOCK_BYTES) for _ in range(3))
    assert len(queue._blocks) == 3


class _Watched(Framed):
    """Can be referred to weakly."""

    __slots__ = ("__weakref__",)


def test_messages_are_let_go_of_once_they_are_read() -> None:
    entries = [entry(size=BLOCK_BYTES) for _ in range(4)]
    alive: list[weakref.ref[_Watched]] = []
    made = entries[0]
    for made in entries:
        made.framed = _Watched(made.framed.segments, made.framed.nbytes)
        alive.append(weakref.ref(made.framed))
    queue = BlockQueue(entries)
    snapshot = queue.snapshot()
    while queue:
        queue.pop_first()
    entries.clear()
    del made
    gc.collect()
    assert all(reference() is not None for reference in alive)
    snapshot.take()
    snapshot.take()
    gc.collect()
    assert [reference() is not None for reference in alive] == [False, False, True, True]


def test_a_snapshot_costs_blocks_not_messages() -> None:
    queue = BlockQueue(entry() for _ in range(50 * BLOCK_ENTRIES))
    assert len(queue.snapshot()._blocks) == 50
    assert blocks.BLOCK_ENTRIES >= 256
