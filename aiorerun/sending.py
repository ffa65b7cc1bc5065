"""Sending many rows at once: what both recording streams share, and the methods of the asyncio one."""

from __future__ import annotations

import asyncio
import time
import warnings
from typing import TYPE_CHECKING, Any, Final

from aiorerun.engine.cargo import Ready
from aiorerun.engine.room import PACE_BYTES
from aiorerun.errors import RerunWarning, caller_stacklevel, report, strict_scope
from aiorerun.pipeline.capture import CLOSED, DISABLED, FULL, UNOPENED
from aiorerun.pipeline.columns import capture_columns
from aiorerun.sinks.parcel import rank_of
from aiorerun.stream_base import BaseRecordingStream
from aiorerun.types.ids import ids
from aiorerun.types.sorbet import AUTO_INDEX, RECORDING_PROPERTIES_PATH
from aiorerun.worker import pause

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from aiorerun.archetypes import RecordingInfo
    from aiorerun.codec.messages import Message
    from aiorerun.pipeline.columns import ColumnBlock, ComponentColumnLike
    from aiorerun.pipeline.dataframes import Index, TablePlan
    from aiorerun.types.batches import AsComponents, DescribedComponentBatch
    from aiorerun.types.store import StoreId
    from aiorerun.types.time_column import TimeColumnLike


COPIED_AT_ONCE: Final = 1 << 20
"""A batch of fewer bytes is copied on the event loop; for larger ones a thread is worth its while."""


class BaseSending(BaseRecordingStream):
    """What both recording streams need to send blocks of columns."""

    def _captured(
        self, context: str, entity_path: Any, indexes: Any, columns: Any, strict: bool | None
    ) -> ColumnBlock | None:
        """Takes columns; ``None`` if they are wrong, which was reported, or not wanted."""
        if not self._takes_rows(context, strict):
            return None
        try:
            with strict_scope(strict):
                return capture_columns(entity_path, indexes, columns)
        except Exception as error:
            report(context, error, strict=strict, recording=self)
            return None

    def _takes_rows(self, context: str, strict: bool | None = None) -> bool:
        """Whether it makes sense to look at rows at all; reports if it is closed."""
        gate = self._capture.gate
        if gate == CLOSED:
            self._report_closed(strict, context)
        return gate not in (CLOSED, DISABLED)

    def _plan(
        self, context: str, schema: pa.Schema, index: Index, entity_path: str | list[object] | None
    ) -> TablePlan | None:
        """What the columns of a table mean; ``None`` if they are wrong, which was reported."""
        from aiorerun.pipeline.dataframes import plan_of

        try:
            plan = plan_of(schema, index, entity_path)
        except Exception as error:
            report(context, error, recording=self)
            return None
        if plan.is_ambiguous:
            warnings.warn(
                f"{context}: nothing says which columns hold times, so the rows are sent as static ones: "
                "pass index='name of a column', or index=None if that is meant",
                RerunWarning,
                stacklevel=caller_stacklevel(),
            )
        return plan

    def _property_path(self, name: Any) -> list[object] | None:
        """The entity path of a property; ``None`` if the name is wrong, which was reported."""
        if isinstance(name, str):
            return [RECORDING_PROPERTIES_PATH[1:], name]
        report("send_property", TypeError(f"name must be a str, got {type(name).__name__}"), recording=self)
        return None

    def _recording_name(self, name: Any) -> RecordingInfo | None:
        from aiorerun.archetypes import RecordingInfo

        if isinstance(name, str):
            return RecordingInfo(name=name)
        report(
            "send_recording_name", TypeError(f"name must be a str, got {type(name).__name__}"), recording=self
        )
        return None

    def _start_time(self, nanos: Any) -> RecordingInfo | None:
        from aiorerun.archetypes import RecordingInfo
        from aiorerun.types.time import sequence_value

        try:
            return RecordingInfo(start_time=sequence_value(nanos))
        except (TypeError, ValueError, OverflowError) as error:
            told = type(error)(f"nanos must be whole nanoseconds since 1970 in 64 bits ({error})")
            report("send_recording_start_time_nanos", told, recording=self)
            return None

    def _push_block(self, block: ColumnBlock) -> bool:
        """Accepts a block, whatever the gate says. From now on it is delivered, or counted as dropped.

        Returns:
            Whether the caller should make way by calling ``room.pace()``.
        """
        self._capture.count_ready_rows(block.num_rows)
        self._engine.push(self._ready_block(block))
        return self._engine.room.ledger.in_flight > PACE_BYTES

    def _ready_block(self, block: ColumnBlock) -> Ready:
        job = _BlockJob(self._store, block, time.perf_counter_ns())
        rank = rank_of(block.entity_path, is_static=not block.indexes)
        return Ready(job, block.num_rows, block.nbytes, rank)


