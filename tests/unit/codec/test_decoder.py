"""Reading streams: in pieces, cut off, joined, damaged, hostile."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given, strategies as st

from aiorerun.codec.chunk_arrow import to_record_batch
from aiorerun.codec.decoder import RrdDecoder, iter_chunks, iter_messages, read_chunks
from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import MESSAGE_HEADER, MessageKind, stream_header
from tests.unit.codec.building import BLUEPRINT, STORE, messages_of, scalar_chunk, stream_of

CHUNKS = [scalar_chunk("/a"), scalar_chunk("/b", [3, 1, 2])]
STREAM = stream_of(messages_of(*CHUNKS))
UNFINISHED = stream_of(messages_of(*CHUNKS), write_footer=False)
ENDS = [each.offset + len(each.payload) for each in iter_messages(STREAM)]
EMPTY_END = MESSAGE_HEADER.pack(0, 0)


def paths(data: bytes) -> list[str]:
    return [each.batch.schema.metadata[b"rerun:entity_path"].decode() for each in read_chunks(data)]


def test_chunks_come_back_as_they_were() -> None:
    found = read_chunks(STREAM)
    assert [each.store for each in found] == [STORE, STORE]
    for each, made in zip(found, CHUNKS, strict=True):
        assert each.batch.equals(to_record_batch(made), check_metadata=True)


def test_every_cut_gives_exactly_the_complete_messages() -> None:
    for cut in range(len(STREAM) + 1):
        found = list(iter_messages(STREAM[:cut]))
        assert len(found) == sum(end <= cut for end in ENDS)


def test_every_cut_in_two_pieces_gives_all_messages() -> None:
    whole = [bytes(each.payload) for each in iter_messages(STREAM)]
    for cut in range(0, len(STREAM), 7):
        decoder = RrdDecoder()
        found = decoder.feed(STREAM[:cut]) + decoder.feed(STREAM[cut:])
        assert [bytes(each.payload) for each in found] == whole
        assert [each.offset + len(each.payload) for each in found] == ENDS
        assert decoder.waiting == 0


@given(st.lists(st.integers(1, 900), max_size=40))
def test_pieces_of_any_size(sizes: list[int]) -> None:
    decoder = RrdDecoder()
    data = STREAM + UNFINISHED + STREAM
    found = []
    position = 0
    for size in [*sizes, len(data)]:
        found += decoder.feed(data[position : position + size])
        position += size
        complete = sum(each <= position for each in ends_of_all)
        assert len(found) == complete
    assert decoder.version == (0, 41, 0)


ends_of_all = [
    *ENDS,
    *(len(STREAM) + end for end in ENDS[:-1]),
    *(len(STREAM) + len(UNFINISHED) + end for end in ENDS),
]


def test_a_long_message_in_many_pieces_is_joined_once() -> None:
    length = 4 << 20
    data = stream_header() + MESSAGE_HEADER.pack(MessageKind.ARROW_MSG, length) + bytes(length)
    decoder = RrdDecoder()
    found = []
    for start in range(0, len(data), 1000):
        found += decoder.feed(data[start : start + 1000])
        if not found:
            # Nothing is joined before all of it is there.
            assert len(decoder._parts) >= start // 1000 - 1
    assert [len(each.payload) for each in found] == [length]


def test_streams_one_after_the_other() -> None:
    assert paths(STREAM + STREAM) == ["/a", "/b"] * 2
    assert paths(UNFINISHED + STREAM) == ["/a", "/b"] * 2
    assert paths(stream_of([]) + STREAM) == ["/a", "/b"]
    assert paths(STREAM + stream_header() + UNFINISHED) == ["/a", "/b"] * 2
    assert paths(UNFINISHED + EMPTY_END + STREAM) == ["/a", "/b"] * 2


def test_ends_of_all_kinds() -> None:
    assert paths(UNFINISHED) == ["/a", "/b"]
    assert paths(UNFINISHED + EMPTY_END) == ["/a", "/b"]
    assert paths(STREAM[:-5]) == ["/a", "/b"]
    assert paths(STREAM + b"what else there is" * 10) == ["/a", "/b"]
    assert paths(b"") == paths(STREAM[:5]) == paths(STREAM[:12]) == []


def test_what_follows_the_last_footer_is_ignored_in_pieces_too() -> None:
    decoder = RrdDecoder()
    found = decoder.feed(STREAM)
    for _ in range(10):
        found += decoder.feed(b"something else")
    assert len(found) == len(ENDS)
    assert decoder.waiting == 0


def test_messages_of_unknown_kinds_are_passed_over() -> None:
    unknown = MESSAGE_HEADER.pack(17, 5) + b"hello"
    assert paths(UNFINISHED[:12] + unknown + UNFINISHED[12:] + unknown) == ["/a", "/b"]


def header(
    *,
    magic: bytes = b"RRF2",
    version: tuple[int, ...] = (0, 41, 0, 0),
    compression: int = 1,
    serializer: int = 2,
    reserved: int = 0,
) -> bytes:
    return struct.pack("<4s4BBBH", magic, *version, compression, serializer, reserved)


@pytest.mark.parametrize("version", [(0, 23, 0, 0), (0, 41, 0, 0x81), (0, 99, 0, 0), (1, 0, 0, 0)])
def test_versions_that_are_read(version: tuple[int, ...]) -> None:
    decoder = RrdDecoder()
    assert len(decoder.feed(header(version=version, compression=0) + STREAM[12:])) == len(ENDS)
    assert decoder.version == version[:3]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (header(magic=b"RRF1"), "before 0.23"),
        (header(magic=b"RRF0"), "before 0.23"),
        (header(magic=b"RRIO"), "not an RRD stream"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "not an RRD stream"),
        (header(version=(0, 22, 9, 0)), "0.22.9"),
        (header(version=(0, 0, 0, 0)), "0.0.0"),
        (header(serializer=1), "unknown encoding"),
        (header(compression=2), "unknown encoding"),
        (header(reserved=1), "unknown encoding"),
        (header() + MESSAGE_HEADER.pack(2, 1 << 60), "bytes long"),
        (header() + b"garbage " * 3, "bytes long"),
    ],
)
def test_what_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(RrdError, match=message):
        list(iter_messages(data))
    with pytest.raises(RrdError, match=message):
        RrdDecoder().feed(data)


def test_the_longest_message_can_be_chosen() -> None:
    with pytest.raises(RrdError, match="more than the 100"):
        list(iter_messages(STREAM, max_message_bytes=100))


def test_errors_can_be_passed_over() -> None:
    position = ENDS[0] + MESSAGE_HEADER.size
    damaged = bytearray(STREAM)
    damaged[position : position + 10] = b"\xff" * 10
    with pytest.raises(RrdError):
        read_chunks(damaged)
    errors: list[RrdError] = []
    (found,) = iter_chunks(damaged, errors.append)
    assert found.batch.schema.metadata[b"rerun:entity_path"] == b"/b"
    assert len(errors) == 1


def test_stores_are_told_apart() -> None:
    messages = [*messages_of(scalar_chunk()), *messages_of(scalar_chunk("/view"), store=BLUEPRINT)]
    assert [each.store for each in read_chunks(stream_of(messages))] == [STORE, BLUEPRINT]


@given(st.binary(max_size=300), st.integers(0, len(STREAM)))
def test_any_damage_gives_messages_or_our_error(noise: bytes, position: int) -> None:
    data = STREAM[:position] + noise + STREAM[position + len(noise) :]
    with contextlib.suppress(RrdError):
        read_chunks(data)
