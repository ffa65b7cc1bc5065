"""The rows of a file as Parquet files, one per entity."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from aiorerun.codec.decode_messages import ArrowMsg, Footer, decode_message
from aiorerun.codec.errors import RrdError
from aiorerun.files.disk_table import DiskTable
from aiorerun.files.names import entity_file, file_name
from aiorerun.files.output import OutputSet
from aiorerun.files.parquet_types import storable, storable_type
from aiorerun.files.passing import Passing
from aiorerun.files.progress import Stage, ignore
from aiorerun.files.reading import FileReader, Note, no_note
from aiorerun.recording import tables
from aiorerun.recording.chunk import Chunk
from aiorerun.recording.schema import ComponentColumnDescriptor, IndexColumnDescriptor, Schema, free_names
from aiorerun.types.store import StoreKind

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

    from aiorerun.codec.chunk_facts import ChunkFacts
    from aiorerun.codec.decoder import RawMessage
    from aiorerun.files.passing import ReadChunk
    from aiorerun.files.progress import OnProgress
    from aiorerun.types.store import StoreId

ROW_ID: Final = "row_id"
"""The column of row ids."""

_ROW_GROUP_COST: Final = 48 << 20
"""About what writing a row group may take in memory."""
_VALUE_COST: Final = 22
"""What a value takes while it is written, besides itself: levels, dictionaries, integers of 4 bytes."""
_MAX_ROW_GROUP_ROWS: Final = 1 << 20


@dataclass
class ParquetFile:
    """A Parquet file that was made.

    Attributes:
        path: The file.
        store: The recording.
        entity_path: The entity.
        rows: How many rows it has.
    """

    path: Path
    store: StoreId
    entity_path: str
    rows: int = 0


@dataclass
class _Plan:
    """A file to be made: rows of one entity that fit into one table."""

    store: StoreId
    entity_path: str
    variant: int
    timelines: dict[str, IndexColumnDescriptor] = field(default_factory=dict)
    components: dict[str, ComponentColumnDescriptor] = field(default_factory=dict)

    def takes(self, facts: ChunkFacts) -> bool:
        """Whether the columns of a chunk fit to those that are known; then they are known too."""
        timelines = {each.timeline.name: IndexColumnDescriptor(*each.timeline) for each in facts.indexes}
        components = {
            each.descriptor.component: ComponentColumnDescriptor(
                facts.entity_path,
                each.descriptor.component,
                each.descriptor.archetype,
                each.descriptor.component_type,
                each.type,
                is_static=not facts.indexes,
            )
            for each in facts.components
        }
        for name, timeline in timelines.items():
            if self.timelines.get(name, timeline) != timeline:
                return False
        for name, component in components.items():
            if self.components.get(name, component).type != component.type:
                return False
        self.timelines = {**timelines, **self.timelines}
        self.components = {**components, **self.components}
        return True

    def schema(self) -> Schema:
        """The columns as they are in the recording."""
        return Schema(
            [self.timelines[name] for name in sorted(self.timelines)],
            [self.components[name] for name in sorted(self.components)],
        )

    def column_names(self) -> list[str]:
        """What the columns are called: the row id, timelines, components."""
        taken = {ROW_ID}
        timelines = free_names(sorted(self.timelines), "timeline", taken)
        return [ROW_ID, *timelines, *free_names(sorted(self.components), "component", taken)]


def to_parquet(
    path: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    force: bool = False,
    entity_path: str | None = None,
    continue_on_error: bool = False,
    on_note: Callable[[Note], object] = no_note,
    on_progress: OnProgress = ignore,
) -> list[ParquetFile]:
    """Writes the rows of all recordings of a file as Parquet files.

    The file of an entity is ``folder/APPLICATION/RECORDING/ENTITY/PATH.parquet``. It has one row per logged
    row, in the order of the recording, and these columns: ``row_id``, the timelines by name, the components
    by name, each a list of instances, or null where a row does not have it. Static rows have no times.

    Where components or timelines of an entity change their type, the rows with other types are in files of
    their own, ``PATH@2.parquet`` and so on. Types that Parquet lacks are replaced, see
    :func:`aiorerun.files.parquet_types.storable_type`. Blueprints are left out.

    Args:
        path: The file, a pipe, or ``-`` for the standard input.
        folder: Where the files go; made if it does not exist.
        force: Whether files that exist are replaced.
        entity_path: Only this entity and those below it.
        continue_on_error: Whether damaged messages, and entities with values that no Parquet file can have,
            are left out; by default they are raised.
        on_note: Is told of what is left out because it is incomplete or damaged.
        on_progress: Is told how far it is.

    Returns:
        The files.

    Raises:
        RrdError: It is no RRD file, or damaged, or has values that no Parquet file can have.
        OSError: It cannot be read, or a file not be written; then none of them appears.
    """
    with (
        FileReader(path, on_note, skip_damage=continue_on_error) as reader,
        DiskTable("file", "place", others=("size",)) as table,
        OutputSet(force=force) as outputs,
    ):
        survey = _Survey(table, entity_path)
        for _ in reader.messages(survey.add, Stage(on_progress, 0, 2 * reader.size)):
            pass
        outputs.make_folder(Path(folder))
        progress = Stage(on_progress, reader.size, 2 * reader.size)
        made = []
        for number, plan in enumerate(survey.plans):
            target = _target(Path(folder), plan)
            outputs.make_folder(target.parent)
            places = table.rows("place, size", "file = ?", (number,))
            chunks = _chunks(reader, survey.passing, places, progress)
            hidden = outputs.new(target)
            try:
                rows = _write(hidden, plan, chunks)
            except RrdError as error:
                if not continue_on_error:
                    raise
                outputs.drop(hidden)
                on_note(Note(reader.source.name, 0, f"{plan.entity_path} is left out: {error}"))
            else:
                made.append(ParquetFile(target, plan.store, plan.entity_path, rows))
        return made


def _target(folder: Path, plan: _Plan) -> Path:
    store = plan.store
    names = file_name(store.application_id), file_name(store.recording_id)
    return folder.joinpath(*names, entity_file(plan.entity_path, plan.variant))


class _Survey:
    """Finds out which files there will be, and which chunks go into which."""

    def __init__(self, table: DiskTable, entity_path: str | None) -> None:
        self.passing = Passing(validate=True)
        self.plans: list[_Plan] = []
        self._table = table
        self._only = None if entity_path is None else entity_path.rstrip("/")
        self._of_entity: dict[tuple[StoreId, str], list[int]] = {}
        self._of_layout: dict[Any, int] = {}

    def add(self, raw: RawMessage) -> None:
        """Takes in a message."""
        decoded = decode_message(raw.kind, raw.payload)
        if isinstance(decoded, Footer):
            return
        store = self.passing.store(decoded)
        if not isinstance(decoded, ArrowMsg) or store.kind is StoreKind.BLUEPRINT:
            return
        chunk = self.passing.chunk(raw)
        path = chunk.facts.entity_path
        if self._only is None or path == self._only or path.startswith(f"{self._only}/"):
            self._table.add(self._file_of(chunk), raw.offset, len(raw.payload))

    def _file_of(self, chunk: ReadChunk) -> int:
        facts = chunk.facts
        timelines = tuple(each.timeline for each in facts.indexes)
        components = tuple((each.descriptor, each.type) for each in facts.components)
        layout = (chunk.store, facts.entity_path, timelines, components)
        known = self._of_layout.get(layout)
        if known is None:
            known = self._of_layout[layout] = self._plan_for(chunk)
        return known

    def _plan_for(self, chunk: ReadChunk) -> int:
        numbers = self._of_entity.setdefault((chunk.store, chunk.facts.entity_path), [])
        for number in numbers:
            if self.plans[number].takes(chunk.facts):
                return number
        plan = _Plan(chunk.store, chunk.facts.entity_path, len(numbers) + 1)
        plan.takes(chunk.facts)
        numbers.append(len(self.plans))
        self.plans.append(plan)
        return numbers[-1]


def _chunks(
    reader: FileReader, passing: Passing, places: Iterator[tuple[Any, ...]], progress: Stage
) -> Iterator[Chunk]:
    """The chunks at these places."""
    for place, size in places:
        found = passing.chunk(reader.read(place, size))
        chunk = Chunk(partial(_loaded, found), found.store)
        chunk._loaded()
        yield chunk
        progress(place + size)


def _loaded(chunk: ReadChunk) -> tuple[pa.RecordBatch, ChunkFacts]:
    return chunk.batch, chunk.facts


def _write(path: Path, plan: _Plan, chunks: Iterator[Chunk]) -> int:
    """Writes a file; returns how many rows it has.

    Raises:
        RrdError: It has values that Parquet cannot have.
    """
    try:
        return _write_rows(path, plan, chunks)
    except pa.ArrowException as error:
        raise RrdError(f"the rows of {plan.entity_path} cannot be stored as Parquet: {error}") from error


def _write_rows(path: Path, plan: _Plan, chunks: Iterator[Chunk]) -> int:
    names = plan.column_names()
    metadata = {
        b"rerun:application_id": plan.store.application_id.encode(),
        b"rerun:recording_id": plan.store.recording_id.encode(),
        b"rerun:entity_path": plan.entity_path.encode(),
    }
    with contextlib.ExitStack() as stack:
        writer: _GroupWriter | None = None
        for batch in tables.reader(plan.schema(), chunks, None, None):
            made = _stored(batch, names, metadata)
            writer = writer or stack.enter_context(_GroupWriter(path, made.schema))
            writer.add(made)
        if writer is None:
            schema = _stored_schema(plan.schema().to_arrow(), names, metadata)
            writer = stack.enter_context(_GroupWriter(path, schema))
    return writer.rows


class _GroupWriter:
    """Writes batches as row groups that take a bounded amount of memory."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._group: list[pa.RecordBatch] = []
        self._cost = 0
        self._group_rows = 0
        self.rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Takes in rows."""
        cost = sum(map(_cost, batch.columns))
        self.rows += batch.num_rows
        # Large batches are cut, as long as they have more than a row.
        step = max(1, batch.num_rows * _ROW_GROUP_COST // max(cost, 1))
        for start in range(0, batch.num_rows, step):
            piece = batch.slice(start, step)
            share = cost * piece.num_rows // batch.num_rows
            if self._group and self._cost + share > _ROW_GROUP_COST:
                self._flush()
            self._group.append(piece)
            self._cost += share
            self._group_rows += piece.num_rows
            if self._group_rows >= _MAX_ROW_GROUP_ROWS:
                self._flush()

    def _flush(self) -> None:
        table = pa.Table.from_batches(self._group)
        self._writer.write_table(table, row_group_size=len(table))
        self._group, self._cost, self._group_rows = [], 0, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.closing(self._writer):
            if kind is None and self._group:
                self._flush()
        # Files have other columns, whose memory is of other sizes.
        pa.default_memory_pool().release_unused()


def _cost(column: pa.Array[Any]) -> int:
    """About what writing a column takes in memory, by the size of its smallest values."""
    size: int = column.nbytes
    return size + size * _VALUE_COST // _smallest(column.type)


def _smallest(kind: pa.DataType) -> int:
    """Bytes of the smallest values in a type; those of texts count as many."""
    if kind.num_fields:
        return min(_smallest(kind.field(at).type) for at in range(kind.num_fields))
    if pa.types.is_primitive(kind):
        return max(1, int(kind.bit_width) // 8)
    return 8


def _stored_schema(schema: pa.Schema, names: list[str], metadata: dict[bytes, bytes]) -> pa.Schema:
    """The columns as they are in the Parquet file."""
    fields = [
        # Whoever reads it need not know what the extension type of row ids is.
        pa.field(name, storable_type(each.type), each.nullable, None if name == ROW_ID else each.metadata)
        for name, each in zip(names, schema, strict=True)
    ]
    return pa.schema(fields, metadata=metadata)


def _stored(batch: pa.RecordBatch, names: list[str], metadata: dict[bytes, bytes]) -> pa.RecordBatch:
    """Rows as they are in the Parquet file."""
    schema = _stored_schema(batch.schema, names, metadata)
    return pa.RecordBatch.from_arrays([storable(column) for column in batch.columns], schema=schema)
