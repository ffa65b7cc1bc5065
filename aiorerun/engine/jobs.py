"""What becomes of rows that were cut off: assembles chunks of them and encodes these.

That takes time, so the worker does it. But of few rows of a kind that was encoded before, it takes less than
what comes with another thread: caches that hold nothing of them, and the interpreter lock to be waited for.
"""

from __future__ import annotations

import math
from functools import partial
from time import thread_time_ns
from typing import TYPE_CHECKING, Final, NamedTuple

from aiorerun.codec.messages import chunk_message
from aiorerun.engine.cargo import Batch
from aiorerun.pipeline.assemble import assemble, grouped, no_pause
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

_LEAST_NS: Final = 10_000
"""No chunk is expected to take less."""


class Outcome(NamedTuple):
    """What became of a batch.

    Attributes:
        messages: In order.
        failures: Rows that could not be encoded: how many, and why. They take no others with them.
    """

    messages: list[Message]
    failures: Sequence[tuple[int, Exception]] = ()


def encode(
    batches: Sequence[Cargo],
    store: StoreId,
    ids: TuidSource,
    room: Room,
    is_wanted: Callable[[], bool] = lambda: True,
) -> list[Outcome]:
    """Makes the messages of each batch, in the worker. The rows are let go.

    Args:
        batches: In order.
        store: The recording.
        ids: Where row and chunk ids come from.
        room: Told when it begins and ends, and what each batch costs.
        is_wanted: Whether anybody waits for the outcome; otherwise what is left is left.
    """
    with room.encoding():
        return _encode(batches, store, ids, room, is_wanted, pause)


def encode_here(batches: Sequence[Cargo], store: StoreId, ids: TuidSource, room: Room) -> list[Outcome]:
    """The same as :func:`encode` on the event loop, for what takes next to no time there.

    Handlers of signals run in the middle of it as a rule, and may raise something: the batches have all of
    their rows again then.
    """
    kept = [
        (batch, batch.cuts, [cut.rows.copy() for cut in batch.cuts])
        for batch in batches
        if isinstance(batch, Batch)
    ]
    try:
        return _encode(batches, store, ids, room, lambda: True, no_pause)
    except BaseException:
        for batch, cuts, rows in kept:
            batch.cuts = cuts
            for cut, of_cut in zip(cuts, rows, strict=True):
                cut.rows = of_cut
        raise


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
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    cuts = [cut for batch in batches if isinstance(batch, Batch) for cut in batch.cuts]
    begun = thread_time_ns()
    for batch in batches:
        if not is_wanted():
            return outcomes
        # One chunk alone makes no tick costly, and is not worth looking at the clock for.
        count = len(batch.cuts) if isinstance(batch, Batch) else 0
        started = thread_time_ns() if count > 1 else 0
        try:
            outcomes.append(_outcome(batch, store, ids, pause))
        except Exception as error:
            outcomes.append(Outcome([], [(batch.rows, error)]))
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
    # Where the clock is coarse, most of what is quick takes no time at all.
    cpu_ns = max(cpu_ns, _LEAST_NS * len(cuts))
    each = cpu_ns // len(cuts) // 2
    per_row = cpu_ns / sum([cut.num_rows for cut in cuts]) / 2
    for cut in cuts:
        cut.source.note_encoded(cut.num_rows, each + int(per_row * cut.num_rows))


def _outcome(batch: Cargo, store: StoreId, ids: TuidSource, pause: Callable[[], None]) -> Outcome:
    if not isinstance(batch, Batch):
        return Outcome(batch.make())
    messages: list[Message] = []
    failures: list[tuple[int, Exception]] = []
    encoded = partial(chunk_message, store)
    cuts, batch.cuts = batch.cuts, ()
    for group in grouped(cuts):
        count = len(messages)
        try:
            # Not a loop: its variable would keep each chunk until the next one is made.
            messages.extend(map(encoded, assemble(group, ids, batch.max_rows_if_unsorted, pause)))
        except Exception as error:
            done = sum(message.rows for message in messages[count:])
            failures.append((sum(cut.num_rows for cut in group) - done, error))
    return Outcome(messages, failures)
