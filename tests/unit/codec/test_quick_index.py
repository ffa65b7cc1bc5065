"""What the footer says about a chunk that was read: by Arrow, and without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from aiorerun.codec.batch_index import batch_index
from aiorerun.codec.chunk_arrow import encode_reference, to_record_batch
from aiorerun.codec.chunk_facts import chunk_facts
from aiorerun.codec.decode_messages import ArrowMsg, decode_message
from aiorerun.codec.messages import chunk_message
from aiorerun.codec.quick_index import QuickIndexer
from tests.unit.codec.building import (
    FRAME,
    POSITION_TYPE,
    POSITIONS,
    SCALARS,
    STORE,
    chunk,
    component,
    index,
    scalar_chunk,
)
from tests.unit.recording.making import CLOCK, chunks

if TYPE_CHECKING:
    from aiorerun.pipeline.chunk import Chunk


def learnt(quick: QuickIndexer, made: Chunk) -> bytes:
    """The Arrow stream of a chunk, its schema learnt."""
    data = encode_reference(made)
    with pa.ipc.open_stream(data) as reader:
        batch = reader.read_next_batch()
    quick.learn(data, batch, chunk_facts(batch))
    return data


@pytest.mark.parametrize("made", chunks(), ids=lambda each: each.entity_path)
def test_a_batch_is_described_as_its_writer_did(made: Chunk) -> None:
    message = chunk_message(STORE, made)
    decoded = decode_message(message.kind, memoryview(b"".join(message.segments)))
    assert isinstance(decoded, ArrowMsg)
    batch = decoded.batch(1 << 20)
    assert batch_index(batch, chunk_facts(batch), decoded.uncompressed_size) == message.index


def wide(frames: list[int], values: list[Any]) -> Chunk:
    return chunk(
        "/p",
        len(frames),
        [index(FRAME, frames), index(CLOCK, [-frame for frame in frames])],
        [
            component(POSITIONS, [[[1.0, 2.0, 3.0]] for _ in frames], POSITION_TYPE),
            component("label", values, pa.string()),
            component("deep", [[{"a": [1], "b": b"x"}] for _ in frames], pa.struct(
                [("a", pa.list_(pa.int8())), ("b", pa.binary())])),
        ],
    )  # fmt: skip


@pytest.mark.parametrize("frames", [[5], [3, 1, 2], list(range(100))])
@pytest.mark.parametrize("has_labels", [True, False])
def test_known_schemas_are_described_without_arrow(frames: list[int], has_labels: bool) -> None:
    quick = QuickIndexer()
    learnt(quick, wide(frames, [["a"] for _ in frames]))
    made = wide(frames, [["text"] if has_labels else [] for _ in frames])
    data = encode_reference(made)
    found = quick.describe(data, 1234)
    batch = to_record_batch(made)
    assert found is not None
    assert found.listed == batch_index(batch, chunk_facts(batch), 1234)
    assert (found.id, found.is_static) == (made.id, False)


def test_static_chunks_too() -> None:
    quick = QuickIndexer()
    made = [chunk("/s", 1, [], [component(SCALARS, [[float(each)]], pa.float64())]) for each in range(2)]
    learnt(quick, made[0])
    found = quick.describe(encode_reference(made[1]), 9)
    assert found is not None
    assert found.is_static


def test_what_is_unknown_or_special_is_left_to_arrow() -> None:
    quick = QuickIndexer()
    learnt(quick, scalar_chunk("/a"))
    assert quick.describe(encode_reference(scalar_chunk("/b")), 1) is None
    sparse = chunk("/a", 2, [index(FRAME, [1, 2])], [component(SCALARS, [[1.0], None], pa.float64())])
    assert quick.describe(encode_reference(sparse), 1) is None
    assert quick.describe(b"", 1) is None
    dictionary = pa.dictionary(pa.int8(), pa.string())
    odd = [chunk("/d", 1, [index(FRAME, [1])], [component("x", [["a"]], pa.string())]) for _ in range(2)]
    batches = [to_record_batch(each) for each in odd]
    for position, batch in enumerate(batches):
        column = pa.ListArray.from_arrays([0, 1], pa.array(["a"]).cast(dictionary))
        field = batch.schema.field(2).with_type(column.type)
        schema = batch.schema.set(2, field)
        batches[position] = pa.RecordBatch.from_arrays([*batch.columns[:2], column], schema=schema)
    quick.learn(stream(batches[0]), batches[0], chunk_facts(batches[0]))
    assert quick.describe(stream(batches[1]), 1) is None


def stream(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def test_an_id_that_occurs_twice_is_not_guessed() -> None:
    quick = QuickIndexer()
    batches = []
    for _ in range(2):
        batch = to_record_batch(scalar_chunk("/a"))
        metadata = {b"note": b"chunk_" + b"0" * 32, **batch.schema.metadata}
        batches.append(batch.replace_schema_metadata(metadata))
    quick.learn(stream(batches[0]), batches[0], chunk_facts(batches[0]))
    assert quick.describe(stream(batches[1]), 1) is None


def test_every_damaged_byte_is_noticed_or_harmless() -> None:
    quick = QuickIndexer()
    data = learnt(quick, scalar_chunk("/a", range(4)))
    for position in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(data)
            damaged[position] ^= flip
            # It raises nothing, whatever it finds.
            quick.describe(bytes(damaged), 1)
    for end in range(0, len(data), 3):
        quick.describe(data[:end], 1)
