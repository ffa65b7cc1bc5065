"""Tables on their way to the viewer: one Arrow stream that says what the table is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from aiorerun.pipeline.dataframes import reader_of

if TYPE_CHECKING:
    from collections.abc import Sequence

TABLE_ID: Final = b"__table_id"
"""The key of the table's name in the metadata of its schema."""


def encode_table(name: str, table: Any) -> bytes:
    """An Arrow IPC stream with all rows of a table in one batch.

    Args:
        name: What the viewer calls it.
        table: A record batch or several in a sequence, or anything that ``send_dataframe`` takes.

    Raises:
        TypeError: It is no table.
    """
    whole = _whole(table)
    schema = whole.schema.with_metadata({**(whole.schema.metadata or {}), TABLE_ID: name.encode()})
    batches = whole.replace_schema_metadata(schema.metadata).combine_chunks().to_batches()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches or [pa.RecordBatch.from_pylist([], schema)]:
            writer.write_batch(batch)
    return bytes(sink.getvalue())


def _whole(table: Any) -> pa.Table:
    if isinstance(table, list | tuple):
        batches: Sequence[Any] = table
        if not batches or not all(isinstance(batch, pa.RecordBatch) for batch in batches):
            raise TypeError("send_table: pass a table, or a list of record batches that is not empty")
        return pa.Table.from_batches(batches)
    try:
        return reader_of(table).read_all()
    except TypeError as error:
        raise TypeError(f"send_table: {str(error).replace('df must', 'table must')}") from None
