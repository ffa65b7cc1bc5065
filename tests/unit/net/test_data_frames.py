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
    assert pieces[1].obj is big
    assert bytes(pieces[2]) == b"tailc"


def test_no_more_is_looked_at_than_needed() -> None:
    seen = []

    def endless() -> object:
        for number in range(1_000_000):
            seen.append(number)
            yield framed(b"x" * 1000)

    FrameCutter(endless(), 7).take(1000, MAX_FRAME)  # type: ignore[arg-type]
    assert len(seen) < 1000