class _BlockJob:
    """Makes the messages of a block, in the worker; lets go of the block."""

    __slots__ = ("_block", "_clock_ns", "_store")

    def __init__(self, store: StoreId, block: ColumnBlock, clock_ns: int) -> None:
        self._store = store
        self._block: ColumnBlock | None = block
        self._clock_ns = clock_ns

    def __call__(self) -> list[Message]:
        from aiorerun.codec.blocks import block_messages

        block, self._block = self._block, None
        assert block is not None
        return block_messages(self._store, block, ids, self._clock_ns, pause)


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

    async def send_dataframe(
        self, df: Any, *, index: Index = AUTO_INDEX, entity_path: str | list[object] | None = None
    ) -> None:
        """Sends the rows of a table, batch by batch: one chunk per batch and entity.

        The metadata of the table tells what its columns are, as in tables that Rerun has made. A column
        without any is a component of that name; ``/entity/path:Component`` names the entity as well. Cells
        are lists of instances, or plain values that count as one instance; null means no value.

        Batches are read one at a time, in a thread if that may take long, and wait for room like
        :meth:`send_columns`. Cancelling it stops between batches and loses no row that was accepted.

        Args:
            df: A pyarrow ``Table``, ``RecordBatch`` or ``RecordBatchReader``, or anything that has
                ``__arrow_c_stream__``, as frames of pandas, polars and DuckDB do.
            index: The columns that hold times, integers, durations or timestamps: a name or several; ``None``
                sends static rows. By default the metadata tells; where it does not, the rows are sent as
                static ones, with a warning.
            entity_path: The entity of the component columns that name none.

        Raises:
            ValueError, TypeError: Wrong use, such as an index that has nulls; in strict mode only.
            StreamClosedError: The stream was closed; in strict mode only.
            Exception: What reading the table raises; the batches before are sent.
        """
        await self._send_table("send_dataframe", df, index, entity_path)

    async def send_record_batch(
        self,
        batch: pa.RecordBatch,
        *,
        index: Index = AUTO_INDEX,
        entity_path: str | list[object] | None = None,
    ) -> None:
        """Sends the rows of one Arrow record batch; see :meth:`send_dataframe`."""
        await self._send_table("send_record_batch", batch, index, entity_path)

    async def _send_table(
        self, context: str, table: Any, index: Index, entity_path: str | list[object] | None
    ) -> None:
        if not self._takes_rows(context):
            return
        from aiorerun.pipeline.dataframes import blocks_of, is_at_hand, reader_of

        at_hand = is_at_hand(table)
        try:
            reader = reader_of(table) if at_hand else await asyncio.to_thread(reader_of, table)
        except TypeError as error:
            report(context, error, recording=self)
            return
        plan = self._plan(context, reader.schema, index, entity_path)
        while plan is not None:
            batch = next(reader, None) if at_hand else await asyncio.to_thread(next, reader, None)
            if batch is None:
                return
            try:
                if batch.nbytes < COPIED_AT_ONCE:
                    blocks = blocks_of(batch, plan)
                else:
                    blocks = await asyncio.to_thread(blocks_of, batch, plan)
            except Exception as error:
                report(context, error, recording=self)
                return
            for block in blocks:
                await self._send_block(context, block, None)

    async def send_property(
        self, name: str, values: AsComponents | Iterable[DescribedComponentBatch]
    ) -> None:
        """Records a property of the recording: static values at ``/__properties/<name>``.

        Args:
            name: Its name, taken as one part of the path.
            values: What :meth:`log` takes: an archetype such as ``AnyValues``, or described batches.

        Raises:
            TypeError, ValueError: Wrong use, in strict mode only.
        """
        path = self._property_path(name)
        if path is not None:
            await self.log(path, values, static=True)

    async def send_recording_name(self, name: str) -> None:
        """Records the name of the recording, which viewers show."""
        info = self._recording_name(name)
        if info is not None:
            await self.log(RECORDING_PROPERTIES_PATH, info, static=True)

    async def send_recording_start_time_nanos(self, nanos: int) -> None:
        """Records when the recording began, in nanoseconds since 1970, which viewers show."""
        info = self._start_time(nanos)
        if info is not None:
            await self.log(RECORDING_PROPERTIES_PATH, info, static=True)

    if TYPE_CHECKING:

        async def log(
            self,
            entity_path: str | list[object],
            entity: AsComponents | Iterable[DescribedComponentBatch],
            *extra: AsComponents | Iterable[DescribedComponentBatch],
            static: bool = False,
            strict: bool | None = None,
        ) -> None:
            """See :meth:`AsyncRecordingStream.log`."""
