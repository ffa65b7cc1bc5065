"""Which static data has been replaced by newer static data, and need not be kept.

Static data has no time: of each component of an entity only the newest row counts. To know what a message
replaces, its record batch has to be looked into, which the server otherwise never does. So it is done only
when static data alone is over the limit, in a worker thread, and once per message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiorerun.codec.framing import MessageKind
from aiorerun.server.blocks import BlockQueue

if TYPE_CHECKING:
    from aiorerun.codec.decode_messages import ArrowMsg
    from aiorerun.server.blocks import Snapshot
    from aiorerun.server.entries import Entry
    from aiorerun.types.store import StoreId

MAX_DECODED_BYTES: Final = 256 << 20
"""Messages that take more than this when decompressed are not looked into, and so are kept."""

ROW_ID_BYTES: Final = 16

Cell = tuple["StoreId", str, str]
"""A store, an entity and the name of a column: what static data replaces as a whole."""

StaticFacts = Mapping[Cell, bytes]
"""What a static message sets: the columns that have a value, with the greatest row id that has one there.

Rows of one message need not set the same columns, so each column has a row id of its own.
"""


def static_facts(payload: memoryview) -> StaticFacts | None:
    """Looks into the payload of a static message.

    Args:
        payload: The ``ArrowMsg``.

    Returns:
        What it sets; ``None`` if it cannot be told, in which case it replaces nothing and is never replaced.
    """
    from aiorerun.codec.decode_messages import ArrowMsg, decode_message

    try:
        message = decode_message(MessageKind.ARROW_MSG, payload)
        return _facts(message) if isinstance(message, ArrowMsg) else None
    except Exception:  # What clients send may be anything, and must not keep the rest from being looked at.
        return None


def _facts(message: ArrowMsg) -> StaticFacts | None:
    from aiorerun.codec.chunk_schema import KIND

    batch = message.batch(MAX_DECODED_BYTES, validate=False)
    entity_path = (batch.schema.metadata or {})[b"rerun:entity_path"].decode()
    row_ids: list[bytes] = []
    columns: dict[str, Any] = {}
    for field, column in zip(batch.schema, batch.columns, strict=True):
        kind = (field.metadata or {}).get(KIND)
        if kind == b"control":
            row_ids = _row_ids(column)
        elif kind == b"data" and column.null_count < len(column):
            columns[field.name] = column
    if not columns or not row_ids:
        return None
    return {
        (message.store, entity_path, name): _newest_with_value(row_ids, column)
        for name, column in columns.items()
    }


def _row_ids(column: Any) -> list[bytes]:
    row_ids: list[object] = column.to_pylist()
    found = [row_id for row_id in row_ids if isinstance(row_id, bytes) and len(row_id) == ROW_ID_BYTES]
    if len(found) < len(row_ids):
        raise ValueError("a row has no row id, or one that is none")
    return found


def _newest_with_value(row_ids: list[bytes], column: Any) -> bytes:
    if not column.null_count:
        return max(row_ids)
    has_value = column.is_valid().to_pylist()
    return max(row_id for row_id, has in zip(row_ids, has_value, strict=True) if has)


class Compacted(NamedTuple):
    """Static data without what has been replaced.

    Attributes:
        kept: What is left.
        seen: The number of the last message that was looked at.
    """

    kept: BlockQueue
    seen: int


class Superseded:
    """Remembers what static messages set, and finds those that are replaced."""

    def __init__(self) -> None:
        self._facts: dict[int, StaticFacts | None] = {}

    def compact(self, snapshot: Snapshot) -> Compacted:
        """Leaves out the messages of which every column has a newer value in another one.

        Blocking: it decodes those that it has not seen before.

        Args:
            snapshot: All static messages that are kept, oldest first.
        """
        entries: list[Entry] = []
        while snapshot:
            entries.append(snapshot.take())
        known: dict[int, StaticFacts | None] = {}
        newest: dict[Cell, tuple[bytes, int]] = {}
        for entry in entries:
            number = entry.number
            facts = self._facts[number] if number in self._facts else static_facts_of(entry)
            known[number] = facts
            for cell, row_id in (facts or {}).items():
                newest[cell] = max(newest.get(cell, (b"", -1)), (row_id, number))
        kept = BlockQueue()
        for entry in entries:
            facts = known[entry.number]
            if facts is None or any(newest[cell][1] == entry.number for cell in facts):
                kept.append(entry)
            else:
                del known[entry.number]
        # Only now: whatever fails before leaves what is known as it was.
        self._facts = known
        return Compacted(kept, entries[-1].number if entries else 0)


def static_facts_of(entry: Entry) -> StaticFacts | None:
    """What a static message sets; see :func:`static_facts`."""
    from aiorerun.server.bodies import arrow_msg_of

    try:
        payload = arrow_msg_of(entry.framed)
    except Exception:
        return None
    return static_facts(payload)
