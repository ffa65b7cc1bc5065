"""What the record batch of a chunk says about itself, without taking it apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from aiorerun.codec import chunk_schema as names
from aiorerun.codec.chunk_arrow import component_of, fixed_width_values, timeline_kind
from aiorerun.codec.errors import RrdError
from aiorerun.types.timeline import Timeline
from aiorerun.types.tuid import Tuid

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt

    from aiorerun.types.descriptors import ComponentDescriptor


class IndexFacts(NamedTuple):
    """A timeline of a chunk: where its column is, the earliest and latest time; 0 if there are no rows."""

    timeline: Timeline
    column: int
    start: int
    end: int


class ComponentFacts(NamedTuple):
    """A component of a chunk, where its column is, the type of its instances, and how many rows have it."""

    descriptor: ComponentDescriptor
    column: int
    type: pa.DataType
    num_rows: int


class ChunkFacts(NamedTuple):
    """What a chunk is.

    Attributes:
        id: Its id.
        entity_path: Whose rows it has.
        num_rows: How many.
        row_ids: Where the column of row ids is.
        indexes: Timelines, in column order.
        components: Components, in column order.
    """

    id: Tuid
    entity_path: str
    num_rows: int
    row_ids: int
    indexes: tuple[IndexFacts, ...]
    components: tuple[ComponentFacts, ...]


def chunk_facts(batch: pa.RecordBatch) -> ChunkFacts:
    """Reads the schema and the times of a record batch.

    Raises:
        RrdError: It is not the batch of a chunk.
    """
    try:
        return _facts(batch)
    except UnicodeDecodeError as error:
        raise RrdError("a name in a record batch is not UTF-8") from error


def _facts(batch: pa.RecordBatch) -> ChunkFacts:
    chunk_id, entity_path = identity(batch)
    row_ids = -1
    indexes: list[IndexFacts] = []
    components: list[ComponentFacts] = []
    for position, (field, array) in enumerate(zip(batch.schema, batch.columns, strict=True)):
        metadata = field.metadata or {}
        kind = metadata.get(names.KIND, b"data")
        if kind in (b"control", b"row_id"):
            if field.type != names.ROW_ID_TYPE or array.null_count:
                raise RrdError(f"row ids are 16 bytes each and never null, not {field.type}")
            row_ids = position
        elif kind in (b"index", b"time"):
            indexes.append(_index(field, metadata, array, position))
        elif kind in (b"data", b"component"):
            components.append(_component(field, metadata, array, position))
        else:
            raise RrdError(f"column {field.name!r} is of unknown kind {kind!r}")
    if row_ids < 0:
        raise RrdError(f"the chunk of {entity_path} has no row ids")
    return ChunkFacts(chunk_id, entity_path, batch.num_rows, row_ids, tuple(indexes), tuple(components))


def check_texts(schema: pa.Schema) -> None:
    """Checks that all metadata is text, which Arrow does not.

    Raises:
        RrdError: Some of it is not UTF-8.
    """
    try:
        _check_texts(schema.metadata, schema)
    except UnicodeDecodeError as error:
        raise RrdError("a text in a record batch is not UTF-8") from error


def _check_texts(metadata: dict[bytes, bytes] | None, fields: Iterable[pa.Field[Any]]) -> None:
    for pair in (metadata or {}).items():
        for text in pair:
            text.decode()
    for field in fields:
        # Names are decoded when they are looked at.
        _ = field.name
        kind = field.type
        _check_texts(field.metadata, (kind.field(at) for at in range(kind.num_fields)))


def identity(batch: pa.RecordBatch) -> tuple[Tuid, str]:
    """Chunk id and entity path.

    Raises:
        RrdError: The schema lacks them.
    """
    metadata = batch.schema.metadata or {}
    try:
        return Tuid.parse(metadata[names.CHUNK_ID].decode()), metadata[names.ENTITY_PATH].decode()
    except (KeyError, ValueError) as error:
        raise RrdError(f"a record batch does not say which chunk it is: {error!r}") from error


def _index(
    field: pa.Field[Any], metadata: dict[bytes, bytes], array: pa.Array[Any], position: int
) -> IndexFacts:
    timeline = Timeline(_named(metadata, names.INDEX_NAME, field), timeline_kind(field))
    if array.null_count:
        raise RrdError(f"timeline {field.name!r} has nulls")
    start, end = _range(fixed_width_values(array))
    return IndexFacts(timeline, position, start, end)


def _range(times: npt.NDArray[np.int64]) -> tuple[int, int]:
    # Whether the column says that it is sorted does not matter: it may be wrong.
    if len(times) <= 1:
        only = times.item() if len(times) else 0
        return only, only
    return int(times.min()), int(times.max())


def _component(
    field: pa.Field[Any], metadata: dict[bytes, bytes], array: pa.Array[Any], position: int
) -> ComponentFacts:
    descriptor = component_of(metadata, _named(metadata, names.COMPONENT, field))
    kind = field.type.value_type if pa.types.is_list(field.type) else field.type
    return ComponentFacts(descriptor, position, kind, len(array) - array.null_count)


def _named(metadata: dict[bytes, bytes], key: bytes, field: pa.Field[Any]) -> str:
    """What a column is about: as its metadata says, or else its name."""
    # The name is read in any case: whoever looks at the schema later relies on it.
    name: str = field.name
    given = metadata.get(key)
    return name if given is None else given.decode()
