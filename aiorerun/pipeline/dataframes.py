"""Tables: what each column of an Arrow record batch means, and the blocks of rows that become of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pyarrow as pa

from aiorerun.pipeline.columns import CapturedColumn, ColumnBlock, arrow_column, own_array
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.entity_path import normalize_entity_path
from aiorerun.types.sorbet import (
    RERUN_KIND,
    SORBET_ARCHETYPE_NAME,
    SORBET_COMPONENT,
    SORBET_COMPONENT_TYPE,
    SORBET_ENTITY_PATH,
    SORBET_INDEX_NAME,
    AutoIndex,
)
from aiorerun.types.time import check_timeline_name
from aiorerun.types.time_column import is_time_type, times_of_arrow
from aiorerun.types.timeline import Timeline
from aiorerun.types.tuid import Tuid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from aiorerun.types.time_column import Int64s

Index: TypeAlias = "str | Sequence[str] | AutoIndex | None"
"""Which columns hold times: names of columns, none at all, or those that the metadata names."""

_CHUNK_ID: Final = b"rerun:id"
_CONTROL_KINDS: Final = frozenset({b"control", b"row_id"})
_INDEX_KINDS: Final = frozenset({b"index", b"time"})


@dataclass(slots=True)
class TablePlan:
    """What the columns of a table mean, the same for all its batches.

    Attributes:
        indexes: Position and timeline name of each column of times.
        entities: By entity path, the position and name of each of its component columns.
        row_ids: Position of the row ids, if they and the chunk's id shall be kept.
        chunk_id: The id of the chunk, likewise.
        is_ambiguous: Whether nothing says that the rows are static, so that they are only taken for it.
    """

    indexes: list[tuple[int, str]]
    entities: dict[str, list[tuple[int, ComponentDescriptor]]]
    row_ids: int | None = None
    chunk_id: Tuid | None = None
    is_ambiguous: bool = False


def plan_of(schema: pa.Schema, index: Index, entity_path: str | list[object] | None) -> TablePlan:
    """Tells what the columns of a table mean.

    Raises:
        ValueError: An index that is missing, unwanted or of no type of times; no component column; the same
            component of an entity twice; an identified chunk of several entities.
        TypeError: An argument of another type.
    """
    metadata = schema.metadata or {}
    controls, indexes, components = _sorted_out(schema, index)
    if not components:
        raise ValueError("the table has no component column, so there is nothing to send")
    names = [(position, _timeline(schema.field(position))) for position in indexes]
    plan = TablePlan(names, _entities(schema, components, entity_path))
    if isinstance(index, AutoIndex):
        if entity_path is None and controls and _CHUNK_ID in metadata:
            _identify(plan, schema, controls[0])
        plan.is_ambiguous = not names and plan.chunk_id is None
    return plan


def _sorted_out(schema: pa.Schema, index: Index) -> tuple[list[int], list[int], list[int]]:
    """The positions of row ids, of times and of components."""
    wanted = _wanted(schema, index)
    controls: list[int] = []
    indexes: list[int] = []
    components: list[int] = []
    for position, field in enumerate(schema):
        kind = _said(field.metadata, RERUN_KIND)
        is_index = kind in _INDEX_KINDS or _said(field.metadata, SORBET_INDEX_NAME) is not None
        if is_index and index is None:
            raise ValueError(
                f"index=None asks for static rows, but the metadata of column {field.name!r} says that it "
                "holds times: leave it out, or omit index"
            )
        if field.name in wanted if wanted is not None else is_index:
            indexes.append(position)
        elif kind in _CONTROL_KINDS:
            controls.append(position)
        else:
            components.append(position)
    return controls, indexes, components


def _wanted(schema: pa.Schema, index: Index) -> frozenset[str] | None:
    """The columns that were named as holding times; ``None`` if the metadata decides."""
    if isinstance(index, AutoIndex):
        return None
    names = [] if index is None else [index] if isinstance(index, str) else list(index)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"index must be names of columns, got {type(name).__name__}")
        found = schema.get_all_field_indices(name)
        if len(found) != 1:
            how = "there is no such column" if not found else "several columns have that name"
            raise ValueError(f"index {name!r}: {how}; the columns are {', '.join(schema.names)}")
    return frozenset(names)


def _timeline(field: pa.Field[Any]) -> str:
    name = _text(field.metadata, SORBET_INDEX_NAME) or field.name
    check_timeline_name(name)
    if not is_time_type(field.type):
        raise ValueError(
            f"index column {field.name!r} holds {field.type}: times are integers, durations or timestamps"
        )
    return name


def _entities(
    schema: pa.Schema, positions: Sequence[int], entity_path: str | list[object] | None
) -> dict[str, list[tuple[int, ComponentDescriptor]]]:
    """The component columns by the entity they belong to, in the order in which these come first."""
    of_table = _text(schema.metadata, SORBET_ENTITY_PATH)
    entities: dict[str, list[tuple[int, ComponentDescriptor]]] = {}
    for position in positions:
        field = schema.field(position)
        path: str | list[object] | None = _text(field.metadata, SORBET_ENTITY_PATH) or of_table
        component = field.name
        if path is None and component.startswith("/") and ":" in component:
            path, _, component = component.partition(":")
        descriptor = ComponentDescriptor(
            _text(field.metadata, SORBET_COMPONENT) or component,
            _text(field.metadata, SORBET_ARCHETYPE_NAME),
            _text(field.metadata, SORBET_COMPONENT_TYPE),
        )
        normal = normalize_entity_path(path if path is not None else entity_path or "/")
        columns = entities.setdefault(normal, [])
        if any(other.component == descriptor.component for _, other in columns):
            raise ValueError(f"several columns hold component {descriptor.component!r} of {normal}")
        columns.append((position, descriptor))
    return entities


def _identify(plan: TablePlan, schema: pa.Schema, row_ids: int) -> None:
    """Keeps the ids of a table that is a chunk."""
    if schema.field(row_ids).type != pa.binary(16):
        return
    if len(plan.entities) > 1:
        raise ValueError(
            f"the table is one chunk, by its ids, but has columns of {len(plan.entities)} entities: drop "
            "the chunk id or the column of row ids, so that it gets other ids"
        )
    plan.row_ids = row_ids
    plan.chunk_id = Tuid.parse(schema.metadata[_CHUNK_ID].decode())


def _said(metadata: Mapping[bytes, bytes] | None, key: bytes) -> bytes | None:
    """What metadata says, in today's spelling or in that of releases before 0.25."""
    if not metadata:
        return None
    return metadata.get(key, metadata.get(key.replace(b":", b".", 1)))


