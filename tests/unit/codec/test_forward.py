"""Chunks that are encoded again as they are, whatever they look like."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from aiorerun.codec.chunk_arrow import to_record_batch
from aiorerun.codec.decode_messages import ArrowMsg, decode_message
from aiorerun.codec.decoder import read_chunks
from aiorerun.codec.errors import RrdError
from aiorerun.codec.forward import forwarded_message
from aiorerun.codec.messages import Message
from tests.unit.codec.building import (
    FRAME,
    STORE,
    announcement,
    chunk,
    component,
    index,
    scalar_chunk,
    stream_of,
)

PLAIN = to_record_batch(scalar_chunk("/a", [1, 2, 3]))


def again(batch: pa.RecordBatch) -> pa.RecordBatch:
    message = forwarded_message(STORE, batch)
    # The footer describes it as well.
    (found,) = read_chunks(stream_of([announcement(), message]))
    decoded = decode_message(message.kind, memoryview(b"".join(message.segments)))
    assert isinstance(decoded, ArrowMsg)
    assert decoded.store == STORE
    return found.batch


def changed(position: int, array: pa.Array[Any] | None = None, **changes: Any) -> pa.RecordBatch:
    """The plain batch with another column or field."""
    field = PLAIN.schema.field(position)
    if array is None:
        array = PLAIN.column(position)
    assert array is not None
    field = pa.field(
        changes.get("name", field.name),
        array.type,
        changes.get("nullable", field.nullable),
        changes.get("metadata", field.metadata),
    )
    schema = PLAIN.schema.set(position, field)
    arrays = list(PLAIN.columns)
    arrays[position] = array
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


CASES: dict[str, pa.RecordBatch] = {
    "plain": PLAIN,
    "foreign schema metadata": PLAIN.replace_schema_metadata(
        {**PLAIN.schema.metadata, b"rerun:segment_id": b"x", b"my": b"own"}
    ),
    "older version": PLAIN.replace_schema_metadata({**PLAIN.schema.metadata, b"sorbet:version": b"0.1.2"}),
    "no version": PLAIN.replace_schema_metadata(
        {key: value for key, value in PLAIN.schema.metadata.items() if key != b"sorbet:version"}
    ),
    "foreign field metadata": changed(2, metadata={**PLAIN.schema.field(2).metadata, b"unit": b"m"}),
    "flag left out": changed(1, metadata={b"rerun:kind": b"index", b"rerun:index_name": b"frame"}),
    "old spelling": changed(1, metadata={b"rerun:kind": b"time"}),
    "not nullable": changed(1, nullable=False),
    "time zone": changed(1, PLAIN.column(1).cast(pa.timestamp("ns", "UTC"))),
    "flat column": changed(2, pa.array([1.5, 2.5, None])),
    "large list": changed(2, pa.array([[1.0], None, []], pa.large_list(pa.float64()))),
    "other item name": changed(
        2, pa.array([[1.0], None, []], pa.list_(pa.field("element", pa.float64(), False)))
    ),
    "dictionary": changed(2, pa.array([["x"], None, []], pa.list_(pa.dictionary(pa.int8(), pa.string())))),
    "views": changed(2, pa.array([["x" * 20], None, []], pa.list_(pa.string_view()))),
    "columns in another order": PLAIN.select(["rerun.controls.RowId", "Scalars:scalars", "frame"]),
    "sliced": PLAIN.slice(1, 2),
    "no rows": PLAIN.slice(0, 0),
    "no components": PLAIN.select(["rerun.controls.RowId", "frame"]),
}


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_changed(name: str) -> None:
    batch = CASES[name]
    found = again(batch)
    assert found.schema.equals(batch.schema, check_metadata=True)
    assert found.equals(batch, check_metadata=True)


def test_claims_to_be_sorted_that_are_wrong_are_taken_back() -> None:
    frames = changed(1, pa.array([3, 1, 2]))
    assert frames.schema.field(1).metadata[b"rerun:is_sorted"] == b"true"
    found = again(frames)
    assert b"rerun:is_sorted" not in found.schema.field(1).metadata
    assert found.schema.field(0).metadata[b"rerun:is_sorted"] == b"true"
    assert found.equals(frames)
    shuffled = changed(0, PLAIN.column(0).take(pa.array([2, 0, 1])))
    found = again(shuffled)
    assert b"rerun:is_sorted" not in found.schema.field(0).metadata
    assert found.equals(shuffled)


def test_the_footer_has_the_true_range_of_times() -> None:
    from aiorerun.codec.chunk_index import record_dtype

    message = forwarded_message(STORE, changed(1, pa.array([3, 1, 2])))
    assert message.index is not None
    record = np.frombuffer(message.index.record, record_dtype(message.index.group))
    assert record["times"].tolist() == [[[1, 3]]]


def test_what_is_no_chunk() -> None:
    with pytest.raises(RrdError, match="does not say which chunk"):
        forwarded_message(STORE, pa.record_batch({"x": [1]}))


def test_rows_are_counted() -> None:
    made = chunk("/a", 4, [index(FRAME, [1, 2, 3, 4])], [component("x", [[1]] * 4, pa.int8())])
    message = forwarded_message(STORE, to_record_batch(made))
    assert isinstance(message, Message)
    assert message.rows == 4
