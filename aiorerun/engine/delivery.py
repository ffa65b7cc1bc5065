"""From rows to the queues of the sinks: encoding, and the accounts of what comes of it."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from aiorerun.engine.cargo import Batch, Encoded
from aiorerun.interrupts import INTERRUPTS
from aiorerun.sinks.parcel import Parcel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.engine.jobs import Outcome
    from aiorerun.engine.room import Room
    from aiorerun.engine.sink_set import SinkSet
    from aiorerun.engine.waiting import Cargo, Waiting
    from aiorerun.engine.watched_worker import WatchedWorker
    from aiorerun.types.store import StoreId
    from aiorerun.types.tuid import TuidSource

JOB_BYTES: Final = 4 << 20
"""About how many bytes of rows the worker encodes in one go before the messages are passed on."""

QUICK_JOB_BYTES: Final = 1 << 20
"""The same on the event loop."""

TURN_NS: Final = 500_000
"""After so much work on the loop other tasks have their turn."""

LATE: Final = "not encoded in time at exit"
"""Why rows are lost that the worker had no time for."""

logger = logging.getLogger("aiorerun")


class Delivery:
    """Has rows encoded and gives the messages to the attached sinks, or back if there is none any more.

    Args:
        store: The recording.
        ids: Where row and chunk ids come from.
        room: Counts the rows.
        waiting: Where messages wait that no sink is there for.
        worker: Encodes what takes time.
        sinks: The attached sinks.
        secs: How long encoding may take while somebody waits for the stream.
    """

    def __init__(
        self,
        store: StoreId,
        ids: TuidSource,
        room: Room,
        waiting: Waiting,
        worker: WatchedWorker,
        sinks: SinkSet,
        secs: float,
    ) -> None:
        self._store = store
        self._ids = ids
        self._room = room
        self._waiting = waiting
        self._worker = worker
        self._sinks = sinks
        self._secs = secs
        self._rows_late = 0
        self._here_ns = 0.0

    def start_in_time(self) -> None:
        """Tells what was lost because the time for everything was over, and starts anew."""
        if self._rows_late:
            logger.error(
                "%d rows of %r are lost: there was no time left for them",
                self._rows_late,
                self._store.recording_id,
            )
        self._rows_late, self._worker.is_late = 0, False

    def take_turn(self) -> bool:
        """Whether so much was encoded on the loop that others should have a turn; counts anew then."""
        if self._here_ns < TURN_NS:
            return False
        self._here_ns = 0.0
        return True

    async def deliver(self, first: Cargo) -> None:
        """Encodes rows, and what waits behind them and goes together; queues the messages for all sinks.

        Raises:
            KeyboardInterrupt, SystemExit: The handler of a signal raised them in the middle of this; what is
                not under way is queued again.
        """
        batches = [first]
        try:
            await self._deliver(batches)
        except INTERRUPTS as interrupt:
            self._queue_again(batches, interrupt)
            raise
        except Exception as error:
            # None that is expected: those that were not handed over are counted all the same.
            for batch in batches:
                self._lose(batch.rows, batch.cost, error)
            raise
        finally:
            # Only now, and so behind the sinks: a caller that goes on logging would keep these waiting.
            self._room.end_encoding()

    async def _deliver(self, batches: list[Cargo]) -> None:
        self._waiting.take_rows(batches, QUICK_JOB_BYTES)
        if self._worker.is_late:
            for batch in batches:
                self._rows_late += batch.rows
                self._room.settle(batch.cost, batch.rows, LATE)
            return
        try:
            encoded = await self._encode(batches)
        except TimeoutError as error:
            # The worker hangs, in the system call of a sink as a rule; or busy threads leave it no time.
            for batch in batches:
                self._lose(batch.rows, batch.cost, error)
            return
        waited_for = self._sinks.count_waited_for()
        chunks = 0
        for messages, failures in encoded:
            # What is handed over is no longer this one's to take care of.
            batch = batches.pop(0)
            cost, rows = batch.cost, batch.rows
            for lost, why in failures:
                share = cost * lost // max(rows, 1) if messages else cost
                self._lose(lost, share, why)
                cost, rows = cost - share, rows - lost
            if isinstance(batch, Encoded):
                self._put(messages[0], waited_for, rows, cost, batch.lost_because)
                continue
            # Blueprints have messages besides their chunks.
            is_chunks = isinstance(batch, Batch)
            chunks += len(messages) if is_chunks else sum(each.index is not None for each in messages)
            self._send(messages, waited_for, cost, rows)
        self._room.ledger.count_chunks(chunks)

    def _queue_again(self, batches: list[Cargo], interrupt: BaseException) -> None:
        """Puts rows back in front; those that the worker has are lost, and nobody knows of its answer."""
        whole = [batch for batch in batches if not isinstance(batch, Batch) or batch.cuts or not batch.rows]
        for batch in batches:
            if batch not in whole:
                self._lose(batch.rows, batch.cost, interrupt)
        self._waiting.put_first(whole)

    async def _encode(self, batches: list[Cargo]) -> list[Outcome]:
        """What becomes of each batch. It never takes a cancellation in the middle.

        What goes to the worker takes more along of what waits.

        Raises:
            TimeoutError: There is no answer from the worker.
        """
        from aiorerun.engine.jobs import QUICK_NS, encode, encode_here, expected_ns

        expected = expected_ns(batches)
        if expected > QUICK_NS:
            self._waiting.take_rows(batches, JOB_BYTES)
            job = partial(encode, batches, self._store, self._ids, self._room, self._worker.is_wanted)
            return await self._worker.run(job, self._secs)
        self._here_ns += expected
        return encode_here(batches, self._store, self._ids, self._room)

    def _send(self, messages: Sequence[Message], waited_for: int, cost: int, rows: int) -> None:
        """Queues new messages for all sinks: they share the cost by size, and their rows are counted."""
        if not messages:
            self._room.settle(cost, rows, None)
            return
        if len(messages) > 1:
            nbytes = sum(message.nbytes for message in messages)
            rest = cost
            for message in messages[:-1]:
                share = cost * message.nbytes // nbytes
                rest -= share
                rows -= message.rows
                self._put(message, waited_for, message.rows, share)
            cost = rest
        self._put(messages[-1], waited_for, rows, cost)

    def _put(
        self, message: Message, waited_for: int, rows: int, cost: int, lost_because: str | None = None
    ) -> None:
        runners = self._sinks.runners
        if not runners:
            # The last sink went away meanwhile.
            self._waiting.put_by(Encoded(message, rows, cost, lost_because))
            return
        parcel = Parcel(
            message,
            len(runners),
            waited_for,
            rows=rows,
            cost=cost,
            account=self._room,
            lost_because=lost_because,
        )
        for runner in runners:
            runner.put(parcel)

    def _lose(self, rows: int, cost: int, error: BaseException) -> None:
        reason = f"could not be encoded: {type(error).__name__}"
        logger.error("%d rows of %r %s: %s", rows, self._store.recording_id, reason, error)
        self._room.settle(cost, rows, reason)
