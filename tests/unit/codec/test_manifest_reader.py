"""Footers that say something wrong are told from those that can be relied on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from aiorerun.codec.compression import decompress
from aiorerun.codec.decoder import iter_messages
from aiorerun.codec.errors import RrdError
from aiorerun.codec.manifest_reader import read_footer
from aiorerun.codec.messages import store_id_payload
from aiorerun.codec.protobuf import bytes_field, fields, varint_field
from aiorerun.types.store import StoreId, StoreKind
from tests.unit.codec.building import STORE, messages_of, stream_of
from tests.unit.recording.making import chunks

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = stream_of(messages_of(*chunks()))
FOOTER = list(iter_messages(DATA))[-1]
END = FOOTER.offset - 16


def parts(message: Any) -> dict[int, Any]:
    return {number: value for number, _, value in fields(message)}


MANIFEST = parts(parts(FOOTER.payload)[1])
SCHEMA: pa.Schema = pa.ipc.read_schema(pa.py_buffer(parts(MANIFEST[2])[1]))
_PART = parts(MANIFEST[4])
TABLE: pa.RecordBatch = pa.ipc.open_stream(decompress(_PART[2], _PART[3], _PART[4])).read_next_batch()


def ipc(content: pa.Schema | pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    is_batch = isinstance(content, pa.RecordBatch)
    with pa.ipc.new_stream(sink, content.schema if is_batch else content) as writer:
        if is_batch:
            writer.write_batch(content)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def footer(
    table: pa.RecordBatch = TABLE, schema: pa.Schema = SCHEMA, store: StoreId = STORE, version: int = 1
) -> bytes:
    data = ipc(table)
    # Neither compressed nor with a size, which is accepted too.
    part = varint_field(1, version) + bytes_field(2, data)
    return bytes_field(
        1,
        bytes_field(1, store_id_payload(store))
        + bytes_field(2, bytes_field(1, ipc(schema)))
        + bytes_field(3, bytes(32))
        + bytes_field(4, part),
    )


def read(payload: bytes) -> Any:
    return read_footer(memoryview(payload), END, 1 << 20)


def changed(name: str, values: Any, kind: pa.DataType | None = None) -> pa.RecordBatch:
    position = TABLE.schema.get_field_index(name)
    old = TABLE.schema.field(position)
    array = pa.array(values, old.type if kind is None else kind)
    return TABLE.set_column(position, pa.field(name, array.type, metadata=old.metadata), array)


def test_what_is_right_is_read() -> None:
    (index,) = read(footer())
    assert index.store == STORE
    assert index.paths == ["/points", "/wave", "/__properties"]
    assert index.num_rows.tolist() == [3, 1, 1, 2, 1]
    assert index.is_static.tolist() == [False, False, True, False, True]
    assert index.on_timeline["frame"].tolist() == [True, True, False, False, False]
    assert index.with_component["label"].tolist() == [True, True, True, False, False]
    assert index.timelines["clock"][1:] == (10, 30)
    # Fields and manifests that are not known are passed over.
    assert len(read(footer() + varint_field(7, 1))) == 1


ROWS = TABLE.num_rows
WRONG: dict[str, Callable[[], bytes]] = {
    "no such encoding": lambda: footer(version=2),
    "no application": lambda: footer(store=StoreId(StoreKind.RECORDING, "", "x")),
    "two of one store": lambda: footer() + footer(),
    "no message": lambda: varint_field(1, 3),
    "no chunks, but timelines": lambda: footer(TABLE.slice(0, 0)) + footer(),
    "a column is missing": lambda: footer(TABLE.drop_columns(["chunk_num_rows"])),
    "a column of another type": lambda: footer(changed("chunk_num_rows", [1] * ROWS, pa.int32())),
    "a null": lambda: footer(changed("chunk_entity_path", [None, *["/a"] * (ROWS - 1)])),
    "outside of the file": lambda: footer(changed("chunk_byte_offset", [END] * ROWS)),
    "before the file": lambda: footer(changed("chunk_byte_offset", [3] * ROWS)),
    "too long": lambda: footer(changed("chunk_byte_size", [1 << 62] * ROWS)),
    "too large a number": lambda: footer(changed("chunk_byte_size", [(1 << 64) - 1] * ROWS)),
    "times of text": lambda: footer(changed("frame:start", ["x"] * ROWS, pa.string())),
    "no end": lambda: footer(changed("frame:end", [None] * ROWS)),
    "a timeline is not in the schema": lambda: footer(schema=SCHEMA.remove(SCHEMA.get_field_index("frame"))),
    "a chunk on no timeline": lambda: footer(
        changed("since:start", [None] * ROWS), SCHEMA.remove(SCHEMA.get_field_index("since"))
    ),
    "a column of nobody": lambda: footer(schema=SCHEMA.append(pa.field("x", pa.int8()))),
    "no schema": lambda: footer().replace(ipc(SCHEMA), bytes(len(ipc(SCHEMA)))),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_noticed(name: str) -> None:
    payload = WRONG[name]()
    with pytest.raises(RrdError):
        read(payload)


def test_a_recording_without_chunks_is_left_to_its_announcement() -> None:
    assert read(footer(TABLE.slice(0, 0))) == []
