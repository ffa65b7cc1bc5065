"""The blueprints in a file, as rows that can be compared: random ids become numbers."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any, Final

from aiorerun.codec.decoder import read_chunks
from aiorerun.types.store import StoreKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

ID: Final = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def blueprints_in(path: Path) -> list[list[str]]:
    """All rows of each blueprint in a file, the blueprints in the order in which they begin."""
    found: dict[str, list[Row]] = {}
    for store, batch in read_chunks(path.read_bytes()):
        if store.kind is StoreKind.BLUEPRINT:
            found.setdefault(store.recording_id, []).extend(rows_in(batch))
    return [structural(rows) for rows in found.values()]


class Row:
    """A row: where, when, and of each component the descriptor, the type and the instances."""

    def __init__(
        self, path: str, times: dict[str, int], cells: dict[str, Any], kinds: dict[str, Any]
    ) -> None:
        self.path = path
        self.times = times
        self.cells = cells
        self.kinds = kinds


def rows_in(batch: pa.RecordBatch) -> Iterator[Row]:
    """The rows of a chunk."""
    path = batch.schema.metadata[b"rerun:entity_path"].decode()
    for position in range(batch.num_rows):
        times: dict[str, int] = {}
        cells: dict[str, Any] = {}
        kinds: dict[str, Any] = {}
        for field, column in zip(batch.schema, batch.columns, strict=True):
            kind = field.metadata[b"rerun:kind"]
            value = column[position]
            if kind == b"index":
                times[field.name] = 0 if field.name == "log_time" else value.cast("int64").as_py()
            elif kind == b"data" and value.is_valid:
                cells[field.name] = value.as_py()
                kinds[field.name] = (str(field.type), sorted(field.metadata.items()))
        yield Row(path, times, cells, kinds)


class Ids:
    """Random ids, numbered by their place in the blueprint."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows
        self._known: dict[str, str] = {}
        for root in self._cells("/viewport", "ViewportBlueprint:root_container"):
            self._meet_part(f"container/{_uuid(root)}")
        for row in sorted(rows, key=lambda row: row.path):
            for path in row.cells.get("TableColumnPreview:views", ()):
                self._meet(path.rpartition("/")[2])
        for row in sorted(rows, key=lambda row: self.text(row.path)):
            for one in row.cells.get("ActiveVisualizers:instruction_ids", ()):
                self._meet(_uuid(one))

    def _cells(self, path: str, component: str) -> Iterator[Any]:
        for row in self._rows:
            if row.path == path and component in row.cells:
                yield from row.cells[component]

    def _meet(self, one: str) -> None:
        self._known.setdefault(one, f"id{len(self._known)}")

    def _meet_part(self, path: str) -> None:
        self._meet(path.rpartition("/")[2])
        for below in self._cells(f"/{path}", "ContainerBlueprint:contents"):
            self._meet_part(below)

    def text(self, text: str) -> str:
        """A text with numbers instead of the ids in it."""
        return ID.sub(lambda match: self._known.get(match[0], match[0]), text)

    def plain(self, value: Any) -> Any:
        """A value with numbers instead of the ids in it, as bytes too."""
        if isinstance(value, list) and len(value) == 16 and all(isinstance(item, int) for item in value):
            return self.text(_uuid(value))
        if isinstance(value, list):
            return [self.plain(item) for item in value]
        return self.text(value) if isinstance(value, str) else value


def _uuid(octets: list[int]) -> str:
    return str(uuid.UUID(bytes=bytes(octets)))


def structural(rows: list[Row]) -> list[str]:
    """The rows with numbers instead of ids, in an order that is always the same."""
    ids = Ids(rows)
    found = [
        f"{ids.text(row.path)} {sorted(row.times.items())} "
        f"{sorted((name, ids.plain(cell)) for name, cell in row.cells.items())} {sorted(row.kinds.items())}"
        for row in rows
    ]
    assert not any(ID.search(line) for line in found)
    return sorted(found)