def _text(metadata: Mapping[bytes, bytes] | None, key: bytes) -> str | None:
    said = _said(metadata, key)
    return None if said is None else said.decode()


def blocks_of(batch: pa.RecordBatch, plan: TablePlan) -> list[ColumnBlock]:
    """The rows of a batch, one block per entity; the values are copied.

    Raises:
        ValueError, OverflowError: Times that are missing, or beyond 64 bits.
    """
    indexes: dict[str, tuple[Timeline, Int64s]] = {}
    for position, name in plan.indexes:
        kind, values = times_of_arrow(name, batch.column(position))
        if name in indexes:
            raise ValueError(f"several columns hold the times of timeline {name!r}")
        indexes[name] = (Timeline(name, kind), values)
    blocks: list[ColumnBlock] = []
    for path, columns in plan.entities.items():
        captured = [_column(descriptor, batch.column(position)) for position, descriptor in columns]
        block = ColumnBlock.of(path, indexes.values(), captured, batch.num_rows)
        block.keeps_order = True
        if plan.row_ids is not None:
            _take_ids(block, plan, batch.column(plan.row_ids))
        blocks.append(block)
    return blocks


def _column(descriptor: ComponentDescriptor, array: pa.Array[Any]) -> CapturedColumn:
    """A component column: lists as they are, plain values as one instance per row, nulls as no value."""
    own = own_array(array)
    column = arrow_column(descriptor, own)
    if column.offsets is None and own.null_count and not pa.types.is_null(own.type):
        present: npt.NDArray[np.bool_] = own.is_valid().to_numpy(zero_copy_only=False)
        return column._replace(present=present)
    return column


def _take_ids(block: ColumnBlock, plan: TablePlan, row_ids: pa.Array[Any]) -> None:
    """Lets a block have ids of its own. Without one for each row, ascending, it gets others.

    Only one has the id of the chunk: others with the same one would be taken for repetitions of it.
    """
    if row_ids.null_count:
        return
    data = own_array(row_ids).buffers()[1]
    ids = np.frombuffer(data or b"", ">u8").reshape(block.num_rows, 2)
    before, after = ids[:-1], ids[1:]
    ascending = (before[:, 0] < after[:, 0]) | ((before[:, 0] == after[:, 0]) & (before[:, 1] <= after[:, 1]))
    if ascending.all():
        block.chunk_id, block.row_ids = plan.chunk_id, ids
        plan.chunk_id = None


def reader_of(table: Any) -> pa.RecordBatchReader:
    """What reads a table batch by batch.

    Raises:
        TypeError: It is no table.
    """
    if isinstance(table, pa.RecordBatchReader):
        return table
    if isinstance(table, pa.Table):
        return table.to_reader()
    if isinstance(table, pa.RecordBatch):
        return pa.RecordBatchReader.from_batches(table.schema, [table])
    if hasattr(table, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(table)
    raise TypeError(
        "df must be a pyarrow Table, RecordBatch or RecordBatchReader, or have __arrow_c_stream__ as frames "
        f"of pandas, polars and DuckDB do; got {type(table).__name__}"
    )


def is_at_hand(table: Any) -> bool:
    """Whether reading a table costs nothing, because it is in memory as Arrow data."""
    return isinstance(table, pa.Table | pa.RecordBatch)
