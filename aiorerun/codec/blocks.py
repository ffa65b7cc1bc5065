"""Blocks of columns become messages. Runs in the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiorerun.codec.cache import GenerationCache
from aiorerun.codec.chunk import encode_batch
from aiorerun.codec.messages import chunk_message, encoded_message
from aiorerun.codec.stamp import MAX_BYTES, MAX_ROWS, Stamp, stamp_of
from aiorerun.pipeline.column_chunks import chunks_of
from aiorerun.types.tuid import MANY_IDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiorerun.codec.messages import Message
    from aiorerun.pipeline.columns import ColumnBlock
    from aiorerun.types.store import StoreId
    from aiorerun.types.tuid import TuidSource

_STAMPS: Final = 64


def block_messages(
    store: StoreId, block: ColumnBlock, ids: TuidSource, clock_ns: int, pause: Callable[[], None]
) -> list[Message]:
    """Makes the messages of a block: one, unless it is huge. The block is used up.

    Args:
        store: The recording.
        block: The rows.
        ids: Where row and chunk ids come from.
        clock_ns: When they were sent, on the monotonic clock of the capture.
        pause: Called between steps of what takes long.
    """
    key = _key(store, block)
    if key is not None:
        known = _stamps.get(key)
        if type(known) is Stamp:
            message = known.message(block, ids, clock_ns)
            if message is not None:
                return [message]
        elif known is not None:
            return [_make_stamp(key, store, block, ids, clock_ns)]
        _stamps.put(key, _SEEN_ONCE)
    has_own_ids = block.row_ids is None
    messages = [chunk_message(store, chunk) for chunk in chunks_of(block, ids, clock_ns, pause=pause)]
    if not has_own_ids:
        for message in messages:
            message.captured_ns = 0
    return messages


def _make_stamp(
    key: tuple[Any, ...], store: StoreId, block: ColumnBlock, ids: TuidSource, clock_ns: int
) -> Message:
    """The message of a block whose kind has come again; makes a stamp for those that follow, if it can."""
    (chunk,) = chunks_of(block, ids, clock_ns)
    batch = encode_batch(chunk)
    message = encoded_message(store, chunk, batch)
    stamp = stamp_of(store, block, chunk, batch, message)
    if stamp is not None:
        _stamps.put(key, stamp)
    return message


def _key(store: StoreId, block: ColumnBlock) -> tuple[Any, ...] | None:
    """What blocks of one kind have in common, and others hardly ever; ``None`` if they get no stamp."""
    rows = block.num_rows
    if not MANY_IDS <= rows <= MAX_ROWS or block.nbytes > MAX_BYTES or block.keeps_order:
        return None
    return store, block.entity_path, rows, block.components[0].descriptor.component


class _SeenOnce:
    """Stands for a stamp that is not worth making yet."""


_SEEN_ONCE: Final = _SeenOnce()
_stamps: Final[GenerationCache[tuple[Any, ...], Stamp | _SeenOnce]] = GenerationCache(_STAMPS)
