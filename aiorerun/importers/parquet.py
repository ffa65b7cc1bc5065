"""Parquet files: columns become components, on a timeline that counts the rows."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, ClassVar, Final

from aiorerun.importers.base import FileImporter
from aiorerun.pipeline.columns import CapturedColumn, ColumnBlock
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.encoding import ARROW
from aiorerun.types.entity_path import normalize_entity_path, split_entity_path
from aiorerun.types.timeline import Timeline, TimelineKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from aiorerun.importers.base import Imported, ImportSettings

ROW_INDEX: Final = Timeline("row_index", TimelineKind.SEQUENCE)
"""The timeline of the rows."""

BATCH_ROWS: Final = 1024
"""Rows that become one chunk per entity."""


class ParquetImporter(FileImporter):
    """Every column is an entity; columns with the same text before their first ``_`` are one, as a struct."""

    name: ClassVar[str] = "Parquet"
    extensions: ClassVar[frozenset[str]] = frozenset({"parquet"})

    def items(self, path: Path, contents: bytes | None, settings: ImportSettings) -> Iterator[Imported]:
        import numpy as np
        import pyarrow.parquet as pq

        source = path.open("rb") if contents is None else io.BytesIO(contents)
        with source, pq.ParquetFile(source) as file:
            groups = columns_by_entity(file.schema_arrow.names)
            start = 0
            for batch in file.iter_batches(BATCH_ROWS):
                rows = np.arange(start, start + batch.num_rows, dtype=np.int64)
                start += batch.num_rows
                for prefix, columns in groups.items():
                    entity_path = settings.below_prefix(split_entity_path(normalize_entity_path(prefix)))
                    component, values = _component(batch, columns)
                    column = CapturedColumn(ComponentDescriptor(component), None, (ARROW, values))
                    yield ColumnBlock.of(entity_path, [(ROW_INDEX, rows)], [column], batch.num_rows)


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
