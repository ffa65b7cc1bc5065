"""What both kinds of recordings have in common: what is known without reading, and the reading itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiorerun.codec.chunk_facts import chunk_facts
from aiorerun.codec.compression import MAX_BYTES
from aiorerun.codec.decode_messages import ArrowMsg, decode_message
from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import MESSAGE_HEADER, MessageKind
from aiorerun.recording import tables
from aiorerun.recording.archive import index_by_scan
from aiorerun.recording.chunk import Chunk
from aiorerun.recording.schema import Schema, TimelineRange
from aiorerun.types.entity_path import normalize_entity_path
from aiorerun.types.store import StoreKind
from aiorerun.types.tuid import Tuid

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from aiorerun.codec.chunk_facts import ChunkFacts
    from aiorerun.codec.messages import Message
    from aiorerun.codec.store_index import StoreIndex
    from aiorerun.recording.source import Source
    from aiorerun.types.store import StoreId

GROUP_BYTES: Final = 1 << 20
"""About how many bytes of chunks are read in one go."""


class BaseRecording:
    """A recording, or a blueprint, in a file; see the classes of both APIs.

    Args:
        source: The file.
        index: What is where in it.
    """

    def __init__(self, source: Source, index: StoreIndex) -> None:
        self._source = source
        self._index = index
        self._schema = Schema.of(index)

    def recording_id(self) -> str:
        """The recording id."""
        return self._index.store.recording_id

    def application_id(self) -> str:
        """The application id."""
        return self._index.store.application_id

    @property
    def kind(self) -> StoreKind:
        """Whether it is a recording or a blueprint."""
        return self._index.store.kind

    @property
    def num_chunks(self) -> int:
        """How many chunks it has."""
        return len(self._index.offsets)

    @property
    def num_rows(self) -> int:
        """How many rows its chunks have in all."""
        return int(self._index.num_rows.sum())

    def schema(self) -> Schema:
        """Its timelines and components."""
        return self._schema

    def entities(self) -> list[str]:
        """The entity paths that have data, sorted."""
        return sorted(self._index.paths)

    def timelines(self) -> dict[str, TimelineRange]:
        """Its timelines by name, with their kinds, and the earliest and latest time of each."""
        return {
            name: TimelineRange(name, facts.kind, facts.start, facts.end)
            for name, facts in sorted(self._index.timelines.items())
        }

    def to_reader(
        self,
        *,
        entity_path: str | list[object] | None = None,
        component: str | None = None,
        timeline: str | None = None,
    ) -> pa.RecordBatchReader:
        """All rows as a stream of Arrow record batches: row id, timelines, ``/entity:component`` columns.

        The rows come in the order of the file, small chunks together. They are read while the reader is used,
        in the thread that uses it: on an event loop, do that in ``asyncio.to_thread``.

        Args:
            entity_path: Only the rows of this entity.
            component: Only this component, and rows that have it.
            timeline: Only this timeline, and rows on it; static rows hold always, and are included.

        Raises:
            RrdError: While it is used: the file is damaged, or a component changes its type.
        """
        chosen = self._chosen(entity_path, component, timeline)
        return tables.reader(self._schema.restricted(*chosen), self._lazy_chunks(*chosen), *chosen[1:])

    def to_blueprint(self) -> StoredBlueprint:
        """The blueprint that it is, for ``send_blueprint`` and ``default_blueprint=``.

        It is sent as a blueprint of the stream's application, chunks and rows as they are. Whether it becomes
        active or the default is up to who sends it; what its file says of that does not matter.

        Raises:
            ValueError: It is a recording, not a blueprint.
        """
        if self.kind is not StoreKind.BLUEPRINT:
            raise ValueError(f"{self!r} is a recording, not a blueprint; send it with send_recording()")
        return StoredBlueprint(self)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Hands all rows to pandas, polars, DuckDB and others; see :meth:`to_reader`."""
        return self.to_reader().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        store = self._index.store
        return (
            f"{type(self).__name__}({store.application_id!r}, {store.recording_id!r}, "
            f"{self.num_chunks} chunks, {self.num_rows} rows)"
        )

    # --- reading; all of this blocks -----------------------------------------------------------

    def _chosen(
        self, entity_path: str | list[object] | None, component: str | None, timeline: str | None
    ) -> tuple[str | None, str | None, str | None]:
        return None if entity_path is None else normalize_entity_path(entity_path), component, timeline

    def _lazy_chunks(
        self, entity_path: str | None, component: str | None, timeline: str | None
    ) -> Iterator[Chunk]:
        """Chunks that are read when they are used."""
        for position in self._index.select(entity_path, component, timeline).tolist():
            yield self._chunk(position)

    def _chunk(self, position: int) -> Chunk:
        return Chunk(lambda: self._load(position), self._index.store)

    def _groups(
        self, entity_path: str | None, component: str | None, timeline: str | None
    ) -> Iterator[list[int]]:
        """The positions of chunks, in groups that are read in one go."""
        group: list[int] = []
        size = 0
        for position in self._index.select(entity_path, component, timeline).tolist():
            more = max(self._index.sizes.item(position), self._index.uncompressed.item(position))
            if group and size + more > GROUP_BYTES:
                yield group
                group, size = [], 0
            group.append(position)
            size += more
        if group:
            yield group

    def _load_group(self, positions: list[int]) -> list[Chunk]:
        """Reads and decodes chunks."""
        chunks = [self._chunk(position) for position in positions]
        for chunk in chunks:
            chunk._loaded()
        return chunks

    def _load(self, position: int) -> tuple[pa.RecordBatch, ChunkFacts]:
        index = self._index
        offset, size = index.offsets.item(position), index.sizes.item(position)
        framed = self._source.read(offset - MESSAGE_HEADER.size, MESSAGE_HEADER.size + size)
        if len(framed) < MESSAGE_HEADER.size + size:
            raise RrdError(f"{self._source.name} has become shorter: the chunk at byte {offset} is gone")
        try:
            batch = _framed_chunk(framed).batch(MAX_BYTES)
            facts = chunk_facts(batch)
            self._compare(position, facts)
        except RrdError as error:
            error.add_note(f"in the chunk at byte {offset} of {self._source.name}")
            raise
        return batch, facts

    def _compare(self, position: int, facts: ChunkFacts) -> None:
        """The footer has to be right about a chunk, or what was selected by it is wrong."""
        index = self._index
        found = (facts.id, facts.entity_path, facts.num_rows)
        path = index.paths[index.path_codes.item(position)]
        listed = (Tuid.from_bytes(index.ids[position].tobytes()), path, index.num_rows.item(position))
        if found != listed:
            raise RrdError(f"the chunk is {found}, but the footer says {listed}")

    def _rows(self, entity_path: str | list[object], component: str, timeline: str | None) -> pa.Table:
        chosen = self._chosen(entity_path, component, timeline)
        return tables.rows(
            self._lazy_chunks(*chosen), component, timeline, self._column_type(chosen[0], component)
        )

    def _column_type(self, entity_path: str | None, component: str) -> pa.DataType | None:
        column = self._index.columns.get((entity_path or "", component))
        return None if column is None else column.type

    def _table(
        self, entity_path: str | list[object] | None, component: str | None, timeline: str | None
    ) -> pa.Table:
        try:
            return self._read_table(entity_path, component, timeline)
        except tables.UnlistedColumnError:
            # The footer can list one of two timelines that it would call the same. What is really there
            # is found by reading everything.
            self._index = self._scanned()
            self._schema = Schema.of(self._index)
            return self._read_table(entity_path, component, timeline)

    def _read_table(
        self, entity_path: str | list[object] | None, component: str | None, timeline: str | None
    ) -> pa.Table:
        chosen = self._chosen(entity_path, component, timeline)
        return tables.table(self._schema.restricted(*chosen), self._lazy_chunks(*chosen), *chosen[1:])

    def _scanned(self) -> StoreIndex:
        for index in index_by_scan(self._source):
            if index.store == self._index.store:
                return index
        raise RrdError(f"{self._source.name} has no chunks of {self._index.store} any more")


