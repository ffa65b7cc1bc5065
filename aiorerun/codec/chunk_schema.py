"""The Arrow schema of a chunk: the names, types and metadata of its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from aiorerun.types.timeline import TimelineKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorerun.types.descriptors import ComponentDescriptor
    from aiorerun.types.timeline import Timeline

SORBET_VERSION: Final = "0.1.4"
ROW_ID: Final = "rerun.controls.RowId"
ROW_ID_TYPE: Final = pa.binary(16)
LIST_ITEM: Final = "item"
CHUNK_ID_PREFIX: Final = "chunk_"

KIND: Final = b"rerun:kind"
INDEX_NAME: Final = b"rerun:index_name"
IS_SORTED: Final = b"rerun:is_sorted"
COMPONENT: Final = b"rerun:component"
ARCHETYPE: Final = b"rerun:archetype"
COMPONENT_TYPE: Final = b"rerun:component_type"
ENTITY_PATH: Final = b"rerun:entity_path"
CHUNK_ID: Final = b"rerun:id"
VERSION: Final = b"sorbet:version"

TIME_TYPES: Final[dict[TimelineKind, pa.DataType]] = {
    TimelineKind.SEQUENCE: pa.int64(),
    TimelineKind.DURATION: pa.duration("ns"),
    TimelineKind.TIMESTAMP: pa.timestamp("ns"),
}


def row_id_field(*, is_sorted: bool) -> pa.Field[Any]:
    """The column of row ids."""
    metadata = {
        KIND: b"control",
        b"ARROW:extension:name": b"rerun.datatypes.TUID",
        b"ARROW:extension:metadata": b'{"namespace":"row"}',
    }
    if is_sorted:
        metadata[IS_SORTED] = b"true"
    return pa.field(ROW_ID, ROW_ID_TYPE, nullable=False, metadata=metadata)


def index_field(timeline: Timeline, *, is_sorted: bool) -> pa.Field[Any]:
    """The column of times of one timeline."""
    name = timeline.name.encode()
    metadata = {KIND: b"index", INDEX_NAME: name}
    if is_sorted:
        metadata[IS_SORTED] = b"true"
    return pa.field(name, TIME_TYPES[timeline.kind], metadata=metadata)


def component_metadata(descriptor: ComponentDescriptor) -> dict[bytes, bytes]:
    """What the column of a component says about it."""
    metadata = {KIND: b"data", COMPONENT: descriptor.component.encode()}
    if descriptor.archetype is not None:
        metadata[ARCHETYPE] = descriptor.archetype.encode()
    if descriptor.component_type is not None:
        metadata[COMPONENT_TYPE] = descriptor.component_type.encode()
    return metadata


def list_type(values: pa.DataType) -> pa.DataType:
    """The type of a column that holds a list of instances of this type per row."""
    return pa.list_(pa.field(LIST_ITEM, values))


def component_field(descriptor: ComponentDescriptor, values: pa.DataType) -> pa.Field[Any]:
    """The column of a component whose instances have this type."""
    return pa.field(descriptor.component, list_type(values), metadata=component_metadata(descriptor))


def chunk_schema(
    entity_path: str,
    chunk_id: str,
    indexes: Iterable[tuple[Timeline, bool]],
    components: Iterable[tuple[ComponentDescriptor, pa.DataType]],
) -> pa.Schema:
    """The schema of a chunk.

    Args:
        entity_path: Whose rows it has.
        chunk_id: The text form of its id, without prefix.
        indexes: Timelines, and whether their times ascend.
        components: Components, and the type of their instances.
    """
    columns = [row_id_field(is_sorted=True)]
    columns.extend(index_field(timeline, is_sorted=is_sorted) for timeline, is_sorted in indexes)
    columns.extend(component_field(descriptor, values) for descriptor, values in components)
    metadata = {
        VERSION: SORBET_VERSION.encode(),
        CHUNK_ID: f"{CHUNK_ID_PREFIX}{chunk_id}".encode(),
        ENTITY_PATH: entity_path.encode(),
    }
    return pa.schema(columns, metadata=metadata)
