"""Chunks as tables: one row per logged row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import pyarrow as pa

from aiorerun.codec import chunk_schema as names
from aiorerun.codec.chunk_arrow import row_id_numbers
from aiorerun.codec.errors import RrdError
from aiorerun.recording.schema import ROW_ID, free_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aiorerun.recording.chunk import Chunk
    from aiorerun.recording.schema import Schema

T = TypeVar("T", bound="pa.Table | pa.Array[Any]")

_BATCH_ROWS: Final = 1 << 16
_BATCH_BYTES: Final = 4 << 20
"""Chunks are joined until a batch has so many rows or bytes."""
_TIMELINE: Final = "timeline"
_VALUES: Final = "component"


class UnlistedColumnError(RrdError):
    """A chunk has a column that the index of the recording does not know."""


def reader(
    schema: Schema, chunks: Iterator[Chunk], component: str | None, timeline: str | None
) -> pa.RecordBatchReader:
    """The rows of chunks, in columns of one schema; what a chunk lacks is null.

    Args:
        schema: The columns.
        chunks: Read one by one while the reader is used; small ones become one batch.
        component: Rows without it are left out.
        timeline: Other timelines may be left out of the schema.
    """
    columns = _Columns(schema, component, timeline)

    def batches() -> Iterator[pa.RecordBatch]:
        for chunk in chunks:
            columns.add(chunk)
            if columns.num_rows >= _BATCH_ROWS or columns.nbytes >= _BATCH_BYTES:
                yield from _batches_of(columns.take())
        if columns.num_rows:
            yield from _batches_of(columns.take())

    return pa.RecordBatchReader.from_batches(columns.schema, batches())


def _batches_of(rows_of_chunks: pa.Table) -> list[pa.RecordBatch]:
    try:
        batches: list[pa.RecordBatch] = rows_of_chunks.combine_chunks().to_batches()
        return batches
    except pa.ArrowException as error:
        raise RrdError(f"chunks cannot be joined: {error}; read them one by one instead") from error


def table(schema: Schema, chunks: Iterator[Chunk], component: str | None, timeline: str | None) -> pa.Table:
    """The same as one table; its columns share their memory with the chunks.

    Raises:
        RrdError: The file is damaged, or a component changes its type.
        UnlistedColumnError: The schema lacks a column.
    """
    columns = _Columns(schema, component, timeline)
    for chunk in chunks:
        columns.add(chunk)
    return columns.take()


class _Columns:
    """Columns in the making. What they cost is in what chunks have, not in what they lack."""

    def __init__(self, schema: Schema, component: str | None, timeline: str | None) -> None:
        self.schema = schema.to_arrow()
        self._component = component
        self._timeline = timeline
        # By position: names may be those of other columns. The first column is the one of row ids.
        timelines = [column.name for column in schema.index_columns()]
        self._timelines = {name: position for position, name in enumerate(timelines, 1)}
        self._components = {
            (each.entity_path, each.component): position
            for position, each in enumerate(schema.component_columns(), 1 + len(timelines))
        }
        self._start()

    def _start(self) -> None:
        self.num_rows = 0
        self.nbytes = 0
        self._parts: list[list[pa.Array[Any]]] = [[] for _ in self.schema]
        self._filled = [0] * len(self._parts)

    def add(self, chunk: Chunk) -> None:
        """Takes in the rows of a chunk."""
        if not chunk.num_rows:
            # Its columns may be in no schema.
            return
        found = self._columns_of(chunk)
        if self._component is not None:
            found = self._rows_with(self._component, chunk, found)
        before = self.num_rows
        self.num_rows += len(found[0])
        for position, array in found.items():
            self._fill(position, before)
            self._parts[position].append(_cast(array, self.schema.field(position)))
            self._filled[position] = self.num_rows
        self.nbytes += chunk.nbytes

    def _columns_of(self, chunk: Chunk) -> dict[int, pa.Array[Any]]:
        found: dict[int, pa.Array[Any]] = {0: chunk.row_ids}
        for name in chunk.timeline_names:
            position = self._timelines.get(name)
            if position is not None:
                found[position] = chunk.column(name)
            elif self._timeline is None:
                raise UnlistedColumnError(f"timeline {name!r} is not in the footer; use to_table()")
        for descriptor in chunk.components:
            position = self._components.get((chunk.entity_path, descriptor.component))
            if position is not None:
                found[position] = as_lists(chunk._component_column(descriptor.component))
            elif self._component is None:
                raise UnlistedColumnError(f"{descriptor.component!r} is not in the footer; use to_table()")
        return found

    def _rows_with(
        self, component: str, chunk: Chunk, found: dict[int, pa.Array[Any]]
    ) -> dict[int, pa.Array[Any]]:
        values = found.get(self._components.get((chunk.entity_path, component), -1))
        if values is None:
            raise RrdError(f"the footer is wrong about a chunk: it has no {component!r}")
        return {position: _present(array, values) for position, array in found.items()}

    def _fill(self, position: int, end: int) -> None:
        """Puts nulls into a column up to a row."""
        missing = end - self._filled[position]
        if missing:
            self._parts[position].append(_nulls(missing, self.schema.field(position).type))

    def take(self) -> pa.Table:
        """Everything so far; begins anew."""
        for position in range(len(self._parts)):
            self._fill(position, self.num_rows)
        arrays = [
            pa.chunked_array(parts, field.type) for parts, field in zip(self._parts, self.schema, strict=True)
        ]
        made = _table_of(arrays, self.schema)
        self._start()
        return made


def _table_of(columns: Sequence[Any], schema: pa.Schema) -> pa.Table:
    try:
        return pa.Table.from_arrays(columns, schema=schema)
    except pa.ArrowException as error:
        raise RrdError(f"chunks do not make a table: {error}; read them one by one instead") from error


def _nulls(count: int, kind: pa.DataType) -> pa.Array[Any]:
    made = pa.nulls(count, kind)
    if not pa.types.is_list(kind) or not pa.types.is_run_end_encoded(kind.value_type):
        return made
    # Arrow makes runs with a bitmap of nulls then, which they cannot have.
    runs, values = kind.value_type.run_end_type, kind.value_type.value_type
    none = pa.RunEndEncodedArray.from_arrays(pa.array([], runs), pa.nulls(0, values))
    return pa.Array.from_buffers(kind, count, made.buffers()[:2], count, 0, [none])


def _cast(array: pa.Array[Any], field: pa.Field[Any]) -> pa.Array[Any]:
    if array.type.equals(field.type, check_metadata=True):
        return array
    problem = (
        f"column {field.name!r} has values of type {field.type} and of type {array.type}, which do not fit "
        "into one table; read its chunks instead"
    )
    if not _is_alike(array.type, field.type):
        raise RrdError(problem)
    try:
        return array.cast(field.type)
    except pa.ArrowException as error:
        raise RrdError(problem) from error


def _is_alike(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether values of a type are the same in another one: only what is said about fields may differ.

    Arrow would also make numbers of texts, and of other numbers.
    """
    types = pa.types
    if types.is_null(found) or found == wanted:
        return True
    if found.id != wanted.id or not found.num_fields or found.num_fields != wanted.num_fields:
        return False
    if types.is_fixed_size_list(found) and found.list_size != wanted.list_size:
        return False
    if types.is_union(found) and found.type_codes != wanted.type_codes:
        return False
    pairs = [(found.field(at), wanted.field(at)) for at in range(found.num_fields)]
    if (types.is_struct(found) or types.is_union(found)) and any(a.name != b.name for a, b in pairs):
        return False
    return all(_is_alike(a.type, b.type) for a, b in pairs)


