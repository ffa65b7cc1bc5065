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

from aiorerun.types.tuid import is_lazy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.types.tuid import TuidRange

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

_NEXT_ID: Final = 16
"""How far back the id of the row before begins."""
_SAME_BYTES: Final = b"\x07\x10\x00"
_BY_LAST_BYTE: Final = b"".join(b"\x1b%c\x10\x00" % i for i in range(1, 255)) + b"\x1a\xff\x10\x00"
"""Sequences for ids that differ from the ones before in the last byte: it, then the next id as far as it is
the same. The last of them stops one byte earlier, as the following id differs in two bytes."""
_ROUND: Final = 1 << 16

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


def literals(count: int) -> bytes:
    """What stands before so many literal bytes, in a sequence whose match has four bytes."""
    if count < _LONG:
        return bytes((count << 4,))
    full, rest = divmod(count - _LONG, 255)
    return b"\xf0" + b"\xff" * full + bytes((rest,))


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


def compressed_ids(ids: TuidRange) -> tuple[bytes, int] | None:
    """What follows a compressed block that ends with the first of these ids: all others.

    Returns:
        Sequences that end with a match, and how many bytes they leave for what follows; ``None`` if the ids
        are too few, too many, or do not begin at a multiple of 65536: then more than two bytes would change.
    """
    count = len(ids)
    if ids.first % _ROUND or not 2 <= count <= _ROUND:
        return None
    parts = [_NEXT_ID.to_bytes(2, "little"), _SAME_BYTES]
    # The last byte of all but the first id and the last one is a literal.
    left = count - 2
    for last_but_one in range(left // 256 + 1):
        if last_but_one:
            parts += (b"\x2b", last_but_one.to_bytes(1), b"\x00\x10\x00")
            left -= 1
        parts.append(_BY_LAST_BYTE[: 4 * left])
        left -= 255
    return b"".join(parts), 1 if (count - 1) % 256 else 2