class StoredBlueprint:
    """A blueprint in a file, on its way into a stream; see :meth:`BaseRecording.to_blueprint`.

    Args:
        recording: Where it is read from.
    """

    def __init__(self, recording: BaseRecording) -> None:
        self._recording = recording
        self._batches: list[pa.RecordBatch] | None = None

    @property
    def num_rows(self) -> int:
        """How many rows it has."""
        return self._recording.num_rows

    def to_blueprint(self) -> StoredBlueprint:
        """Itself."""
        return self

    def load(self) -> None:
        """Reads all of it, once. Blocks.

        Raises:
            RrdError: Its file is damaged.
        """
        if self._batches is None:
            chunks = self._recording._lazy_chunks(None, None, None)
            self._batches = [chunk.to_record_batch() for chunk in chunks]

    def _stored_messages(self, store: StoreId) -> list[Message]:
        """Its chunks, as messages of another store."""
        from aiorerun.codec.forward import forwarded_message

        self.load()
        return [forwarded_message(store, batch) for batch in self._batches or ()]


def _framed_chunk(framed: bytes) -> ArrowMsg:
    """The message of a chunk, with its header."""
    if MESSAGE_HEADER.unpack_from(framed) != (MessageKind.ARROW_MSG, len(framed) - MESSAGE_HEADER.size):
        raise RrdError("there is no such chunk, though the footer lists it")
    message = decode_message(MessageKind.ARROW_MSG, memoryview(framed)[MESSAGE_HEADER.size :])
    assert isinstance(message, ArrowMsg)
    return message