def as_lists(array: pa.Array[Any]) -> pa.Array[Any]:
    """A component column as a list of instances per row; flat columns count as one instance per row."""
    if pa.types.is_list(array.type):
        return array
    offsets = pa.array(np.arange(len(array) + 1, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, array)


def rows(chunks: Iterator[Chunk], component: str, timeline: str | None, kind: pa.DataType | None) -> pa.Table:
    """The rows that have a component: row id, times, and the component.

    A timeline that is called like the component has ``timeline:`` before its name.

    Args:
        chunks: Of one entity, those that have it.
        component: Which.
        timeline: Which times, and how they are sorted; ``None`` means all, sorted by row id.
        kind: The type of the instances, for a table without rows.

    Raises:
        RrdError: The file is damaged, or the component changes its type.
    """
    parts: list[pa.Table] = []
    column: pa.Field[Any] | None = None
    for chunk in chunks:
        values = as_lists(_listed_column(chunk, component, timeline))
        if column is None:
            column = pa.field(component, values.type)
        parts.append(_present(_part(chunk, timeline, _cast(values, column)), values))
    if column is None:
        lists = names.list_type(pa.null() if kind is None else kind)
        parts.append(_part(None, timeline, _nulls(0, lists)))
    try:
        joined = _in_order(pa.concat_tables(parts, promote_options="default"), timeline)
    except pa.ArrowException as error:
        raise RrdError(f"the rows of {component!r} do not fit into one table: {error}") from error
    called = [each.removeprefix(f"{_TIMELINE}:") for each in joined.column_names[1:-1]]
    return joined.rename_columns([ROW_ID, *free_names(called, _TIMELINE, {ROW_ID, component}), component])


def _part(chunk: Chunk | None, timeline: str | None, values: pa.Array[Any]) -> pa.Table:
    """The rows of a chunk, or none, in columns that are told apart whatever timelines are called."""
    fields = [names.row_id_field(is_sorted=False)]
    arrays = [pa.array([], names.ROW_ID_TYPE) if chunk is None else chunk.row_ids]
    times = [] if chunk is None else [(each, chunk.column(each.name)) for each in chunk.timelines]
    for each, column in times:
        if timeline in (None, each.name):
            fields.append(names.index_field(each, is_sorted=False).with_name(f"{_TIMELINE}:{each.name}"))
            arrays.append(column)
    schema = pa.schema([*fields, pa.field(_VALUES, values.type)])
    return _table_of([*arrays, values], schema)


def _listed_column(chunk: Chunk, component: str, timeline: str | None) -> pa.Array[Any]:
    found = chunk._component_column(component)
    if found is None:
        raise RrdError(f"the footer is wrong about a chunk: it has no component {component!r}")
    if timeline is not None and not chunk.is_static and timeline not in chunk.timeline_names:
        raise RrdError(f"the footer is wrong about a chunk: it has no timeline {timeline!r}")
    return found


def _present(rows_of_chunk: T, values: pa.Array[Any]) -> T:
    """The rows that have a value."""
    if not values.null_count:
        return rows_of_chunk
    try:
        present: T = rows_of_chunk.filter(values.is_valid())
        return present
    except pa.ArrowException as error:
        raise RrdError(f"rows cannot be picked: {error}; read the chunks instead") from error


def _in_order(joined: pa.Table, timeline: str | None) -> pa.Table:
    """Sorts rows by time, those without one first, and by row id."""
    others = [name for name in joined.column_names if name not in (ROW_ID, _VALUES)]
    joined = joined.select([ROW_ID, *others, _VALUES])
    ids = pa.concat_arrays(joined.column(ROW_ID).chunks) if len(joined) else pa.array([], names.ROW_ID_TYPE)
    numbers = row_id_numbers(ids)
    keys = [numbers[:, 1], numbers[:, 0]]
    times_of = f"{_TIMELINE}:{timeline}"
    if timeline is not None and times_of in others:
        times = joined.column(times_of).cast(pa.int64())
        # Static rows have no time, and hold from the start.
        keys += [times.fill_null(0).to_numpy(), times.is_valid().to_numpy()]
    order = np.lexsort(keys)
    # Most files are in order, and not all types can be put into another one.
    return joined if bool((order[1:] > order[:-1]).all()) else joined.take(pa.array(order))
