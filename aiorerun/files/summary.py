"""What a file holds: recordings, entities with their components, timelines, rows, bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aiorerun.codec.decode_messages import ArrowMsg, Footer, StoreInfo, decode_message
from aiorerun.codec.decoder import RrdDecoder
from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import FOOTER_MAGIC, STREAM_FOOTER, STREAM_HEADER
from aiorerun.codec.store_index import TimelineFacts
from aiorerun.files.passing import Passing
from aiorerun.files.progress import Stage, ignore
from aiorerun.files.reading import FileReader
from aiorerun.recording.archive import indexes_by_footer
from aiorerun.sinks.parcel import PROPERTIES_PATH

if TYPE_CHECKING:
    import os

    import pyarrow as pa

    from aiorerun.codec.chunk_facts import ChunkFacts
    from aiorerun.codec.decoder import RawMessage
    from aiorerun.codec.store_index import StoreIndex
    from aiorerun.files.passing import ReadChunk
    from aiorerun.files.progress import OnProgress
    from aiorerun.files.reading import Note
    from aiorerun.types.descriptors import ComponentDescriptor
    from aiorerun.types.store import StoreId

MAX_FOOTER_BYTES: Final = 128 << 20
"""Files with larger footers are read from front to back, which takes less memory."""

_START: Final = "RecordingInfo:start_time"
_NAME: Final = "RecordingInfo:name"
_SOURCES: Final = {1: "C SDK", 2: "Python SDK", 3: "Rust SDK", 4: "file", 5: "viewer"}
_OTHER_SOURCE: Final = 6


@dataclass
class ComponentSummary:
    """A component of an entity.

    Attributes:
        descriptor: Its name, archetype and type.
        type: The Arrow type of its instances.
        is_static: Whether any of its values are static.
    """

    descriptor: ComponentDescriptor
    type: pa.DataType
    is_static: bool


@dataclass
class EntitySummary:
    """An entity; bytes are those of its messages in the file."""

    chunks: int = 0
    rows: int = 0
    nbytes: int = 0
    components: dict[str, ComponentSummary] = field(default_factory=dict)


@dataclass
class RecordingSummary:
    """A recording or blueprint.

    Attributes:
        store: Kind, application id, recording id.
        source: What wrote it, for people; ``None`` if it is not announced.
        name: Its name, if it has one.
        start: When it began, in nanoseconds since the epoch, if it says so.
        entities: By path.
        timelines: By name.
    """

    store: StoreId
    source: str | None = None
    name: str | None = None
    start: int | None = None
    entities: dict[str, EntitySummary] = field(default_factory=dict)
    timelines: dict[str, TimelineFacts] = field(default_factory=dict)

    @property
    def chunks(self) -> int:
        """How many chunks it has."""
        return sum(entity.chunks for entity in self.entities.values())

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(entity.rows for entity in self.entities.values())

    @property
    def nbytes(self) -> int:
        """Bytes of the messages of its chunks."""
        return sum(entity.nbytes for entity in self.entities.values())

    def announce(self, info: StoreInfo) -> None:
        """Takes in an announcement."""
        kind, extra = info.source
        text = extra.decode(errors="replace") if kind == _OTHER_SOURCE else _SOURCES.get(kind, "unknown")
        version = "" if info.version is None else " " + ".".join(map(str, info.version))
        self.source = f"{text}{version}"

    def add(self, facts: ChunkFacts, nbytes: int) -> None:
        """Takes in a chunk."""
        entity = self.entities.setdefault(facts.entity_path, EntitySummary())
        entity.chunks += 1
        entity.rows += facts.num_rows
        entity.nbytes += nbytes
        is_static = not facts.indexes
        for each in facts.components:
            known = entity.components.get(each.descriptor.component)
            if known is None:
                summary = ComponentSummary(each.descriptor, each.type, is_static)
                entity.components[each.descriptor.component] = summary
            else:
                known.is_static |= is_static
        if facts.num_rows:
            for index in facts.indexes:
                name, kind = index.timeline
                facts_of = self.timelines.get(name) or TimelineFacts(kind, index.start, index.end)
                self.timelines[name] = facts_of.extended(index.start, index.end)

    def add_properties(self, batch: pa.RecordBatch) -> None:
        """Looks for name and start in a chunk of ``/__properties``."""
        self.name = _last_value(batch, _NAME) or self.name
        start = _last_value(batch, _START)
        self.start = start if isinstance(start, int) else self.start


def _last_value(batch: pa.RecordBatch, component: str) -> Any:
    if component not in batch.schema.names:
        return None
    for value in reversed(batch.column(component).to_pylist()):
        if isinstance(value, list) and value:
            return value[0]
    return None


@dataclass
class FileSummary:
    """What a file holds.

    Attributes:
        name: What messages call it.
        nbytes: Its size.
        version: The release whose format it has, by its first bytes.
        has_footer: Whether it ends with a footer.
        is_by_footer: Whether the footer told all this; otherwise the file was read from front to back.
        recordings: Recordings and blueprints, in the order in which they begin.
        notes: What is incomplete or damaged.
    """

    name: str
    nbytes: int
    version: tuple[int, int, int]
    has_footer: bool
    is_by_footer: bool = False
    recordings: list[RecordingSummary] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def summarize(
    path: str | os.PathLike[str], *, use_footer: bool = True, on_progress: OnProgress = ignore
) -> FileSummary:
    """Says what a file holds.

    With a footer that can be relied on only that is read, and properties; without, the file is read once.

    Args:
        path: The file, a pipe, or ``-`` for the standard input.
        use_footer: Whether the footer may be relied on.
        on_progress: Is told how far it is.

    Raises:
        RrdError: It is no RRD file.
        OSError: It cannot be read.
    """
    notes: list[Note] = []
    with FileReader(path, notes.append, skip_damage=True) as reader:
        source = reader.source
        header = source.read(0, STREAM_HEADER.size)
        end = source.read(max(reader.size - STREAM_FOOTER.size, 0), STREAM_FOOTER.size)
        has_footer = len(end) == STREAM_FOOTER.size and STREAM_FOOTER.unpack(end)[3] == FOOTER_MAGIC
        # What is wrong with the header is raised, not noted.
        RrdDecoder().feed(header)
        if len(header) < STREAM_HEADER.size:
            raise RrdError(f"{source.name} is no RRD file: it has only {len(header)} bytes")
        version = (header[4], header[5], header[6])
        summary = FileSummary(source.name, reader.size, version, has_footer, notes=notes)
        indexes = indexes_by_footer(source, MAX_FOOTER_BYTES) if use_footer and has_footer else None
        if indexes is not None:
            summary.is_by_footer = True
            summary.recordings = [_by_index(reader, index) for index in indexes]
        else:
            summary.recordings = _by_scan(reader, on_progress)
        return summary


def _by_scan(reader: FileReader, on_progress: OnProgress) -> list[RecordingSummary]:
    found: dict[StoreId, RecordingSummary] = {}
    passing = Passing()

    def add(raw: RawMessage) -> None:
        decoded = decode_message(raw.kind, raw.payload)
        if isinstance(decoded, Footer):
            return
        store = passing.store(decoded)
        recording = found.get(store)
        if recording is None:
            recording = found[store] = RecordingSummary(store)
        if isinstance(decoded, StoreInfo):
            recording.announce(decoded)
        elif isinstance(decoded, ArrowMsg):
            chunk = passing.chunk(raw)
            recording.add(chunk.facts, len(raw.payload))
            if chunk.facts.entity_path == PROPERTIES_PATH:
                recording.add_properties(chunk.batch)

    for _ in reader.messages(add, Stage(on_progress, 0, reader.size)):
        pass
    return list(found.values())


def _by_index(reader: FileReader, index: StoreIndex) -> RecordingSummary:
    recording = RecordingSummary(index.store, timelines=dict(index.timelines))
    if index.info is not None:
        recording.announce(index.info)
    count = len(index.paths)
    chunks = np.bincount(index.path_codes, minlength=count)
    # `bincount` adds up in floats, which are exact up to 2**53.
    rows = np.bincount(index.path_codes, index.num_rows, count).astype(np.int64)
    nbytes = np.bincount(index.path_codes, index.sizes, count).astype(np.int64)
    for code, path in enumerate(index.paths):
        recording.entities[path] = EntitySummary(int(chunks[code]), int(rows[code]), int(nbytes[code]))
    for (path, component), column in index.columns.items():
        entity = recording.entities.setdefault(path, EntitySummary())
        entity.components[component] = ComponentSummary(column.descriptor, column.type, column.is_static)
    passing = Passing()
    for position in index.select(PROPERTIES_PATH, None, None).tolist():
        place, size = index.offsets.item(position), index.sizes.item(position)
        chunk: ReadChunk = passing.chunk(reader.read(place, size))
        recording.add_properties(chunk.batch)
    return recording
