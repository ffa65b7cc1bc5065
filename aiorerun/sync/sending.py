"""Sending many rows at once: the methods of the blocking recording stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun.pipeline.capture import CLOSED, FULL
from aiorerun.sending import BaseSending

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorerun.pipeline.columns import ColumnBlock, ComponentColumnLike
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
