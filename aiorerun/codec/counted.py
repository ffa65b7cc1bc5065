"""LZ4 sequences of what counts up: ids and times of rows that came together.

A sequence is some literal bytes, then a match, which repeats bytes that came before. In numbers that count up
nearly every sequence is one byte that is new, and a match of all others. What these sequences are depends
on the lower 16 bits alone, so they are made once, and cut out of a table from then on.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from aiorerun.types.time_run import TimeBytes
from aiorerun.types.tuid import ROUND, TuidBytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.types.time_run import TimeRun
    from aiorerun.types.tuid import TuidRange

_WIDTH: Final = 8
"""Bytes of a number, of a time as a whole."""
_MIN_MATCH: Final = 4
_WINDOW: Final = 0xFFFF
"""As far back as a match may be."""
_LONG: Final = 15
_ID: Final = 16
"""Bytes of an id: how far back the one before begins."""
_BACK_TO_ID: Final = b"\x10\x00"
_BACK_TO_TIME: Final = b"\x08\x00"


def is_lazy(data: Any) -> bool:
    """Whether bytes are :class:`TuidBytes` or :class:`TimeBytes`, which are not made yet."""
    return type(data) is TuidBytes or type(data) is TimeBytes


def ids_sequences(ids: TuidRange) -> tuple[list[bytes], bytes] | None:
    """What follows a compressed block that ends with the first of these ids: all others.

    Returns:
        Sequences that end with a match, and the bytes they leave for what follows; ``None`` if the ids do not
        begin at a multiple of 65536, or are too few.
    """
    count = len(ids)
    if ids.first % ROUND or count < 2:
        return None
    # A match of four bytes ends the block before, one of eleven follows: all but the last byte of an id.
    parts = [_BACK_TO_ID, b"\x07" + _BACK_TO_ID]
    # Each of the others but the last has a sequence: what is new in it, then what the next one repeats.
    left = count - 2
    value = ids.first
    while left >= 0:
        parts.append(_id_table()[: _end(min(left, ROUND - 2))])
        value += ROUND
        left -= ROUND - 1
        # The last id before a round number repeats fewer bytes than the others; that one has more new ones.
        new = _changed(value)
        if left >= 0:
            parts.append(_sequence(b"\xff", _ID - new, _BACK_TO_ID))
        if left > 0:
            parts.append(_sequence(value.to_bytes(_WIDTH, "big")[-new:], _ID - 1, _BACK_TO_ID))
        left -= 1
    last = ids.first + count - 1
    return parts, last.to_bytes(_WIDTH, "big")[-_changed(last) :]


def times_sequences(run: TimeRun, before: bytes = b"", others: Sequence[TimeRun] = ()) -> list[bytes] | None:
    """Consecutive times, as sequences that end with a match.

    Args:
        run: The times.
        before: Some bytes that come before them.
        others: The times of other timelines that come right before that, as many each.

    Returns:
        The sequences; ``None`` if the times are too few, or more than four bytes change at once somewhere.
    """
    first, count = run.first, run.count
    for distance, other in enumerate(reversed(others), start=1):
        shift = first - other.first
        back = _WIDTH * (distance * count - shift)
        if -count < shift < count and back <= _WINDOW and not before:
            return _repeated(run, shift, back)
    return _steps(first + 1, first + count, before + _bytes(first)) if count > 1 else None


def _repeated(run: TimeRun, shift: int, back: int) -> list[bytes] | None:
    """Times that have come before, so far back; but for as many as they differ by, the first or last ones."""
    first, end = run.first, run.first + run.count
    new = max(-shift, 0)
    literal = _bytes(first) if new else b""
    parts: list[bytes] | None = []
    if new > 1:
        parts, literal = _steps(first + 1, first + new, literal), b""
    last = _steps(end - shift, end, b"") if shift > 0 else []
    if parts is None or last is None:
        return None
    match = _WIDTH * (run.count - abs(shift))
    return [*parts, _long_sequence(literal, match, back.to_bytes(2, "little")), *last]


def _steps(at: int, end: int, before: bytes) -> list[bytes] | None:
    """The sequences of some times, where the time before them is what came last.

    Args:
        at: The first of these times.
        end: The time behind the last one.
        before: The bytes that came last, as far as they have no sequence yet.
    """
    table = _time_table()
    parts: list[bytes] = []
    while at < end:
        low = at % ROUND
        if low and not before:
            count = min(end - at, ROUND - low)
            parts.append(table[_end(low - 1) : _end(low - 1 + count)])
            at += count
            continue
        new = _changed(at)
        if new > _WIDTH - _MIN_MATCH:
            return None
        parts.append(_sequence(before + _bytes(at)[:new], _WIDTH - new, _BACK_TO_TIME))
        before = b""
        at += 1
    return parts


def _bytes(time: int) -> bytes:
    return time.to_bytes(_WIDTH, "little", signed=True)


def _changed(number: int) -> int:
    """How many of its bytes differ from those of the number before."""
    count = 1
    while not number & 0xFF and count < _WIDTH:
        number >>= 8
        count += 1
    return count


def _sequence(literals: bytes, match: int, back: bytes) -> bytes:
    """Some bytes, fewer than 270, and a match of so many, fewer than 19."""
    count = len(literals)
    if count < _LONG:
        return bytes((count << 4 | match - _MIN_MATCH,)) + literals + back
    return bytes((_LONG << 4 | match - _MIN_MATCH, count - _LONG)) + literals + back


def _long_sequence(literals: bytes, match: int, back: bytes) -> bytes:
    """Fewer than 15 bytes, and a match of any length."""
    rest = match - _MIN_MATCH - _LONG
    if rest < 0:
        return _sequence(literals, match, back)
    full, rest = divmod(rest, 255)
    return bytes((len(literals) << 4 | _LONG,)) + literals + back + b"\xff" * full + bytes((rest,))


def _end(number: int) -> int:
    """Where the sequences of the numbers from 1 on end in a table; every 256th takes one byte more."""
    return 4 * number + (number >> 8)


@cache
def _id_table() -> bytes:
    """The sequences of ids whose last two bytes are 1 to 65534: what is new, then what the next repeats."""
    run = b"".join(_sequence(bytes((low,)), _ID - 1, _BACK_TO_ID) for low in range(1, 255))
    last = _sequence(b"\xff", _ID - 2, _BACK_TO_ID)
    rounds = (_sequence(bytes((high, 0)), _ID - 1, _BACK_TO_ID) for high in range(1, 256))
    return run + b"".join(last + each + run for each in rounds)


@cache
def _time_table() -> bytes:
    """The sequences of times whose first two bytes are 1 to 65535: what is new, then what it repeats."""
    run = b"".join(_sequence(bytes((low,)), _WIDTH - 1, _BACK_TO_TIME) for low in range(1, 256))
    rounds = (_sequence(bytes((0, high)), _WIDTH - 2, _BACK_TO_TIME) for high in range(1, 256))
    return run + b"".join(each + run for each in rounds)
