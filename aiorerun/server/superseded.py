"""Which static data has been replaced by newer static data, and need not be kept.

Static data has no time: of each component of an entity only the newest row counts. To know what a message
replaces, its record batch has to be looked into, which the server otherwise never does. So it is done only
when static data alone is over the limit, in a worker thread, and once per message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import MessageKind
from aiorerun.server.blocks import BlockQueue

if TYPE_CHECKING:
    from aiorerun.codec.decode_messages import ArrowMsg
    from aiorerun.server.blocks import Snapshot
    from aiorerun.server.entries import Entry
    from aiorerun.types.store import StoreId

MAX_DECODED_BYTES: Final = 256 << 20
"""Messages that take more than this when decompressed are not looked into, and so are kept."""

Cell = tuple["StoreId", str, str]
"""A store, an entity and the name of a column: what static data replaces as a whole."""


class StaticFacts(NamedTuple):
    """What a static message sets.

    Attributes:
        cells: The columns that have a value.
        newest_row: The greatest row id, which decides between messages.
    """

    cells: frozenset[Cell]
    newest_row: bytes


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
    except (RrdError, ValueError, KeyError):
        return None


def _facts(message: ArrowMsg) -> StaticFacts | None:
    from aiorerun.codec.chunk_schema import KIND

    batch = message.batch(MAX_DECODED_BYTES, validate=False)
    metadata = batch.schema.metadata or {}
    entity_path = metadata[b"rerun:entity_path"].decode()
    cells: set[Cell] = set()
    newest_row = b""
    for field, column in zip(batch.schema, batch.columns, strict=True):
        kind = (field.metadata or {}).get(KIND)
        if kind == b"control":
            newest_row = max((bytes(row_id) for row_id in column.to_pylist()), default=b"")
        elif kind == b"data" and column.null_count < len(column):
            cells.add((message.store, entity_path, field.name))
    if not cells or not newest_row:
        return None
    return StaticFacts(frozenset(cells), newest_row)


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
        former, self._facts = self._facts, {}
        newest: dict[Cell, tuple[bytes, int]] = {}
        for entry in entries:
            number = entry.number
            facts = former[number] if number in former else static_facts_of(entry)
            self._facts[number] = facts
            if facts is not None:
                for cell in facts.cells:
                    newest[cell] = max(newest.get(cell, (b"", -1)), (facts.newest_row, number))
        kept = BlockQueue()
        for entry in entries:
            facts = self._facts[entry.number]
            if facts is None or any(newest[cell][1] == entry.number for cell in facts.cells):
                kept.append(entry)
            else:
                del self._facts[entry.number]
        return Compacted(kept, entries[-1].number if entries else 0)


def static_facts_of(entry: Entry) -> StaticFacts | None:
    """What a static message sets; see :func:`static_facts`."""
    from aiorerun.server.bodies import arrow_msg_of

    return static_facts(arrow_msg_of(entry.framed))
