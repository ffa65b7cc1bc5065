"""Chunks as tables: one row per logged row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aiorerun.codec import chunk_schema as names
from aiorerun.codec.errors import RrdError
from aiorerun.recording.schema import ROW_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiorerun.recording.chunk import Chunk
    from aiorerun.recording.schema import Schema

T = TypeVar("T", bound="pa.Table | pa.RecordBatch")


class UnlistedColumnError(RrdError):
    """A chunk has a column that the index of the recording does not know."""


def reader(
    schema: Schema, chunks: Iterator[Chunk], component: str | None, timeline: str | None
) -> pa.RecordBatchReader:
    """The rows of chunks, in columns of one schema; what a chunk lacks is null.

    Args:
        schema: The columns.
        chunks: Read one by one while the reader is used.
        component: Rows without it are left out.
        timeline: Other timelines may be left out of the schema.
    """
    arrow = schema.to_arrow()
    known_timelines = {column.name for column in schema.index_columns()}
    columns = {(each.entity_path, each.component): each.name for each in schema.component_columns()}

    def batches() -> Iterator[pa.RecordBatch]:
        for chunk in chunks:
            found: dict[str, pa.Array[Any]] = {ROW_ID: chunk.row_ids}
            for name in chunk.timeline_names:
                if name in known_timelines:
                    found[name] = chunk.column(name)
                elif timeline is None:
                    raise UnlistedColumnError(f"timeline {name!r} is not in the footer; use to_table()")
            for descriptor in chunk.components:
                name = columns.get((chunk.entity_path, descriptor.component), "")
                if name:
                    found[name] = as_lists(chunk.column(descriptor.component))
                elif component is None:
                    raise UnlistedColumnError(
                        f"{descriptor.component!r} is not in the footer; use to_table()"
                    )
            batch = _aligned(found, arrow, chunk.num_rows)
            if component is not None:
                name = columns.get((chunk.entity_path, component), "")
                batch = _present(batch, batch.column(name)) if name else batch.slice(0, 0)
            yield batch

    return pa.RecordBatchReader.from_batches(arrow, batches())


def _aligned(found: dict[str, pa.Array[Any]], schema: pa.Schema, num_rows: int) -> pa.RecordBatch:
    arrays = [
        _cast(found[field.name], field) if field.name in found else pa.nulls(num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


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


def read_all(source: pa.RecordBatchReader) -> pa.Table:
    """Everything that a reader gives.

    Raises:
        RrdError: What went wrong with the file.
    """
    try:
        return pa.Table.from_batches(list(source), schema=source.schema)
    except pa.ArrowException as error:
        raise RrdError(f"the recording cannot be read as a table: {error}") from error


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
        table = pa.Table.from_arrays([*arrays, _cast(values, column)], schema=pa.schema([*fields, column]))
        parts.append(_present(table, values))
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
        return chunk.column(component)
    except KeyError as error:
        raise RrdError(f"the footer is wrong about a chunk: {error.args[0]}") from None


def _present(rows_of_chunk: T, values: pa.Array[Any]) -> T:
    """The rows that have a value."""
    if not values.null_count:
        return rows_of_chunk
    try:
        return rows_of_chunk.filter(values.is_valid())
    except pa.ArrowException as error:
        raise RrdError(f"rows cannot be picked: {error}; read the chunks instead") from error


def _in_order(joined: pa.Table, component: str, timeline: str | None) -> pa.Table:
    """Sorts rows by time, those without one first, and by row id."""
    others = [name for name in joined.column_names if name not in (ROW_ID, component)]
    joined = joined.select([ROW_ID, *others, component])
    keys = [timeline, ROW_ID] if timeline in others else [ROW_ID]
    order = pc.sort_indices(joined, sort_keys=[(key, "ascending") for key in keys])
    # Static rows, which have no time, are sorted to the end, and hold from the start.
    timed = len(joined) - joined.column(keys[0]).null_count
    order = pa.concat_arrays([order.slice(timed), order.slice(0, timed)])
    # Most files are in order, and not all types can be put into another one.
    return joined if order.equals(pa.array(np.arange(len(joined), dtype=np.uint64))) else joined.take(order)
