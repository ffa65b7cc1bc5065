"""Sending many rows at once: the methods of the blocking recording stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.errors import report
from aiorerun.pipeline.capture import CLOSED, FULL
from aiorerun.sending import BaseSending
from aiorerun.types.sorbet import AUTO_INDEX, RECORDING_PROPERTIES_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from aiorerun.pipeline.columns import ColumnBlock, ComponentColumnLike
    from aiorerun.pipeline.dataframes import Index
    from aiorerun.types.batches import AsComponents, DescribedComponentBatch
    from aiorerun.types.time_column import TimeColumnLike


class Sending(BaseSending):
    """The methods of the blocking recording stream that send many rows."""

    def send_columns(
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
        before. They are captured in the calling thread and encoded in the background.

        It blocks only if the pipeline is over its byte limit, at most ``max_wait`` seconds per stall; then
        the rows are refused and counted.

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
            self._send_block("send_columns", block, strict)

    def _send_block(self, context: str, block: ColumnBlock, strict: bool | None) -> bool:
        """Sends a block when there is room; returns whether it was accepted."""
        room = self._engine.room
        gate = self._capture.gate
        if gate == FULL:
            if not room.wait_for_room_blocking():
                room.refuse(rows=block.num_rows)
                return False
        elif gate == CLOSED:
            self._report_closed(strict, context)
            return False
        wants_way = self._push_block(block)
        if gate == FULL:
            room.admit_next()
        elif wants_way:
            room.pace_blocking()
        return True

    def send_dataframe(
        self, df: Any, *, index: Index = AUTO_INDEX, entity_path: str | list[object] | None = None
    ) -> None:
        """Sends the rows of a table, batch by batch: one chunk per batch and entity.

        What columns mean is told at :meth:`aiorerun.AsyncRecordingStream.send_dataframe`.

        Args:
            df: A pyarrow ``Table``, ``RecordBatch`` or ``RecordBatchReader``, or anything that has
                ``__arrow_c_stream__``, as frames of pandas, polars and DuckDB do.
            index: The columns that hold times: a name or several; ``None`` sends static rows. By default the
                metadata tells; where it does not, the rows are sent as static ones, with a warning.
            entity_path: The entity of the component columns that name none.

        Raises:
            ValueError, TypeError: Wrong use, such as an index that has nulls; in strict mode only.
            StreamClosedError: The stream was closed; in strict mode only.
            Exception: What reading the table raises; the batches before are sent.
        """
        self._send_table("send_dataframe", df, index, entity_path)

    def send_record_batch(
        self,
        batch: pa.RecordBatch,
        *,
        index: Index = AUTO_INDEX,
        entity_path: str | list[object] | None = None,
    ) -> None:
        """Sends the rows of one Arrow record batch; see :meth:`send_dataframe`."""
        self._send_table("send_record_batch", batch, index, entity_path)

    def _send_table(
        self, context: str, table: Any, index: Index, entity_path: str | list[object] | None
    ) -> None:
        if not self._takes_rows(context):
            return
        from aiorerun.pipeline.dataframes import blocks_of, reader_of

        try:
            reader = reader_of(table)
        except TypeError as error:
            report(context, error, recording=self)
            return
        plan = self._plan(context, reader.schema, index, entity_path)
        if plan is None:
            return
        for batch in reader:
            try:
                blocks = blocks_of(batch, plan)
            except Exception as error:
                report(context, error, recording=self)
                return
            for block in blocks:
                self._send_block(context, block, None)

    def send_property(self, name: str, values: AsComponents | Iterable[DescribedComponentBatch]) -> None:
        """Records a property of the recording: static values at ``/__properties/<name>``.

        Args:
            name: Its name, taken as one part of the path.
            values: What :meth:`log` takes: an archetype such as ``AnyValues``, or described batches.

        Raises:
            TypeError, ValueError: Wrong use, in strict mode only.
        """
        path = self._property_path(name)
        if path is not None:
            self.log(path, values, static=True)

    def send_recording_name(self, name: str) -> None:
        """Records the name of the recording, which viewers show."""
        info = self._recording_name(name)
        if info is not None:
            self.log(RECORDING_PROPERTIES_PATH, info, static=True)

    def send_recording_start_time_nanos(self, nanos: int) -> None:
        """Records when the recording began, in nanoseconds since 1970, which viewers show."""
        info = self._start_time(nanos)
        if info is not None:
            self.log(RECORDING_PROPERTIES_PATH, info, static=True)

    if TYPE_CHECKING:

        def log(
            self,
            entity_path: str | list[object],
            entity: AsComponents | Iterable[DescribedComponentBatch],
            *extra: AsComponents | Iterable[DescribedComponentBatch],
            static: bool = False,
            strict: bool | None = None,
        ) -> None:
            """See :meth:`RecordingStream.log`."""
