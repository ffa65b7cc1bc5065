"""Damaged and hostile files: our own error, no hang, no crash of pyarrow, bounded memory."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import time
import tracemalloc
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

import aiorerun as rr
from aiorerun.codec.chunk import encode_batch
from aiorerun.codec.chunk_index import chunk_index
from aiorerun.codec.compression import LZ4
from aiorerun.codec.decode_messages import ArrowMsg, decode_message
from aiorerun.codec.decoder import iter_messages
from aiorerun.codec.framing import MESSAGE_HEADER, MessageKind, stream_header
from aiorerun.codec.messages import Message, arrow_msg_head, chunk_message
from aiorerun.pipeline.chunk import Chunk, ComponentData
from aiorerun.sync import recording as reading
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.flat_arrow import flatten
from tests.faults.reading_damage import SLOWEST_SECS, arrow_stream
from tests.unit.codec.building import (
    FRAME,
    POSITION_TYPE,
    POSITIONS,
    STORE,
    announcement,
    chunk,
    component,
    index,
    messages_of,
    scalar_chunk,
    stream_of,
)
from tests.unit.codec.flat_tables import schema_stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Sized

PROCESSES = 2


def varied(folder: Path) -> list[Path]:
    """Streams with much in little: types of all kinds, with and without a footer."""
    chunks = [
        scalar_chunk("/a", range(20)),
        chunk(
            "/nested",
            3,
            [index(FRAME, [1, 2, 3])],
            [
                component(POSITIONS, [[[1, 2, 3]], None, [[4, 5, 6]] * 2], POSITION_TYPE),
                component("text", [["a", "bc"], [], None], pa.string()),
                component("struct", [[{"a": 1, "b": ["x"]}], [], []], pa.struct(
                    [("a", pa.int8()), ("b", pa.list_(pa.large_string()))])),
                component("union", [[1], [2], []], pa.int16()),
                component("dictionary", [["x"], ["y"], ["x"]], pa.dictionary(pa.int8(), pa.string())),
                component("view", [["x" * 30], ["y"], ["z" * 20]], pa.string_view()),
                component("map", [[[("k", 1)]], [], []], pa.map_(pa.string(), pa.int32())),
                component("nothing", [[None], [], [None, None]], pa.null()),
            ],
        ),
        chunk("/static", 1, [], [component("x", [[True]], pa.bool_())]),
    ]  # fmt: skip
    paths = [folder / "whole.bin", folder / "unfinished.bin"]
    paths[0].write_bytes(stream_of(messages_of(*chunks)))
    paths[1].write_bytes(stream_of(messages_of(*chunks), write_footer=False))
    return paths


def test_damaged_files_give_our_own_error_and_nothing_else(tmp_path: Path, sized: Sized) -> None:
    """In processes of their own, so that a crash is seen."""
    count = sized(400, 10_000) // PROCESSES
    files = [str(path) for path in varied(tmp_path)]
    runs = [
        subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error",
                "-m",
                "tests.faults.reading_damage",
                str(first),
                str(count),
                *files,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for first in range(0, count * PROCESSES, count)
    ]
    for run in runs:
        out, err = run.communicate()
        assert run.returncode == 0, err[-3000:]
        result = json.loads(out)
        assert result["read"] + result["refused"] == count
        assert result["refused"] > count // 10
        assert result["slowest"] < SLOWEST_SECS
        # Nothing was made room for that is not in the file: LZ4 alone can make a file 255 times as large.
        assert result["grown"] < 255 * result["largest"] + (16 << 20)


def read_everything(path: Path) -> None:
    for store in reading.load_archive(path).all_recordings():
        for each in store.chunks():
            each.to_record_batch()


def refused(path: Path, message: str) -> None:
    """The file is refused at once, without taking much memory."""
    tracemalloc.start()
    pool = pa.default_memory_pool()
    pooled = pool.bytes_allocated()
    start = time.perf_counter()
    with pytest.raises(rr.RrdError, match=message):
        read_everything(path)
    assert time.perf_counter() - start < 2
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    assert pool.bytes_allocated() - pooled < 8 << 20


def chunk_of(stream: bytes) -> bytes:
    """A message that holds some Arrow stream."""
    payload = arrow_msg_head(STORE, 1, len(stream), len(stream)) + stream
    return MESSAGE_HEADER.pack(MessageKind.ARROW_MSG, len(payload)) + payload


def test_a_message_longer_than_anything(tmp_path: Path) -> None:
    path = tmp_path / "long.bin"
    path.write_bytes(stream_header() + MESSAGE_HEADER.pack(2, 1 << 62) + bytes(100))
    refused(path, "bytes long")


def test_a_message_longer_than_the_file_is_incomplete(tmp_path: Path) -> None:
    path = tmp_path / "cut.bin"
    path.write_bytes(stream_header() + MESSAGE_HEADER.pack(2, 3 << 30) + bytes(100))
    assert reading.load_archive(path).num_recordings() == 0


def test_a_chunk_that_claims_to_inflate(tmp_path: Path) -> None:
    path = tmp_path / "inflate.bin"
    payload = arrow_msg_head(STORE, LZ4, 3 << 30, 1000) + bytes(1000)
    path.write_bytes(stream_header() + MESSAGE_HEADER.pack(2, len(payload)) + payload)
    refused(path, "claims to have 3221225472 bytes in 1000")


def test_a_buffer_that_claims_to_inflate(tmp_path: Path) -> None:
    """Arrow would make room for what a compressed buffer says before it looks at it."""
    batch = pa.record_batch({"x": pa.array(range(10_000))})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(batch)
    stream = bytearray(sink.getvalue())
    claim = struct.pack("<q", 80_000)
    stream[stream.index(claim) : stream.index(claim) + 8] = struct.pack("<q", 1 << 45)
    path = tmp_path / "buffer.bin"
    path.write_bytes(stream_header() + chunk_of(bytes(stream)))
    refused(path, "are accepted")


def test_a_column_of_nothing_that_claims_to_be_long(tmp_path: Path) -> None:
    made = chunk("/a", 1, [], [component("x", [[None]], pa.null())])
    data = stream_of([announcement(), chunk_message(STORE, made)], write_footer=False)
    (*_, raw) = iter_messages(data)
    message = decode_message(raw.kind, raw.payload)
    assert isinstance(message, ArrowMsg)
    stream = bytearray(arrow_stream(message))
    # The last node of the batch: one instance, which is null.
    node = struct.pack("<qq", 1, 1)
    at = stream.rindex(node)
    stream[at : at + 16] = struct.pack("<qq", 1 << 40, 1 << 40)
    path = tmp_path / "long.bin"
    path.write_bytes(stream_header() + chunk_of(bytes(stream)))
    refused(path, "longer than its bytes allow")


def test_a_schema_whose_fields_share_their_bytes(tmp_path: Path) -> None:
    """Many entries that point to one field would become as many fields, each with a copy of its long name."""
    path = tmp_path / "shared.bin"
    path.write_bytes(stream_header() + chunk_of(schema_stream(fields=10_000, name=b"x" * 10_000)))
    refused(path, "more than its bytes can hold")


def test_fields_without_end(tmp_path: Path) -> None:
    payload = bytes((0x78, 0)) * 500_000
    path = tmp_path / "fields.bin"
    path.write_bytes(stream_header() + MESSAGE_HEADER.pack(2, len(payload)) + payload)
    refused(path, "more than 1024 fields")


SIZE = 8 << 20


def lz4_message(made: Chunk) -> Message:
    """A chunk as the official SDK writes it: compressed, whether that gains something or not."""
    batch = encode_batch(made)
    data = pa.Codec("lz4_raw").compress(b"".join(batch.segments), asbytes=True)
    head = arrow_msg_head(STORE, LZ4, batch.nbytes, len(data))
    facts = chunk_index(made, batch.columns, batch.nbytes)
    return Message(MessageKind.ARROW_MSG, (head, data), len(head) + len(data), made.num_rows, facts, STORE)


@pytest.mark.parametrize("encode", [lz4_message, partial(chunk_message, STORE)], ids=["lz4", "ours"])
@pytest.mark.parametrize("footer", [False, True])
@pytest.mark.parametrize("noise", [False, True])
def test_scanning_holds_two_messages_at_most(
    tmp_path: Path, encode: Callable[[Chunk], Message], footer: bool, noise: bool
) -> None:
    """Python's own memory and Arrow's pool, together, at the largest moment."""
    generator = np.random.default_rng(1)

    def made(number: int) -> Message:
        values = generator.integers(0, 255, SIZE, np.uint8) if noise else np.zeros(SIZE, np.uint8)
        data = ComponentData(
            ComponentDescriptor("x"), np.array([0, SIZE], np.int32), flatten(pa.array(values))
        )
        return encode(chunk("/a", 1, [index(FRAME, [number])], [data]))

    path = tmp_path / "large.bin"
    path.write_bytes(stream_of([announcement(), *map(made, range(5))], write_footer=footer))
    assert SIZE <= peak_of(path) <= 2 * SIZE + (1 << 20)


def peak_of(path: Path) -> int:
    """The most memory that reading a file takes, in Python's and in Arrow's own heap, added up."""
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    peak = 0
    tracemalloc.start()

    def look(*_: object) -> None:
        nonlocal peak
        now = tracemalloc.get_traced_memory()[0] + pool.bytes_allocated() - before
        peak = max(peak, now)

    sys.setprofile(look)
    try:
        read_everything(path)
    finally:
        sys.setprofile(None)
        tracemalloc.stop()
    return peak
