"""Tables: one batch in a stream that says its name."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from aiorerun.widget.tables import encode_table

BATCH = pa.RecordBatch.from_pydict({"a": [1, 2], "b": ["x", "y"]})


class Frame:
    """A frame of another library."""

    def __arrow_c_stream__(self, requested: object = None) -> object:
        return pa.table({"a": [1, 2], "b": ["x", "y"]}).__arrow_c_stream__(requested)


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        (BATCH, 2),
        ([BATCH, BATCH], 4),
        ((BATCH,), 2),
        (pa.Table.from_batches([BATCH, BATCH]), 4),
        (BATCH.slice(0, 0), 0),
        (pa.Table.from_batches([], BATCH.schema), 0),
        (pa.RecordBatchReader.from_batches(BATCH.schema, [BATCH, BATCH]), 4),
        (Frame(), 2),
    ],
    ids=str,
)
def test_tables_become_one_batch(table: Any, rows: int) -> None:
    reader = pa.ipc.open_stream(encode_table("my table", table))
    assert reader.schema.metadata == {b"__table_id": b"my table"}
    batches = list(reader)
    assert [batch.num_rows for batch in batches] == [rows]
    assert batches[0].schema.names == ["a", "b"]


def test_metadata_is_kept() -> None:
    table = pa.table({"a": [1]}).replace_schema_metadata({"mine": "x"})
    schema = pa.ipc.open_stream(encode_table("t", table)).schema
    assert schema.metadata == {b"mine": b"x", b"__table_id": b"t"}


@pytest.mark.parametrize("table", [3, [], [3], {"a": [1]}], ids=str)
def test_what_is_no_table(table: Any) -> None:
    with pytest.raises(TypeError, match="send_table"):
        encode_table("t", table)
