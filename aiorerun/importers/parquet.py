"""Parquet files: columns become components, on a timeline that counts the rows."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, ClassVar, Final

from aiorerun.importers.base import FileImporter
from aiorerun.pipeline.columns import CapturedColumn, ColumnBlock
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.encoding import ARROW
from aiorerun.types.entity_path import normalize_entity_path, split_entity_path
from aiorerun.types.sorbet import RECORDING_PROPERTIES_PATH
from aiorerun.types.timeline import Timeline, TimelineKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from aiorerun.importers.base import Imported, ImportSettings

ROW_INDEX: Final = Timeline("row_index", TimelineKind.SEQUENCE)
"""The timeline of the rows."""

FILE_METADATA: Final = ComponentDescriptor(
    "file_metadata", "ParquetMetadata", "rerun.components.KeyValuePairs"
)
"""The component for what a file says about itself."""

BATCH_ROWS: Final = 1024
"""Rows that become one chunk per entity."""


class ParquetImporter(FileImporter):
    """Every column is an entity; columns with the same text before their first ``_`` are one, as a struct."""

    name: str = "Parquet"
    extensions: ClassVar[frozenset[str]] = frozenset({"parquet"})

    def items(self, path: Path, contents: bytes | None, settings: ImportSettings) -> Iterator[Imported]:
        """See :class:`aiorerun.importers.base.FileImporter`."""
        import numpy as np
        import pyarrow.parquet as pq

        source = path.open("rb") if contents is None else io.BytesIO(contents)
        with source, pq.ParquetFile(source) as file:
            metadata = _metadata(file.metadata.metadata)
            if metadata is not None:
                yield metadata
            groups = {
                settings.below_prefix(_parts(prefix)): columns
                for prefix, columns in columns_by_entity(file.schema_arrow.names).items()
            }
            start = 0
            for batch in file.iter_batches(BATCH_ROWS):
                rows = np.arange(start, start + batch.num_rows, dtype=np.int64)
                start += batch.num_rows
                for entity_path, columns in groups.items():
                    component, values = _component(batch, columns)
                    column = CapturedColumn(ComponentDescriptor(component), None, (ARROW, values))
                    yield ColumnBlock.of(entity_path, [(ROW_INDEX, rows)], [column], batch.num_rows)


def _metadata(pairs: dict[bytes, bytes] | None) -> ColumnBlock | None:
    """What a file says about itself, as a property of the recording."""
    import pyarrow as pa

    if not pairs:
        return None
    text = pa.field("first", pa.string(), nullable=False), pa.field("second", pa.string(), nullable=False)
    kind = pa.list_(pa.field("item", pa.struct(text), nullable=False))
    items = [
        {"first": key.decode("utf-8", "replace"), "second": value.decode("utf-8", "replace")}
        # Arrow's writers put the schema last, its reader gives it first.
        for key, value in sorted(pairs.items(), key=lambda pair: pair[0] == b"ARROW:schema")
    ]
    column = CapturedColumn(FILE_METADATA, None, (ARROW, pa.array([items], kind)))
    return ColumnBlock.of(RECORDING_PROPERTIES_PATH, [], [column], 1)


def _parts(prefix: str) -> list[str]:
    """The parts of a path that nobody has written as one: white space needs no backslash there."""
    return split_entity_path(normalize_entity_path(prefix)) if "\\" in prefix else prefix.split("/")


def columns_by_entity(names: list[str]) -> dict[str, list[tuple[int, str]]]:
    """Which columns make up an entity: their positions, and what they are called there."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for position, name in enumerate(names):
        prefix, _, rest = name.partition("_")
        if not rest:
            prefix = rest = name
        groups.setdefault(prefix, []).append((position, rest))
    return groups


def _component(batch: pa.RecordBatch, columns: list[tuple[int, str]]) -> tuple[str, pa.Array]:
    """The name of the component that columns make up, and its instances, one per row."""
    import pyarrow as pa

    if len(columns) == 1:
        position, name = columns[0]
        return name, batch.column(position)
    fields = [batch.schema.field(position).with_name(name) for position, name in columns]
    return "data", pa.StructArray.from_arrays([batch.column(at) for at, _ in columns], fields=fields)
