"""Opening a file: by its footer, where that can be relied on, else by reading all of it once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from aiorerun.codec.chunk_facts import chunk_facts
from aiorerun.codec.compression import MAX_BYTES
from aiorerun.codec.decode_messages import ArrowMsg, StoreInfo, StoreNames, decode_message
from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import (
    FOOTER_MAGIC,
    MESSAGE_HEADER,
    STREAM_FOOTER,
    STREAM_HEADER,
    MessageKind,
    checksum,
)
from aiorerun.codec.manifest_reader import read_footer
from aiorerun.codec.store_index import IndexBuilder
from aiorerun.recording.scan import MessageScanner
from aiorerun.recording.source import open_source

if TYPE_CHECKING:
    import os
    import threading
    from collections.abc import Callable

    from aiorerun.codec.decoder import RawMessage
    from aiorerun.codec.store_index import StoreIndex
    from aiorerun.recording.source import Source
    from aiorerun.types.store import StoreId

    OnError = Callable[[RrdError], None]

_MAX_GAPS: Final = 4096
"""A footer that leaves out more stretches of the file than this is not used."""


def open_archive(
    path: str | os.PathLike[str], on_error: OnError | None = None, stop: threading.Event | None = None
) -> tuple[Source, list[StoreIndex]]:
    """Opens a file and finds out what is where. Blocks.

    Args:
        path: The file.
        on_error: Gets what is wrong with a message, which is then left out; by default it is raised.
        stop: Ends it early when it is set.

    Raises:
        RrdError: It is no RRD file, or damaged.
        OSError: It cannot be read.
    """
    source = open_source(path, stop)
    try:
        indexes = indexes_by_footer(source)
        return source, index_by_scan(source, on_error, stop) if indexes is None else indexes
    except BaseException:
        source.close()
        raise


def index_by_scan(
    source: Source, on_error: OnError | None = None, stop: threading.Event | None = None
) -> list[StoreIndex]:
    """The indexes of all stores, by reading every message once.

    It holds one message at a time, and about sixty bytes per chunk.
    """
    indexing = _Indexing()
    scanner = MessageScanner(source, MAX_BYTES)
    end = source.size()
    while stop is None or not stop.is_set():
        try:
            raw = scanner.next(end)
            if raw is None:
                break
        except RrdError as error:
            # Where the next message begins cannot be known.
            error.add_note(f"at byte {scanner.offset} of {source.name}")
            if on_error is None:
                raise
            on_error(error)
            break
        try:
            indexing.add(raw)
        except RrdError as error:
            error.add_note(f"in the message at byte {raw.offset} of {source.name}")
            if on_error is None:
                raise
            on_error(error)
        # The next one is only read when this one is let go.
        del raw
    return indexing.finish()


class _Indexing:
    """Indexes of several stores in the making."""

    def __init__(self) -> None:
        self._names = StoreNames()
        self._builders: dict[StoreId, IndexBuilder] = {}

    def add(self, raw: RawMessage) -> None:
        """Takes in a message."""
        if raw.kind is MessageKind.END:
            return
        message = decode_message(raw.kind, raw.payload)
        if isinstance(message, StoreInfo):
            self._names.add(message)
            if message.store.application_id:
                self._builder(message.store).info = message
        elif isinstance(message, ArrowMsg):
            store = self._names.name(message.store)
            # Contents are checked when they are asked for; the times have to be right now.
            facts = chunk_facts(message.batch(MAX_BYTES, validate=False))
            builder = self._builder(store)
            builder.add(facts, raw.offset, len(raw.payload), message.uncompressed_size)

    def _builder(self, store: StoreId) -> IndexBuilder:
        builder = self._builders.get(store)
        if builder is None:
            builder = self._builders[store] = IndexBuilder(store)
        return builder

    def finish(self) -> list[StoreIndex]:
        """The indexes."""
        return [builder.finish() for builder in self._builders.values()]


def indexes_by_footer(source: Source, max_bytes: int = MAX_BYTES) -> list[StoreIndex] | None:
    """The indexes that the footer holds, or ``None`` if there is no footer, or it cannot be relied on.

    A footer counts if its checksum is right and every chunk of the file is in it.

    Args:
        source: The file.
        max_bytes: A larger footer is not used, nor one with a table that takes more in memory.
    """
    size = source.size()
    smallest = STREAM_HEADER.size + MESSAGE_HEADER.size + STREAM_FOOTER.size
    if size <= smallest:
        return None
    footer = source.read(size - STREAM_FOOTER.size, STREAM_FOOTER.size)
    if len(footer) < STREAM_FOOTER.size:
        return None
    start, length, crc, magic, entries = STREAM_FOOTER.unpack(footer)
    begins, ends = STREAM_HEADER.size + MESSAGE_HEADER.size, size - STREAM_FOOTER.size
    # In files that were joined the place is counted from the start of the last one.
    if magic != FOOTER_MAGIC or entries != 1 or not length or start + length != ends or start < begins:
        return None
    if length > max_bytes:
        return None
    payload = source.read(start - MESSAGE_HEADER.size, MESSAGE_HEADER.size + length)
    if len(payload) < MESSAGE_HEADER.size + length:
        return None
    body = memoryview(payload)[MESSAGE_HEADER.size :]
    if MESSAGE_HEADER.unpack_from(payload) != (MessageKind.END, length) or checksum(bytes(body)) != crc:
        return None
    try:
        indexes = read_footer(body, start - MESSAGE_HEADER.size, max_bytes)
        return _with_announcements(source, indexes, start - MESSAGE_HEADER.size)
    except RrdError:
        return None


def _with_announcements(source: Source, indexes: list[StoreIndex], end: int) -> list[StoreIndex] | None:
    """Reads what is between the chunks; ``None`` if that is more than announcements."""
    # Raises if the header of the stream is not one.
    MessageScanner(source, MAX_BYTES).next(STREAM_HEADER.size)
    starts = np.concatenate([np.zeros(0, np.int64), *(index.offsets for index in indexes)])
    sizes = np.concatenate([np.zeros(0, np.int64), *(index.sizes for index in indexes)])
    order = np.argsort(starts, kind="stable")
    begins = np.append(starts[order] - MESSAGE_HEADER.size, end)
    ends = np.append(STREAM_HEADER.size, (starts + sizes)[order])
    if (ends > begins).any():
        raise RrdError("the chunks in the footer overlap")
    gaps = np.flatnonzero(ends < begins)
    if len(gaps) > _MAX_GAPS:
        return None
    infos: dict[StoreId, StoreInfo] = {}
    first: dict[StoreId, int] = {index.store: int(index.offsets.min()) for index in indexes}
    for gap in gaps.tolist():
        found = _announcements(source, int(ends[gap]), int(begins[gap]))
        if found is None:
            return None
        for position, info in found:
            infos[info.store] = info
            first[info.store] = min(first.get(info.store, position), position)
    known = {index.store for index in indexes}
    announced_only = [IndexBuilder(store).finish() for store in infos if store not in known]
    everything = (index._replace(info=infos.get(index.store)) for index in (*indexes, *announced_only))
    return sorted(everything, key=lambda index: first[index.store])


def _announcements(source: Source, position: int, end: int) -> list[tuple[int, StoreInfo]] | None:
    """The announcements in a stretch of the file, and where; ``None`` if anything there holds data."""
    found: list[tuple[int, StoreInfo]] = []
    while position < end:
        header = source.read(position, MESSAGE_HEADER.size)
        if len(header) < MESSAGE_HEADER.size:
            return None
        kind, size = MESSAGE_HEADER.unpack(header)
        position += MESSAGE_HEADER.size
        if size > end - position or kind in (MessageKind.ARROW_MSG, MessageKind.END):
            return None
        if kind == MessageKind.SET_STORE_INFO:
            message = decode_message(MessageKind.SET_STORE_INFO, memoryview(source.read(position, size)))
            if isinstance(message, StoreInfo) and message.store.application_id:
                found.append((position, message))
        position += size
    return found if position == end else None
