"""The stream encoder: framing, footers, undoing, bookkeeping."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from aiorerun.codec.decoder import iter_messages, read_chunks
from aiorerun.codec.framing import MessageKind
from aiorerun.codec.messages import blueprint_activation_message, chunk_message
from aiorerun.codec.rrd import RrdEncoder
from tests.unit.codec.building import (
    BLUEPRINT,
    FRAME,
    STORE,
    announcement,
    chunk,
    component,
    index,
    messages_of,
    scalar_chunk,
    stream_of,
)


def test_an_empty_stream() -> None:
    data = stream_of([])
    assert len(data) == 60
    assert data[:28].hex(" ") == "52 52 46 32 00 29 00 00 01 02 00 00" + " 00" * 16
    assert (
        data[28:] == (28).to_bytes(8, "little") + bytes(8) + bytes.fromhex("7136972a") + b"RRF2FOOT\x01\0\0\0"
    )
    assert stream_of([], write_footer=False) == data[:12]


def test_a_store_without_chunks_has_no_manifest() -> None:
    data = stream_of([announcement()])
    assert data[-60 + 12 :][:16] == bytes(16)
    assert [each.kind for each in iter_messages(data)] == [MessageKind.SET_STORE_INFO, MessageKind.END]


def test_messages_follow_each_other_unchanged() -> None:
    messages = [
        *messages_of(scalar_chunk(), scalar_chunk("/b")),
        *messages_of(scalar_chunk("/view"), store=BLUEPRINT),
        blueprint_activation_message(BLUEPRINT, make_active=True, make_default=False),
    ]
    data = stream_of(messages)
    found = list(iter_messages(data))
    assert [each.kind for each in found] == [*(each.kind for each in messages), MessageKind.END]
    assert [bytes(each.payload) for each in found[:-1]] == [b"".join(each.segments) for each in messages]


def test_without_a_footer_the_stream_ends_after_the_last_message() -> None:
    messages = messages_of(scalar_chunk())
    data = stream_of(messages, write_footer=False)
    assert data.endswith(b"".join(messages[-1].segments))


def test_undone_messages_leave_no_trace() -> None:
    kept = messages_of(scalar_chunk(), scalar_chunk("/b"), scalar_chunk("/a", [1, 2]))
    sparse = chunk("/c", 2, [index(FRAME, [1, 2])], [component("x", [None, [1]], pa.int8())])
    lost = [announcement(), chunk_message(STORE, scalar_chunk()), chunk_message(STORE, sparse)]
    encoder = RrdEncoder()
    pieces = [*encoder.start()]
    for position, message in enumerate(kept):
        for each in lost:
            encoder.encode(each)
        encoder.undo(3)
        pieces += encoder.encode(message)
        for each in lost[: position % 3]:
            encoder.encode(each)
        encoder.undo(position % 3)
    pieces += encoder.finish()
    assert b"".join(pieces) == stream_of(kept)


def test_undoing_everything() -> None:
    encoder = RrdEncoder()
    pieces = [*encoder.start()]
    for message in messages_of(scalar_chunk()):
        encoder.encode(message)
    encoder.undo(2)
    assert encoder.nbytes == 12
    assert b"".join([*pieces, *encoder.finish()]) == stream_of([])


def test_several_encoders_share_messages() -> None:
    messages = messages_of(scalar_chunk(), scalar_chunk("/b"))
    assert stream_of(messages) == stream_of(messages)


def test_chunks_of_many_groups_in_any_order() -> None:
    generator = random.Random(5)
    chunks = [
        scalar_chunk(f"/e{generator.randrange(20)}", range(generator.randrange(1, 4))) for _ in range(300)
    ]
    found = read_chunks(stream_of(messages_of(*chunks)))
    assert [each.batch.schema.metadata[b"rerun:entity_path"].decode() for each in found] == [
        each.entity_path for each in chunks
    ]


def test_the_bookkeeping_is_small() -> None:
    encoder = RrdEncoder()
    encoder.start()
    message = chunk_message(STORE, scalar_chunk())
    for _ in range(10_000):
        encoder.encode(message)
    log = encoder._log
    kept = sum(len(group.records) for group in log.groups) + 8 * len(log._ends) + 8 * len(log._which)
    assert kept / 10_000 < 200
    assert len(log.groups) == 1


@pytest.mark.parametrize("write_footer", [True, False])
def test_the_size_is_known_at_any_time(write_footer: bool) -> None:
    encoder = RrdEncoder(write_footer=write_footer)
    written = 0
    for message in [None, *messages_of(scalar_chunk())]:
        pieces = encoder.start() if message is None else encoder.encode(message)
        written += sum(map(len, pieces))
        assert encoder.nbytes == written
    written += sum(map(len, encoder.finish()))
    assert encoder.nbytes == written


def test_without_a_footer_nothing_is_kept() -> None:
    encoder = RrdEncoder(write_footer=False)
    encoder.start()
    for message in messages_of(*[scalar_chunk()] * 100):
        encoder.encode(message)
        encoder.settle()
    log = encoder._log
    assert (len(log.groups), len(log._ends), len(log._which)) == (0, 0, 0)
    assert not encoder.is_too_large
    assert encoder.finish() == []
