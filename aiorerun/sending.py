"""Sending many rows at once: what both recording streams share, and the methods of the asyncio one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from aiorerun.conveyor import Ready
from aiorerun.errors import report, strict_scope
from aiorerun.pipeline.capture import CLOSED, DISABLED, FULL, UNOPENED
from aiorerun.pipeline.columns import capture_columns
from aiorerun.room import PACE_BYTES
from aiorerun.stream_base import BaseRecordingStream
from aiorerun.types.ids import ids
from aiorerun.worker import pause

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorerun.codec.messages import Message
    from aiorerun.pipeline.columns import ColumnBlock, ComponentColumnLike
    from aiorerun.types.store import StoreId
    from aiorerun.types.time_column import TimeColumnLike


class BaseSending(BaseRecordingStream):
    """What both recording streams need to send blocks of columns."""

    def _captured(
        self, context: str, entity_path: Any, indexes: Any, columns: Any, strict: bool | None
    ) -> ColumnBlock | None:
        """Takes columns; ``None`` if they are wrong, which was reported, or not wanted."""
        gate = self._capture.gate
        if gate == DISABLED:
            return None
        if gate == CLOSED:
            self._report_closed(strict, context)
            return None
        try:
            with strict_scope(strict):
                return capture_columns(entity_path, indexes, columns)
        except Exception as error:
            report(context, error, strict=strict)
            return None

    def _push_block(self, block: ColumnBlock) -> bool:
        """Accepts a block, whatever the gate says. From now on it is delivered, or counted as dropped.

        Returns:
            Whether the caller should make way by calling ``room.pace()``.
        """
        job = _BlockJob(self._store, block, time.perf_counter_ns())
        self._capture.count_ready_rows(block.num_rows)
        self._engine.push(Ready(job, block.num_rows, block.nbytes))
        return self._engine.room.ledger.in_flight > PACE_BYTES


class _BlockJob:
    """Makes the messages of a block, in the worker; lets go of the block."""

    __slots__ = ("_block", "_clock_ns", "_store")

    def __init__(self, store: StoreId, block: ColumnBlock, clock_ns: int) -> None:
        self._store = store
        self._block: ColumnBlock | None = block
        self._clock_ns = clock_ns

    def __call__(self) -> list[Message]:
        from aiorerun.codec.messages import chunk_message
        from aiorerun.pipeline.column_chunks import chunks_of

        block, self._block = self._block, None
        assert block is not None
        chunks = chunks_of(block, ids, self._clock_ns, pause=pause)
        return [chunk_message(self._store, chunk) for chunk in chunks]


class AsyncSending(BaseSending):
    """The methods of the asyncio recording stream that send many rows."""

    async def send_columns(
        self,
        entity_path: str | list[object],
        indexes: Iterable[TimeColumnLike],
        columns: Iterable[ComponentColumnLike],
        *,
        strict: bool | None = None,
    ) -> None:
        """Sends many rows of one entity, given in columns: row ``i`` of all columns is one row.

        Only the times given here count: what ``set_time`` set does not, and there is no ``log_time`` or
        ``log_tick``. The rows become one chunk of their own, which may overtake rows that ``log`` took
        before. What is large is neither copied twice nor encoded on the event loop.

        The columns are captured when the call first runs. It suspends only if the pipeline is over its
        byte limit (at most ``max_wait`` seconds per stall, then the rows are refused and counted), or to
        let the pipeline catch up. Cancelling it never loses rows that were accepted.

        Args:
            entity_path: Where: ``"world/points"``, with special characters escaped, or a list of parts.
            indexes: One :class:`TimeColumn` per timeline; none at all makes the rows static.
            columns: One :class:`ComponentColumn` per component, as ``Scalars.columns(…)`` gives them.
            strict: Overrides the strict mode for this call.

        Raises:
            TypeError, ValueError: Wrong use, such as columns of different lengths; in strict mode only.
            StreamClosedError: The stream was closed; in strict mode only.
        """
        block = self._captured("send_columns", entity_path, indexes, columns, strict)
        if block is not None:
            await self._send_block("send_columns", block, strict)

    async def _send_block(self, context: str, block: ColumnBlock, strict: bool | None) -> bool:
        """Sends a block when there is room; returns whether it was accepted."""
        room = self._engine.room
        gate = self._capture.gate
        if gate == FULL:
            if not await room.wait_for_room():
                room.refuse(rows=block.num_rows)
                return False
        elif gate == UNOPENED:
            await self._force_save()
        elif gate == CLOSED:
            self._report_closed(strict, context)
            return False
        wants_way = self._push_block(block)
        if gate == FULL:
            room.admit_next()
        elif wants_way:
            await room.pace()
        return True
