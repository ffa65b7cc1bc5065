"""Chunks as tables: one row per logged row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import pyarrow as pa

from aiorerun.codec import chunk_schema as names
from aiorerun.codec.chunk_arrow import row_id_numbers
from aiorerun.codec.errors import RrdError
from aiorerun.recording.schema import ROW_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiorerun.recording.chunk import Chunk
    from aiorerun.recording.schema import Schema

T = TypeVar("T", bound="pa.Table | pa.Array[Any]")

_BATCH_ROWS: Final = 1 << 16
_BATCH_BYTES: Final = 4 << 20
"""Chunks are joined until a batch has so many rows or bytes."""


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
        self._timelines = {column.name for column in schema.index_columns()}
        self._names = {(each.entity_path, each.component): each.name for each in schema.component_columns()}
        self._start()

    def _start(self) -> None:
        self.num_rows = 0
        self.nbytes = 0
        self._parts: dict[str, list[pa.Array[Any]]] = {field.name: [] for field in self.schema}
        self._filled = dict.fromkeys(self._parts, 0)

    def add(self, chunk: Chunk) -> None:
        """Takes in the rows of a chunk."""
        found = self._columns_of(chunk)
        if self._component is not None:
            found = self._rows_with(self._component, chunk, found)
        before = self.num_rows
        self.num_rows += len(found[ROW_ID])
        for name, array in found.items():
            field = self.schema.field(name)
            self._fill(field, before)
            self._parts[name].append(_cast(array, field))
            self._filled[name] = self.num_rows
        self.nbytes += chunk.nbytes

    def _columns_of(self, chunk: Chunk) -> dict[str, pa.Array[Any]]:
        found: dict[str, pa.Array[Any]] = {ROW_ID: chunk.row_ids}
        for name in chunk.timeline_names:
            if name in self._timelines:
                found[name] = chunk.column(name)
            elif self._timeline is None:
                raise UnlistedColumnError(f"timeline {name!r} is not in the footer; use to_table()")
        for descriptor in chunk.components:
            name = self._names.get((chunk.entity_path, descriptor.component), "")
            if name:
                found[name] = as_lists(chunk._component_column(descriptor.component))
            elif self._component is None:
                raise UnlistedColumnError(f"{descriptor.component!r} is not in the footer; use to_table()")
        return found

    def _rows_with(
        self, component: str, chunk: Chunk, found: dict[str, pa.Array[Any]]
    ) -> dict[str, pa.Array[Any]]:
        values = found.get(self._names.get((chunk.entity_path, component), ""))
        if values is None:
            raise RrdError(f"the footer is wrong about a chunk: it has no {component!r}")
        return {name: _present(array, values) for name, array in found.items()}

    def _fill(self, field: pa.Field[Any], end: int) -> None:
        """Puts nulls into a column up to a row."""
        missing = end - self._filled[field.name]
        if missing:
            self._parts[field.name].append(pa.nulls(missing, field.type))

    def take(self) -> pa.Table:
        """Everything so far; begins anew."""
        for field in self.schema:
            self._fill(field, self.num_rows)
        arrays = [pa.chunked_array(self._parts[field.name], field.type) for field in self.schema]
        made = pa.Table.from_arrays(arrays, schema=self.schema)
        self._start()
        return made


def _cast(array: pa.Array[Any], field: pa.Field[Any]) -> pa.Array[Any]:
    if array.type.equals(field.type, check_metadata=True):
        return array
    try:
        return array.cast(field.type)
    except pa.ArrowException as error:
        raise RrdError(
            f"column {field.name!r} has values of type {field.type} and of type {array.type}, which do not "
            "fit into one table; read its chunks instead"
        ) from error


def as_lists(array: pa.Array[Any]) -> pa.Array[Any]:
    """A component column as a list of instances per row; flat columns count as one instance per row."""
    if pa.types.is_list(array.type):
        return array
    offsets = pa.array(np.arange(len(array) + 1, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, array)


def rows(chunks: Iterator[Chunk], component: str, timeline: str | None, kind: pa.DataType | None) -> pa.Table:
    """The rows that have a component: row id, times, and the component.

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
        fields = [names.row_id_field(is_sorted=False)]
        arrays = [chunk.row_ids]
        for each in chunk.timelines:
            if timeline in (None, each.name):
                fields.append(names.index_field(each, is_sorted=False))
                arrays.append(chunk.column(each.name))
        part = pa.Table.from_arrays([*arrays, _cast(values, column)], schema=pa.schema([*fields, column]))
        parts.append(_present(part, values))
    if column is None:
        column = pa.field(component, names.list_type(pa.null() if kind is None else kind))
        parts.append(pa.schema([names.row_id_field(is_sorted=False), column]).empty_table())
    try:
        return _in_order(pa.concat_tables(parts, promote_options="default"), component, timeline)
    except pa.ArrowException as error:
        raise RrdError(f"the rows of {component!r} do not fit into one table: {error}") from error


def _listed_column(chunk: Chunk, component: str, timeline: str | None) -> pa.Array[Any]:
    try:
        if timeline is not None and not chunk.is_static:
            chunk.column(timeline)
        found = chunk._component_column(component)
        return chunk.column(component) if found is None else found
    except KeyError as error:
        raise RrdError(f"the footer is wrong about a chunk: {error.args[0]}") from None


def _present(rows_of_chunk: T, values: pa.Array[Any]) -> T:
    """The rows that have a value."""
    if not values.null_count:
        return rows_of_chunk
    try:
        present: T = rows_of_chunk.filter(values.is_valid())
        return present
    except pa.ArrowException as error:
        raise RrdError(f"rows cannot be picked: {error}; read the chunks instead") from error


def _in_order(joined: pa.Table, component: str, timeline: str | None) -> pa.Table:
    """Sorts rows by time, those without one first, and by row id."""
    others = [name for name in joined.column_names if name not in (ROW_ID, component)]
    joined = joined.select([ROW_ID, *others, component])
    ids = pa.concat_arrays(joined.column(ROW_ID).chunks) if len(joined) else pa.array([], names.ROW_ID_TYPE)
    numbers = row_id_numbers(ids)
    keys = [numbers[:, 1], numbers[:, 0]]
    if timeline in others:
        times = joined.column(timeline).cast(pa.int64())
        # Static rows have no time, and hold from the start.
        keys += [times.fill_null(0).to_numpy(), times.is_valid().to_numpy()]
    order = np.lexsort(keys)
    # Most files are in order, and not all types can be put into another one.
    return joined if bool((order[1:] > order[:-1]).all()) else joined.take(pa.array(order))
