"""Whether a file is what an RRD file should be."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xxhash

from aiorerun.codec import chunk_schema as names
from aiorerun.codec.chunk_arrow import fixed_width_values, row_id_numbers
from aiorerun.codec.chunk_facts import check_texts, chunk_facts
from aiorerun.codec.compression import MAX_BYTES
from aiorerun.codec.decode_messages import ArrowMsg, Footer, StoreInfo, StoreNames, decode_message
from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import MESSAGE_HEADER, MessageKind, checksum
from aiorerun.codec.manifest_names import column_name
from aiorerun.codec.manifest_reader import read_footer
from aiorerun.files.progress import ignore
from aiorerun.files.reading import Note
from aiorerun.files.salvage import Damage, Salvage, StreamEnd
from aiorerun.files.summary import MAX_FOOTER_BYTES, RecordingSummary
from aiorerun.recording.source import open_source

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from aiorerun.codec.chunk_facts import ChunkFacts
    from aiorerun.codec.decoder import RawMessage
    from aiorerun.codec.store_index import StoreIndex
    from aiorerun.files.progress import OnProgress
    from aiorerun.recording.source import Source
    from aiorerun.types.store import StoreId

_RESERVED_TIME: Final = -(1 << 63)
_MAX_DIFFERENCES: Final = 20
"""More differences between a footer and the chunks are not listed one by one."""

# What a footer and a chunk have to agree on: place, size, rows, uncompressed size, static, id, entity path.
_ENTRY: Final = struct.Struct("<qqqqB16sQ")
_ENTRIES: Final = np.dtype(
    [
        ("place", "<i8"), ("size", "<i8"), ("rows", "<i8"), ("uncompressed", "<i8"),
        ("is_static", "u1"), ("id", "V16"), ("path", "<u8"),
    ]
)  # fmt: skip


@dataclass
class Verified:
    """What was found.

    Attributes:
        problems: How many problems there are.
        chunks: Chunks that can be read.
        rows: Their rows.
        stores: Recordings and blueprints.
    """

    problems: int = 0
    chunks: int = 0
    rows: int = 0
    stores: int = 0


@dataclass
class _Store:
    """What is known of a recording in one stream."""

    summary: RecordingSummary
    digest: Any = field(default_factory=xxhash.xxh3_128)


def verify(
    path: str | os.PathLike[str],
    on_problem: Callable[[Note], object],
    *,
    check_footers: bool = True,
    on_progress: OnProgress = ignore,
) -> Verified:
    """Reads all of a file and says what is wrong with it, one thing after the other.

    Checked are: the framing; every message and every chunk with all its contents; what chunks say about
    themselves (ids, static, sorted); that the file ends as it should; the checksum of the footer, and that
    it lists exactly the chunks that are there, with their ids, places, rows, entities and times. The
    tables of footers over 128 MiB are not compared with the chunks.

    Args:
        path: The file, a pipe, or ``-`` for the standard input.
        on_problem: Is told of every problem, with its place.
        check_footers: Whether a missing or wrong footer counts.
        on_progress: Is told how far it is.

    Raises:
        OSError: The file cannot be read.
    """
    source = open_source(path)
    try:
        return _Verifying(source, on_problem, check_footers=check_footers).run(on_progress)
    finally:
        source.close()


class _Verifying:
    """The checks of one file."""

    def __init__(self, source: Source, on_problem: Callable[[Note], object], *, check_footers: bool) -> None:
        self._source = source
        self._tell = on_problem
        self._check_footers = check_footers
        self._names = StoreNames()
        self._stores: dict[StoreId, _Store] = {}
        self._all: set[StoreId] = set()
        self._outcome = Verified()
        self._doubts: list[str] = []
        self._stream_start = 0

    def run(self, on_progress: OnProgress) -> Verified:
        salvage = Salvage(self._source, self._read, on_progress)
        last = 0
        try:
            for found in salvage:
                if isinstance(found, Damage):
                    self._problem(found.start, f"{found.reason} ({found.nbytes} bytes are of no use)")
                    last = found.end
                elif isinstance(found, StreamEnd):
                    self._end(found)
                    last = found.raw.offset
                else:
                    found.made(found.offset)
                    last = found.offset
        except RrdError as error:
            self._problem(0, str(error))
            return self._outcome
        if self._source.size() == 0:
            self._problem(0, "the file is empty")
        elif self._check_footers and not salvage.has_ended:
            self._problem(self._source.size(), "the file does not end with a footer; `recover` makes one")
        assert last >= 0
        self._outcome.stores = len(self._all)
        return self._outcome

    def _problem(self, offset: int, text: str) -> None:
        self._outcome.problems += 1
        self._tell(Note(self._source.name, offset, text))

    # --- messages ------------------------------------------------------------------------------

    def _read(self, raw: RawMessage) -> Callable[[int], None]:
        """Decodes a message; what is returned takes it in, once it is clear that it is one.

        Raises:
            RrdError: It is damaged.
        """
        decoded = decode_message(raw.kind, raw.payload)
        if isinstance(decoded, Footer):
            return lambda offset: None
        if isinstance(decoded, StoreInfo):
            return lambda offset: self._announced(offset, decoded)
        store = self._names.name(decoded.store)
        if not isinstance(decoded, ArrowMsg):
            return lambda offset: None
        batch = decoded.batch(MAX_BYTES)
        facts = chunk_facts(batch)
        check_texts(batch.schema)
        doubts = list(_doubts(decoded, batch, facts))
        size = decoded.uncompressed_size if decoded.compression > 1 else len(decoded.payload)
        entry = (raw.offset, len(raw.payload), facts, size)

        def take(offset: int) -> None:
            for doubt in doubts:
                self._problem(offset, doubt)
            self._chunk(store, *entry)

        return take

    def _announced(self, offset: int, info: StoreInfo) -> None:
        self._names.add(info)
        try:
            self._store(self._names.name(info.store))
        except RrdError as error:
            self._problem(offset, str(error))

    def _store(self, store: StoreId) -> _Store:
        known = self._stores.get(store)
        if known is None:
            known = self._stores[store] = _Store(RecordingSummary(store))
            self._all.add(store)
        return known

    def _chunk(self, store: StoreId, place: int, size: int, facts: ChunkFacts, uncompressed: int) -> None:
        self._outcome.chunks += 1
        self._outcome.rows += facts.num_rows
        known = self._store(store)
        known.summary.add(facts, size)
        known.digest.update(
            _ENTRY.pack(
                place, size, facts.num_rows, uncompressed, not facts.indexes, facts.id.to_bytes(),
                _path_hash(facts.entity_path),
            )
        )  # fmt: skip

    # --- footers -------------------------------------------------------------------------------

    def _end(self, end: StreamEnd) -> None:
        stores, self._stores, self._names = self._stores, {}, StoreNames()
        if not self._check_footers:
            return
        place, payload = end.raw.offset, end.raw.payload
        if end.footer is None:
            self._problem(place + len(payload), "the footer of the stream is missing")
        else:
            start, length, crc = end.footer
            if (start + end.stream_start, length) != (place, len(payload)):
                self._problem(place + len(payload), "the footer of the stream points elsewhere")
            elif crc != checksum(bytes(payload)):
                self._problem(place, "the checksum of the footer is wrong")
                return
        try:
            end_of_chunks = place - MESSAGE_HEADER.size - end.stream_start
            indexes = read_footer(payload, end_of_chunks, MAX_FOOTER_BYTES)
        except RrdError as error:
            if len(payload) < MAX_FOOTER_BYTES:
                self._problem(place, f"the footer cannot be used: {error}")
            return
        for index in indexes:
            known = stores.pop(index.store, None)
            for difference in _differences(self._source, end.stream_start, index, known):
                self._problem(place, difference)
        for store, known in stores.items():
            if known.summary.chunks:
                self._problem(place, f"the footer does not list the chunks of {_called(store)}")


def _called(store: StoreId) -> str:
    return f"{store.kind.name.lower()} {store.recording_id!r} of {store.application_id!r}"


def _path_hash(path: str) -> int:
    return xxhash.xxh3_64_intdigest(path.encode())


def _doubts(decoded: ArrowMsg, batch: pa.RecordBatch, facts: ChunkFacts) -> Iterator[str]:
    """What a chunk says about itself that is not so."""
    if decoded.chunk_id is None:
        yield "the message does not say which chunk it holds"
    elif decoded.chunk_id != facts.id:
        yield f"the message is said to hold chunk {decoded.chunk_id}, but it holds {facts.id}"
    if decoded.is_static is not None and decoded.is_static != (not facts.indexes):
        yield f"the chunk is said to be {'static' if decoded.is_static else 'temporal'}, which it is not"
    if _says_sorted(batch, facts.row_ids):
        ids = row_id_numbers(batch.column(facts.row_ids)).astype(np.uint64)
        later = (ids[1:, 0] > ids[:-1, 0]) | ((ids[1:, 0] == ids[:-1, 0]) & (ids[1:, 1] >= ids[:-1, 1]))
        if not later.all():
            yield "the row ids are said to be sorted, and are not"
    for index in facts.indexes:
        times = fixed_width_values(batch.column(index.column))
        if _says_sorted(batch, index.column) and not (times[1:] >= times[:-1]).all():
            yield f"the times of {index.timeline.name!r} are said to be sorted, and are not"
        if facts.num_rows and index.start == _RESERVED_TIME:
            yield f"a time of {index.timeline.name!r} is the one that stands for static data"


def _says_sorted(batch: pa.RecordBatch, column: int) -> bool:
    return (batch.schema.field(column).metadata or {}).get(names.IS_SORTED) == b"true"


def _differences(source: Source, stream_start: int, index: StoreIndex, known: _Store | None) -> Iterator[str]:
    """What a footer says about a recording that is not so."""
    called = _called(index.store)
    if known is None:
        yield f"the footer lists {called}, which is not there"
        return
    order = np.argsort(index.offsets, kind="stable")
    entries = np.zeros(len(order), _ENTRIES)
    entries["place"] = index.offsets[order] + stream_start
    entries["size"] = index.sizes[order]
    entries["rows"] = index.num_rows[order]
    entries["uncompressed"] = index.uncompressed[order]
    entries["is_static"] = index.is_static[order]
    entries["id"] = index.ids[order]
    hashes = np.array([_path_hash(path) for path in index.paths], np.uint64)
    entries["path"] = hashes[index.path_codes[order]]
    if xxhash.xxh3_128_digest(entries.tobytes()) != known.digest.digest():
        chunks = known.summary.chunks
        if chunks != len(entries):
            yield f"the footer lists {len(entries)} chunks of {called}, there are {chunks}"
        yield from _wrong_entries(source, entries, called)
    for name, facts in known.summary.timelines.items():
        listed = index.timelines.get(name)
        # Of two timelines that columns cannot tell apart, a footer lists one.
        twins = [each for each in known.summary.timelines if column_name(each) == column_name(name)]
        if listed is None and len(twins) == 1:
            yield f"the footer lacks the timeline {name!r} of {called}"
        elif listed is not None and listed[1:] != facts[1:]:
            yield f"the footer has {listed[1:]} as range of {name!r} of {called}, it is {facts[1:]}"
    components = {
        (path, component)
        for path, entity in known.summary.entities.items()
        for component in entity.components
    }
    for path, component in sorted(components ^ index.columns.keys()):
        has = "lacks" if (path, component) in components else "lists in vain"
        yield f"the footer {has} the component {component!r} of {path} of {called}"


def _wrong_entries(source: Source, entries: Any, called: str) -> Iterator[str]:
    """The entries of a footer that are wrong, one by one, up to a limit."""
    found = 0
    for entry in entries:
        reason = _wrong(source, entry)
        if reason is not None:
            found += 1
            yield f"the footer is wrong about the chunk at byte {entry['place']} of {called}: {reason}"
        if found >= _MAX_DIFFERENCES:
            yield f"the footer is wrong about more chunks of {called}"
            return
    if not found:
        yield f"the footer does not list all chunks of {called}, or not as they are"


def _wrong(source: Source, entry: Any) -> str | None:
    place, size = int(entry["place"]), int(entry["size"])
    framed = source.read(place - MESSAGE_HEADER.size, MESSAGE_HEADER.size + size)
    if len(framed) < MESSAGE_HEADER.size + size or MESSAGE_HEADER.unpack_from(framed) != (
        MessageKind.ARROW_MSG,
        size,
    ):
        return "there is no such chunk"
    try:
        decoded = decode_message(MessageKind.ARROW_MSG, memoryview(framed)[MESSAGE_HEADER.size :])
        assert isinstance(decoded, ArrowMsg)
        facts = chunk_facts(decoded.batch(MAX_BYTES, validate=False))
    except RrdError as error:
        return str(error)
    uncompressed = decoded.uncompressed_size if decoded.compression > 1 else len(decoded.payload)
    for what, listed, actual in (
        ("chunk id", bytes(entry["id"]), facts.id.to_bytes()),
        ("number of rows", int(entry["rows"]), facts.num_rows),
        ("uncompressed size", int(entry["uncompressed"]), uncompressed),
        ("static flag", bool(entry["is_static"]), not facts.indexes),
        ("entity path", int(entry["path"]), _path_hash(facts.entity_path)),
    ):
        if listed != actual:
            return f"its {what} is another one"
    return None
