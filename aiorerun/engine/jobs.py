"""What the worker does with rows: assembles chunks of them and encodes these."""

from __future__ import annotations

from functools import partial
from time import thread_time_ns
from typing import TYPE_CHECKING

from aiorerun.codec.messages import chunk_message
from aiorerun.engine.cargo import Batch
from aiorerun.pipeline.assemble import assemble
from aiorerun.worker import pause

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.engine.cargo import Ready
    from aiorerun.engine.room import Room
    from aiorerun.types.store import StoreId
    from aiorerun.types.tuid import TuidSource


def encode(
    batches: Sequence[Batch | Ready],
    store: StoreId,
    ids: TuidSource,
    room: Room,
    is_wanted: Callable[[], bool] = lambda: True,
) -> list[list[Message] | Exception]:
    """Makes the messages of each batch, or gives the error that it met. The rows are let go.

    Args:
        batches: In order.
        store: The recording.
        ids: Where row and chunk ids come from.
        room: Told when it begins and ends, and what each batch costs.
        is_wanted: Whether anybody waits for the outcome; otherwise what is left is left.
    """
    outcomes: list[list[Message] | Exception] = []
    with room.encoding():
        for batch in batches:
            if not is_wanted():
                break
            # One chunk alone makes no tick costly, and is not worth looking at the clock for.
            cuts = len(batch.cuts) if isinstance(batch, Batch) else 0
            started = thread_time_ns() if cuts > 1 else 0
            try:
                outcomes.append(_messages(batch, store, ids))
            except Exception as error:
                outcomes.append(error)
            if cuts > 1:
                room.count_batch(thread_time_ns() - started)
            elif cuts and room.batch_ns:
                room.count_batch(0)
            pause()
    return outcomes


def _messages(batch: Batch | Ready, store: StoreId, ids: TuidSource) -> list[Message]:
    if not isinstance(batch, Batch):
        return batch.make()
    cuts, batch.cuts = batch.cuts, ()
    chunks = assemble(cuts, ids, batch.max_rows_if_unsorted, pause)
    # Not a loop: its variable would keep each chunk until the next one is made.
    return list(map(partial(chunk_message, store), chunks))
