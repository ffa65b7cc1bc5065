"""The log that all readers of live messages share."""

from __future__ import annotations

import gc
import weakref

from aiorerun.net.logmsg import Framed
from aiorerun.server.blocks import BLOCK_BYTES, BLOCK_ENTRIES
from aiorerun.server.live import LiveLog
from tests.unit.server.peers import entry


def test_each_reader_has_its_own_place() -> None:
    log = LiveLog()
    early = log.cursor()
    first = [entry() for _ in range(BLOCK_ENTRIES)]
    for made in first:
        log.append(made)
    late = log.cursor()
    second = [entry() for _ in range(BLOCK_ENTRIES + 3)]
    for made in second:
        log.append(made)
    assert (early.backlog, late.backlog) == (100 * len(first + second), 100 * len(second))
    assert [early.take() for _ in range(len(first + second))] == first + second
    assert not early
    assert early.backlog == 0
    assert [late.take() for _ in second] == second
    assert not late
    log.append(first[0])
    assert early
    assert early.take() is first[0]


def test_what_everybody_has_read_is_gone() -> None:
    class Watched(Framed):
        __slots__ = ("__weakref__",)

    log = LiveLog()
    slow, quick = log.cursor(), log.cursor()
    made = entry(size=BLOCK_BYTES)
    made.framed = Watched(made.framed.segments, made.framed.nbytes)
    reference = weakref.ref(made.framed)
    log.append(made)
    del made
    quick.take()
    gc.collect()
    assert reference() is not None
    log.append(entry())
    slow.take()
    slow.take()
    quick.take()
    gc.collect()
    assert reference() is None


def test_the_log_alone_keeps_nothing_large() -> None:
    log = LiveLog()
    log.append(entry(size=BLOCK_BYTES))
    assert not log.tail.entries


def test_the_end_of_a_full_block_is_the_end() -> None:
    log = LiveLog()
    cursor = log.cursor()
    for _ in range(BLOCK_ENTRIES):
        log.append(entry())
    for _ in range(BLOCK_ENTRIES):
        assert cursor
        cursor.take()
    assert not cursor
    made = entry()
    log.append(made)
    assert cursor
    assert cursor.take() is made
