"""What becomes of rows that were cut off: assembles chunks of them and encodes these.

That takes time, so the worker does it. But of few rows of a kind that was encoded before, it takes less than
what comes with another thread: caches that hold nothing of them, and the interpreter lock to be waited for.
"""

from __future__ import annotations

import math
from functools import partial
from time import thread_time_ns
from typing import TYPE_CHECKING, Final

from aiorerun.codec.messages import chunk_message
from aiorerun.engine.cargo import Batch
from aiorerun.pipeline.assemble import assemble, no_pause
from aiorerun.worker import pause

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.engine.room import Room
    from aiorerun.engine.waiting import Cargo
    from aiorerun.pipeline.accumulator import Cut
    from aiorerun.types.store import StoreId
    from aiorerun.types.tuid import TuidSource


QUICK_NS: Final = 1_000_000
"""What is expected to take no more CPU time is not worth passing to another thread."""

QUICK_BYTES: Final = 2 << 20
"""The most that is. Expectations may be wrong: what did not shrink before may be worth compressing now, which
takes some milliseconds for so much."""


def encode(
    batches: Sequence[Cargo],
    store: StoreId,
    ids: TuidSource,
    room: Room,
    is_wanted: Callable[[], bool] = lambda: True,
) -> list[list[Message] | Exception]:
    """Makes the messages of each batch, or gives the error that it met; in the worker. The rows are let go.

    Args:
        batches: In order.
        store: The recording.
        ids: Where row and chunk ids come from.
        room: Told when it begins and ends, and what each batch costs.
        is_wanted: Whether anybody waits for the outcome; otherwise what is left is left.
    """
    with room.encoding():
        return _encode(batches, store, ids, room, is_wanted, pause)


def encode_here(
    batches: Sequence[Cargo], store: StoreId, ids: TuidSource, room: Room
) -> list[list[Message] | Exception]:
    """The same as :func:`encode` on the event loop, for what takes next to no time there."""
    return _encode(batches, store, ids, room, lambda: True, no_pause)


def expected_ns(batches: Sequence[Cargo]) -> float:
    """How much CPU time encoding will take; infinite if that is not known, or more than is quick."""
    total = 0.0
    for batch in batches:
        if not isinstance(batch, Batch) or batch.cost > QUICK_BYTES:
            return math.inf
        for cut in batch.cuts:
            total += cut.source.expected_ns(cut.num_rows)
            if total > QUICK_NS:
                # There may be thousands more.
                return math.inf
    return total


def _encode(
    batches: Sequence[Cargo],
    store: StoreId,
    ids: TuidSource,
    room: Room,
    is_wanted: Callable[[], bool],
    pause: Callable[[], None],
) -> list[list[Message] | Exception]:
    outcomes: list[list[Message] | Exception] = []
    cuts = [cut for batch in batches if isinstance(batch, Batch) for cut in batch.cuts]
    begun = thread_time_ns()
    for batch in batches:
        if not is_wanted():
            return outcomes
        # One chunk alone makes no tick costly, and is not worth looking at the clock for.
        count = len(batch.cuts) if isinstance(batch, Batch) else 0
        started = thread_time_ns() if count > 1 else 0
        try:
            outcomes.append(_messages(batch, store, ids, pause))
        except Exception as error:
            outcomes.append(error)
        if count > 1:
            room.count_batch(thread_time_ns() - started)
        elif count and room.batch_ns:
            room.count_batch(0)
        pause()
    if cuts:
        _note(cuts, thread_time_ns() - begun)
    return outcomes


def _note(cuts: Sequence[Cut], cpu_ns: int) -> None:
    """Notes what encoding took: half of it for each chunk alike, half by the number of its rows."""
    each = cpu_ns // len(cuts) // 2
    per_row = cpu_ns / sum([cut.num_rows for cut in cuts]) / 2
    for cut in cuts:
        cut.source.note_encoded(cut.num_rows, each + int(per_row * cut.num_rows))


def _messages(batch: Cargo, store: StoreId, ids: TuidSource, pause: Callable[[], None]) -> list[Message]:
    if not isinstance(batch, Batch):
        return batch.make()
    cuts, batch.cuts = batch.cuts, ()
    chunks = assemble(cuts, ids, batch.max_rows_if_unsorted, pause)
    # Not a loop: its variable would keep each chunk until the next one is made.
    return list(map(partial(chunk_message, store), chunks))
