"""Messages byte by byte."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from aiorerun.codec.chunk import encode_batch
from aiorerun.codec.compression import LZ4, NONE
from aiorerun.codec.decode_messages import ArrowMsg, decode_message
from aiorerun.codec.framing import MessageKind
from aiorerun.codec.messages import (
    Message,
    blueprint_activation_message,
    chunk_message,
    store_info_message,
)
from aiorerun.pipeline.chunk import ComponentData
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.flat import FlatArray
from aiorerun.types.tuid import Tuid
from tests.unit.codec.building import BLUEPRINT, FRAME, STORE, chunk, index, scalar_chunk


def payload(message: Message) -> bytes:
    data = b"".join(message.segments)
    assert len(data) == message.nbytes
    return data


def test_store_info_like_the_dissected_file() -> None:
    made = store_info_message(STORE, Tuid(0x18EA9056986876EB, 0x305723030E3002B0), (3, 11, 7))
    assert payload(made).hex(" ") == (
        "0a 12 09 eb 76 68 98 56 90 ea 18 11 b0 02 30 0e 03 23 57 30 "
        "12 24 12 0f 08 01 12 04 64 65 6d 6f 1a 05 0a 03 61 70 70 "
        "2a 0c 08 02 12 08 0a 06 08 03 10 0b 18 07 32 03 08 80 52"
    )
    assert (made.kind, made.rows, made.index, made.store) == (MessageKind.SET_STORE_INFO, 0, None, STORE)


@pytest.mark.parametrize(
    ("active", "default", "end"),
    [(True, True, "10 01 18 01"), (True, False, "10 01"), (False, True, "18 01")],
)
def test_blueprint_activation(active: bool, default: bool, end: str) -> None:
    made = blueprint_activation_message(BLUEPRINT, make_active=active, make_default=default)
    assert payload(made).hex(" ") == f"0a 10 08 02 12 05 72 65 63 5f 30 1a 05 0a 03 61 70 70 {end}"
    assert made.kind is MessageKind.BLUEPRINT_ACTIVATION_COMMAND


@pytest.mark.parametrize("static", [False, True])
def test_arrow_msg(static: bool) -> None:
    made = scalar_chunk()
    if static:
        made.indexes = ()
    message = chunk_message(STORE, made)
    data = payload(message)
    size = encode_batch(made).nbytes
    assert data.startswith(bytes.fromhex("0a0f080112046465 6d6f1a050a03617070 1002 18"))
    tail = (
        b"\x32\x12\x09" + made.id.time_ns.to_bytes(8, "little") + b"\x11" + made.id.inc.to_bytes(8, "little")
    )
    assert data.endswith(tail + b"\x38" + bytes([static]))
    decoded = decode_message(message.kind, memoryview(data))
    assert isinstance(decoded, ArrowMsg)
    assert (decoded.uncompressed_size, decoded.compression) == (size, LZ4)
    assert (decoded.chunk_id, decoded.is_static, decoded.store) == (made.id, static, STORE)
    assert decoded.batch(1 << 20).num_rows == 1
    assert (message.rows, message.store, message.kind) == (1, STORE, MessageKind.ARROW_MSG)
    assert message.index is not None
    assert "ARROW_MSG" in repr(message)


def test_large_chunks_that_do_not_compress_share_their_memory() -> None:
    noise = np.random.default_rng(1).integers(0, 256, 1_000_000, np.uint8)
    values = FlatArray(pa.uint8(), len(noise), [(len(noise), 0)], [None, noise])
    column = ComponentData(ComponentDescriptor("x"), np.array([0, len(noise)], np.int32), values)
    message = chunk_message(STORE, chunk("/a", 1, [index(FRAME, [1])], [column]))
    assert any(np.shares_memory(np.frombuffer(segment, np.uint8), noise) for segment in message.segments)
    decoded = decode_message(message.kind, memoryview(payload(message)))
    assert isinstance(decoded, ArrowMsg)
    assert decoded.compression == NONE
    assert decoded.uncompressed_size == len(decoded.payload)
    (cell,) = decoded.batch(1 << 21)["x"].to_numpy(zero_copy_only=False)
    assert np.array_equal(cell, noise)
