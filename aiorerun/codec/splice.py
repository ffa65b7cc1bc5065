"""LZ4 blocks of large messages, put together of pieces that are compressed one by one, or not at all.

An LZ4 block is a list of sequences: some literal bytes, then a match, which repeats four bytes or more that
came before. Only the last sequence has no match. So two blocks become one by adding a match to the last
sequence of the first; for a match of exactly four bytes that is nothing but the two bytes of its distance.
It is therefore enough to cut where the next four bytes have just come, as they do all over data that can be
compressed: in the upper halves of numbers, or between row ids.

What cannot be compressed becomes literals, which are passed on without a copy. No piece needs more memory
than a processor's cache, while for a whole message of a hundred megabytes it takes longer to get memory than
to compress it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from aiorerun.codec.counted import is_lazy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aiorerun.codec.chunk_template import Segment

_PIECE: Final = 1 << 20
"""About how many bytes are compressed in one go."""
_BODY: Final = 256 << 10
"""Segments from this size on are compressed in pieces, or not at all."""
_WINDOW: Final = 4 << 10
"""How far to look for a place to cut."""
_DISTANCES: Final = (16, 8, 4, 12)
"""How far back the next four bytes may have come; half of the sizes of numbers, points and row ids."""
_MATCH: Final = 4
_TAIL: Final = 64
"""The last match begins 12 bytes before the end of a block, or earlier; this is more."""
_MAX_JOINED: Final = 512 << 10
"""More bytes than this between two segments are worth another way of compressing."""
_LONG: Final = 15

_codec: Final = pa.Codec("lz4_raw")


def splice(segments: Sequence[Segment], gains: Callable[[Segment], bool]) -> tuple[list[Segment], int] | None:
    """The bytes of a message as one LZ4 block.

    Args:
        segments: The bytes, in pieces.
        gains: Tells whether compressing a large segment gains anything.

    Returns:
        The block in pieces, and how many bytes it has; ``None`` if the message is not of a kind that is
        worth it, or has no places where it could be cut.
    """
    block = _Block()
    gap: list[Segment] = []
    for segment in segments:
        if len(segment) < _BODY or not gains(segment):
            gap.append(segment[:] if is_lazy(segment) else segment)
            continue
        view: Any = segment if is_lazy(segment) else memoryview(segment)
        cuts = _cuts(view)
        if cuts is None:
            return None
        start, distance = cuts[0]
        gap.append(view[:start])
        if not block.add_gap(gap):
            return None
        for end, next_distance in cuts[1:]:
            block.join(distance)
            block.add_compressed(view[start + _MATCH : end])
            start, distance = end, next_distance
        block.join(distance)
        gap = [view[start + _MATCH :]]
    if not block.add_gap(gap):
        return None
    return block.pieces, block.nbytes


class _Block:
    """An LZ4 block that grows."""

    def __init__(self) -> None:
        self.pieces: list[Segment] = []
        self.nbytes = 0

    def join(self, distance: int) -> None:
        """Repeats the four bytes that came so far back."""
        self._add(distance.to_bytes(2, "little"))

    def add_compressed(self, data: Segment) -> None:
        """Adds bytes, compressed."""
        # A copy of the right size: the memory that was compressed into is used for the next piece again.
        self._add(_codec.compress(data).to_pybytes())

    def add_gap(self, segments: Sequence[Segment]) -> bool:
        """Adds what lies between segments that are compressed; ``False`` if it is too much to be joined."""
        size = sum(map(len, segments))
        if any(len(segment) >= _BODY for segment in segments):
            self._add(literals(size))
            for segment in segments:
                if len(segment):
                    self._add(segment)
            return True
        if size > _MAX_JOINED:
            return False
        self.add_compressed(b"".join(segments))
        return True

    def _add(self, piece: Segment) -> None:
        self.pieces.append(piece)
        self.nbytes += len(piece)


def literals(count: int, match: int = 0) -> bytes:
    """What stands before so many literal bytes, in a sequence whose match has four bytes, or some more."""
    if count < _LONG:
        return bytes((count << 4 | match,))
    full, rest = divmod(count - _LONG, 255)
    return bytes((0xF0 | match,)) + b"\xff" * full + bytes((rest,))


def around(start: bytes, hole: int, end: bytes, more: int) -> tuple[bytes, bytes]:
    """Compresses the bytes around a hole, for bytes that are not known yet.

    Args:
        start: The bytes before it.
        hole: Its size.
        end: The bytes behind it, which other bytes follow:
        more: So many.

    Returns:
        What stands in an LZ4 block before the bytes in the hole, and between them and those that follow;
        behind these comes the distance of a match of four bytes.
    """
    first, second = (_codec.compress(each, asbytes=True) for each in (start, end))
    *_, (at, literal, _) = _sequences(first)
    sequences = list(_sequences(second))
    _, second_literal, match = sequences[0]
    last, last_literal, _ = sequences[-1]
    size = len(first) - literal + hole
    if last == 0:
        # All of the second is literal.
        return first[:at] + literals(size + len(end) + more) + first[literal:], end
    lead = literals(size + match - second_literal, second[0] & _LONG)
    tail = literals(len(second) - last_literal + more) + second[last_literal:]
    return first[:at] + lead + first[literal:], second[second_literal:last] + tail


def _sequences(block: bytes) -> Iterator[tuple[int, int, int]]:
    """Where each sequence of a block, its literal bytes and its match begin; the last has no match."""
    end = 0
    while end < len(block):
        start = end
        count, at = block[start] >> 4, start + 1
        if count == _LONG:
            more, at = _more(block, at)
            count += more
        end = at + count
        yield start, at, end
        end += 2
        if end < len(block) and block[start] & _LONG == _LONG:
            _, end = _more(block, end)


def _more(block: bytes, at: int) -> tuple[int, int]:
    """The rest of a length, and where it ends."""
    total = 0
    while block[at] == 0xFF:
        total += 0xFF
        at += 1
    return total + block[at], at + 1


def _cuts(data: Any) -> list[tuple[int, int]] | None:
    """Where to cut a segment, and how far back the four bytes behind each cut have come.

    The first cut is near the start and the last one near the end; ``None`` if there are none.
    """
    last_window = len(data) - _TAIL - _WINDOW
    first = _cut(data, max(_DISTANCES))
    last = _cut(data, last_window)
    if first is None or last is None:
        return None
    cuts = [first]
    at = first[0] + _PIECE
    while at < last_window - _WINDOW:
        cut = _cut(data, at)
        if cut is not None:
            cuts.append(cut)
        at += _PIECE
    cuts.append(last)
    return cuts


def _cut(data: Any, start: int) -> tuple[int, int] | None:
    """The next place to cut, within a window."""
    before = max(_DISTANCES)
    data = np.frombuffer(data[start - before : start + _WINDOW + _MATCH], np.uint8)
    for distance in _DISTANCES:
        same: Any = data[before:] == data[before - distance : len(data) - distance]
        places = np.flatnonzero(same[:-3] & same[1:-2] & same[2:-1] & same[3:])
        if len(places):
            return start + int(places[0]), distance
    return None
