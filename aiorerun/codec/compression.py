"""LZ4, where it gains something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from aiorerun.codec.counted import ids_sequences, is_lazy, times_sequences
from aiorerun.codec.errors import RrdError
from aiorerun.codec.probing import MIN_GAIN, Habits, is_worth_compressing, sampled_gain
from aiorerun.codec.splice import literals, splice
from aiorerun.types.time_run import TimeBytes

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.types.flat import Buffer
    from aiorerun.types.time_run import TimeRun

NONE: Final = 1
LZ4: Final = 2

MAX_BYTES: Final = 4 << 30
"""By default, the most that one message may take, compressed or not."""

_MAX_LZ4_RATIO: Final = 255
"""An LZ4 block cannot grow by more."""

_MAX_INPUT: Final = 0x7E00_0000
"""More than this an LZ4 block cannot hold."""

_TRIED: Final = 128 << 10
"""Messages up to this size are compressed to see what it gains; longer ones are probed before."""
_SMALL: Final = 16 << 10
_MAX_SCRATCH: Final = 4 << 20
_MAX_SCRATCHES: Final = 2
_SCRATCH_STEP: Final = 512 << 10
"""Scratch memory is made in multiples of this, so that it is seldom replaced by a larger one."""
_AS_BYTES: Final = 512 << 10
"""Messages up to this size are compressed into ``bytes``, longer ones into memory of Arrow's pool. There, a
message keeps the room for the longest outcome until it is written, and the pool keeps the pages of what
another thread lets go of: tens of megabytes, and ever more. But fresh pages for longer ones would take a
tenth of the time."""

_scratch: Final[list[bytearray]] = []
_habits: Final = Habits()

# Blocks without frame or size in front; it keeps no state.
_codec: Final = pa.Codec("lz4_raw")


def compress(
    segments: Sequence[Segment], nbytes: int, source: Hashable = None
) -> tuple[Sequence[Segment], int, int]:
    """Compresses the bytes of a message if that gains something.

    Args:
        segments: The bytes, in pieces.
        nbytes: How many there are.
        source: Whose messages are alike: of a source whose large messages gain nothing, most are not even
            probed. ``None`` stands for no source.

    Returns:
        The bytes to write, how many these are, and how they are compressed. Bytes that are not worth
        compressing come back as they are, without a copy.
    """
    if len(segments) > 1 and is_lazy(segments[1]):
        return _compress_counted(segments, nbytes)
    is_probed = source is not None and nbytes > _TRIED
    if is_probed and _habits.expects_nothing(source):
        return segments, nbytes, NONE
    outcome = (_compress_huge if nbytes > _MAX_SCRATCH else _compress_plain)(segments, nbytes)
    if is_probed:
        _habits.note(source, gained=outcome[2] != NONE)
    return outcome


def _compress_lazy(segments: Sequence[Segment], nbytes: int) -> tuple[Sequence[Segment], int, int]:
    """Compresses bytes some of which may not be made yet."""
    if nbytes > _MAX_SCRATCH:
        return _compress_huge(segments, nbytes)
    return _compress_plain(_plain(segments), nbytes)


def _compress_counted(segments: Sequence[Segment], nbytes: int) -> tuple[Sequence[Segment], int, int]:
    """Compresses a message whose second segment is a range of ids, which need not be made for that.

    The same goes for consecutive times behind it.
    """
    ids: Any = segments[1]
    sequences = ids_sequences(ids.ids)
    if sequences is None or nbytes > _MAX_INPUT:
        return _compress_lazy(segments, nbytes)
    parts, left = sequences
    runs: list[TimeRun] = []
    behind: Sequence[Any] = segments[2:]
    for times in behind:
        more = times_sequences(times.run, left, runs) if type(times) is TimeBytes else None
        if more is None:
            break
        parts += more
        left = b""
        runs.append(times.run)
    rest = behind[len(runs) :]
    if left:
        rest = [left, *rest]
    size = sum(map(len, rest))
    pieces, length, kind = _compress_lazy(rest, size)
    if kind == NONE:
        start = literals(size)
        pieces, length = (start, *pieces), length + len(start)
    before = [_codec.compress(segments[0] + ids.ids.packed(0), asbytes=True), *parts]
    total = sum(map(len, before)) + length
    if total > nbytes * (1 - MIN_GAIN):
        return _plain(segments), nbytes, NONE
    if total <= _MAX_SCRATCH:
        # Parts of longer ones are the same ones again and again, and need no memory of their own.
        before = [b"".join(before)]
    return (*before, *pieces), total, LZ4


def _plain(segments: Sequence[Segment]) -> Sequence[Segment]:
    """Makes the bytes of what is not made yet."""
    return [segment[:] if is_lazy(segment) else segment for segment in segments]


def _compress_huge(segments: Sequence[Segment], nbytes: int) -> tuple[Sequence[Segment], int, int]:
    spliced = splice(segments, _gains) if nbytes <= _MAX_INPUT else None
    if spliced is None:
        plain = _plain(segments)
        return (plain, nbytes, NONE) if nbytes > _MAX_INPUT else _compress_plain(plain, nbytes)
    pieces, size = spliced
    return (_plain(segments), nbytes, NONE) if size > nbytes * (1 - MIN_GAIN) else (pieces, size, LZ4)


def _compress_plain(segments: Sequence[Segment], nbytes: int) -> tuple[Sequence[Segment], int, int]:
    if nbytes <= _SMALL:
        data: Segment = _codec.compress(
            segments[0] if len(segments) == 1 else b"".join(segments), asbytes=True
        )
    else:
        compressed = _compress_large(segments, nbytes)
        if compressed is None:
            return segments, nbytes, NONE
        data = compressed
    if len(data) > nbytes * (1 - MIN_GAIN):
        return segments, nbytes, NONE
    return (data,), len(data), LZ4


def _compress_large(segments: Sequence[Segment], nbytes: int) -> Segment | None:
    """Compresses if it seems to be worth it.

    What comes in several pieces is first copied into memory that is used again: fresh memory would cost
    more than the copy.
    """
    if nbytes > _TRIED and not is_worth_compressing(segments):
        return None
    if len(segments) == 1:
        return _compressed(segments[0])
    # Taken out and put back, so that two threads never share one.
    try:
        scratch = _scratch.pop()
    except IndexError:
        scratch = bytearray()
    if len(scratch) < nbytes:
        scratch = bytearray(-(-nbytes // _SCRATCH_STEP) * _SCRATCH_STEP)
    with memoryview(scratch) as view:
        at = 0
        for segment in segments:
            end = at + len(segment)
            view[at:end] = segment
            at = end
        with view[:nbytes] as whole:
            data = _compressed(whole)
    if len(scratch) <= _MAX_SCRATCH and len(_scratch) < _MAX_SCRATCHES:
        _scratch.append(scratch)
    return data


def _compressed(data: Segment) -> Segment:
    if len(data) <= _AS_BYTES:
        as_bytes: bytes = _codec.compress(data, asbytes=True)
        return as_bytes
    return memoryview(_codec.compress(data)).cast("B")


def decompress(data: Buffer, compression: int, uncompressed_size: int, max_bytes: int = MAX_BYTES) -> Buffer:
    """Undoes :func:`compress`.

    Args:
        data: What was compressed.
        compression: How.
        uncompressed_size: What it says about its size; looked at before room is made for it.
        max_bytes: The most that is accepted.

    Raises:
        RrdError: The data is damaged, too large, or compressed in an unknown way.
    """
    if compression in (0, NONE):
        return data
    if compression != LZ4:
        raise RrdError(f"unknown compression {compression}")
    if uncompressed_size > max_bytes or uncompressed_size > len(data) * _MAX_LZ4_RATIO + 64:
        raise RrdError(f"a message claims to have {uncompressed_size} bytes in {len(data)} compressed ones")
    try:
        whole: pa.Buffer = _codec.decompress(data, decompressed_size=uncompressed_size)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RrdError(f"a message cannot be decompressed: {error}") from error
    return whole


def _gains(data: Segment) -> bool:
    return is_lazy(data) or sampled_gain(data) >= MIN_GAIN
