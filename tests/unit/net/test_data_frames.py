"""Messages cut into DATA frames."""

from __future__ import annotations

import pytest

from aiorerun.net.data_frames import MIN_FRAME, WRITE_SIZE, FrameCutter, blocks
from aiorerun.net.logmsg import Framed

MAX_FRAME = 16_384


def framed(*segments: bytes) -> Framed:
    return Framed(segments, sum(map(len, segments)))


def frames_in(data: bytes) -> list[bytes]:
    """The payloads of DATA frames of stream 7."""
    found = []
    while data:
        size = int.from_bytes(data[:3], "big")
        assert data[3:9] == b"\0\0\0\0\0\7"
        found.append(data[9 : 9 + size])
        assert len(found[-1]) == size
        data = data[9 + size :]
    return found


def cut(messages: list[Framed], limit: int = WRITE_SIZE, max_frame: int = MAX_FRAME) -> list[list[bytes]]:
    """The frames of each turn."""
    cutter = FrameCutter(messages, 7)
    turns = []
    while cutter.ready(1):
        pieces, size, nbytes = cutter.take(limit, max_frame)
        assert nbytes == sum(map(len, pieces))
        turns.append(frames_in(b"".join(pieces)))
        assert sum(map(len, turns[-1])) == size <= limit
        assert size
    assert cutter.taken == sum(message.nbytes for message in messages)
    return turns


def test_many_small_messages_share_frames() -> None:
    messages = [framed(b"%05d" % number, b"x" * 60) for number in range(10_000)]
    turns = cut(messages)
    frames = [frame for turn in turns for frame in turn]
    assert b"".join(frames) == b"".join(segment for message in messages for segment in message.segments)
    assert {len(frame) for frame in frames[:-2]} == {MAX_FRAME}
    assert all(len(frame) >= MIN_FRAME for frame in frames)


@pytest.mark.parametrize(
    "size", [1, 255, 256, 511, 16_383, 16_384, 16_385, 16_639, 16_640, 32_768 + 1, 300_000]
)
def test_no_short_frame_after_a_long_one(size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    frames = [frame for turn in cut([framed(data)]) for frame in turn]
    assert b"".join(frames) == data
    assert all(MIN_FRAME <= len(frame) <= MAX_FRAME for frame in frames) or len(frames) == 1


def test_what_is_left_of_a_window_is_no_short_frame() -> None:
    (first, *_), *rest = cut([framed(b"x" * 100_000)], limit=MAX_FRAME + 100)
    assert len(first) == MAX_FRAME
    assert all(len(frame) >= MIN_FRAME for turn in rest for frame in turn)


def test_tiny_windows() -> None:
    turns = cut([framed(b"x" * 1000)], limit=10)
    assert [len(frame) for turn in turns for frame in turn] == [10] * 100


def test_big_segments_are_not_copied() -> None:
    big = bytes(100_000)
    pieces = list(blocks([framed(b"a", b"b"), framed(b"head", big, b"tail"), framed(b"c")]))
    assert [bytes(piece[:4]) for piece in pieces] == [b"abhe", b"\0\0\0\0", b"tail"]
    assert pieces[1] is big
    assert pieces[2] == b"tailc"


def test_no_more_is_looked_at_than_needed() -> None:
    seen = []

    def endless() -> object:
        for number in range(1_000_000):
            seen.append(number)
            yield framed(b"x" * 1000)

    FrameCutter(endless(), 7).take(1000, MAX_FRAME)  # type: ignore[arg-type]
    assert len(seen) < 1000


def rows_of_a_chunk(count: int, size: int = 12_000) -> Framed:
    return framed(b"head" * 300, *[bytes([number % 256]) * size for number in range(count)], b"tail" * 10)


def test_blocks_that_make_good_frames_are_not_cut() -> None:
    message = rows_of_a_chunk(30)
    pieces, size, nbytes = FrameCutter([message], 7).take(WRITE_SIZE, MAX_FRAME)
    whole = {id(piece) for piece in pieces} & {id(segment) for segment in message.segments}
    # The frame of the head takes the first and a part of the second, the last one takes the tail along.
    assert len(whole) == 27
    assert size == message.nbytes
    assert nbytes == sum(map(len, pieces))
    frames = frames_in(b"".join(pieces))
    assert b"".join(frames) == b"".join(message.segments)
    assert [len(frame) for frame in frames] == [16_384, 8_816, *[12_000] * 27, 12_040]


@pytest.mark.parametrize("size", [8_192, 8_193, 12_000, 16_383, 16_384, 16_385, 20_000, 24_577])
@pytest.mark.parametrize("limit", [3_000, 12_000, 16_384, 16_385, 65_535, 100_000, WRITE_SIZE, 1 << 20])
def test_whatever_the_window_every_byte_comes_once(size: int, limit: int) -> None:
    message = rows_of_a_chunk(60, size)
    frames = [frame for turn in cut([message, message], limit) for frame in turn]
    assert b"".join(frames) == b"".join(message.segments) * 2
    assert all(min(MIN_FRAME, limit) <= len(frame) <= MAX_FRAME for frame in frames)


def test_a_window_that_ends_within_a_block_is_used_up() -> None:
    first, second, *_ = cut([rows_of_a_chunk(30)], 100_000)
    assert sum(map(len, first)) == 100_000
    assert len(first[-1]) < 12_000
    # What is left of the block is a frame by itself or fills the next one; then come whole blocks again.
    assert [len(frame) for frame in second[1:6]] == [12_000] * 5


def test_within_the_limit_of_one_frame_there_is_one() -> None:
    for limit in (12_000, MAX_FRAME):
        assert {len(turn) for turn in cut([rows_of_a_chunk(30)], limit)} == {1}


def test_a_window_of_little_more_than_one_write_is_used_up_at_once() -> None:
    messages = [framed(bytes(4 << 20))]
    little, much = WRITE_SIZE + WRITE_SIZE // 4 - 1, 2 * WRITE_SIZE
    assert FrameCutter(messages, 7).take(little, MAX_FRAME)[1] == little
    assert WRITE_SIZE <= FrameCutter(messages, 7).take(much, MAX_FRAME)[1] < WRITE_SIZE + MAX_FRAME
