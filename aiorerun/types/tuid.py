"""TUIDs: the 128-bit ids of rows, chunks and messages, ordered by the time they were made."""

from __future__ import annotations

import os
import struct
import time
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

_PACKED: Final = struct.Struct(">QQ")
_HEX_DIGITS: Final = 32
ROUND: Final = 1 << 16
"""Where the ids of many rows begin: at a multiple of this number."""

MANY_IDS: Final = 256
"""So many consecutive ids are better made when they are encoded."""


class Tuid(NamedTuple):
    """A 128-bit id: nanoseconds since the epoch and a counter. Ordered as its big-endian bytes."""

    time_ns: int
    inc: int

    @classmethod
    def from_bytes(cls, data: bytes) -> Tuid:
        """The id whose 16 big-endian bytes these are, as Arrow columns hold them."""
        return cls(*_PACKED.unpack(data))

    @classmethod
    def parse(cls, text: str) -> Tuid:
        """Reads the text form in any letter case, with or without a ``chunk_`` or ``row_`` prefix.

        Raises:
            ValueError: These are not 32 hexadecimal digits.
        """
        digits = text.rpartition("_")[2]
        if len(digits) != _HEX_DIGITS or not digits.isascii() or not digits.isalnum():
            raise ValueError(f"expected {_HEX_DIGITS} hexadecimal digits, got {text!r}")
        try:
            return cls(int(digits[:16], 16), int(digits[16:], 16))
        except ValueError:
            raise ValueError(f"expected {_HEX_DIGITS} hexadecimal digits, got {text!r}") from None

    def to_bytes(self) -> bytes:
        """The 16 big-endian bytes, which sort like the ids."""
        return _PACKED.pack(self.time_ns, self.inc)

    def __str__(self) -> str:
        return f"{self.time_ns:016X}{self.inc:016x}"


def _random_start() -> int:
    # The top bit stays clear, so that the counter never wraps within the life of a process.
    return int.from_bytes(os.urandom(8), "little") >> 1


class TuidSource:
    """Makes ids that are unique, and ascend in the order in which they are asked for.

    Times come from a monotonic clock that is put on the wall clock once, so they never go back. It may
    be used from any thread, and goes on with other ids in a forked child.

    Args:
        clock: A monotonic clock in nanoseconds, by default ``time.perf_counter_ns``.
        wall: The wall clock in nanoseconds since the epoch, by default ``time.time_ns``.
    """

    __slots__ = ("_clock", "_lock", "_next_inc", "_pid", "_wall", "wall_anchor_ns")

    def __init__(
        self, clock: Callable[[], int] = time.perf_counter_ns, wall: Callable[[], int] = time.time_ns
    ) -> None:
        self._clock = clock
        self._wall = wall
        self.reseed()

    def reseed(self) -> None:
        """Starts over at a random counter. Happens by itself in a forked child."""
        # The lock may be held by a thread that does not exist in the child.
        self._lock = Lock()
        self._next_inc = _random_start()
        self.wall_anchor_ns = self._wall() - self._clock()
        self._pid = os.getpid()

    def block(self, count: int, multiple_of: int = 1) -> int:
        """Reserves ``count`` consecutive counter values and returns the first, a multiple of a number."""
        if self._pid != os.getpid():
            self.reseed()
        with self._lock:
            first = -(-self._next_inc // multiple_of) * multiple_of
            self._next_inc = first + count
        return first

    def next(self) -> Tuid:
        """A fresh id."""
        inc = self.block(1)
        return Tuid(self.wall_anchor_ns + self._clock(), inc)

    def row_ids(self, clock_ns: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Fresh ids for rows that were captured at these readings of the clock.

        Args:
            clock_ns: One reading per row, ascending.

        Returns:
            Big-endian uint64 of shape ``(rows, 2)``: the bytes of the ids one after the other.
        """
        import numpy as np

        count = len(clock_ns)
        first = self.block(count)
        if count == 1:
            packed = _PACKED.pack(self.wall_anchor_ns + clock_ns.item(0), first)
            return np.frombuffer(packed, ">u8").reshape(1, 2)
        ids = np.empty((count, 2), ">u8")
        np.add(clock_ns, self.wall_anchor_ns, out=ids[:, 0], casting="unsafe")
        ids[:, 1] = np.arange(first, first + count, dtype=np.uint64)
        return ids

    def row_ids_at(self, clock_ns: int, count: int) -> TuidRange:
        """Fresh ids for rows that were captured together, at one reading of the clock.

        Those of many rows begin at a round number, which makes them easier to compress.
        """
        first = self.block(count, ROUND if count >= MANY_IDS else 1)
        return TuidRange(self.wall_anchor_ns + clock_ns, first, count)


class TuidRange:
    """Consecutive ids of one time: those of rows that were captured together. Takes no memory.

    Args:
        time_ns: The time of all ids.
        first: The counter of the first one.
        count: How many there are.
    """

    __slots__ = ("_count", "_time_ns", "first")

    def __init__(self, time_ns: int, first: int, count: int) -> None:
        self._time_ns = time_ns
        self.first = first
        self._count = count

    def __len__(self) -> int:
        return self._count

    @property
    def time_ns(self) -> int:
        """The time of all ids."""
        return self._time_ns

    def packed(self, row: int) -> bytes:
        """The bytes of one id."""
        return _PACKED.pack(self._time_ns, self.first + row)

    def rows(self, start: int, end: int) -> npt.NDArray[Any]:
        """Some of the ids as they stand in a column: big-endian uint64 of shape ``(rows, 2)``."""
        import numpy as np

        ids = np.empty((end - start, 2), ">u8")
        ids[:, 0] = self._time_ns
        ids[:, 1] = np.arange(self.first + start, self.first + end, dtype=np.uint64)
        return ids

    def all(self) -> npt.NDArray[Any]:
        """All ids as they stand in a column."""
        return self.rows(0, self._count)


class TuidBytes:
    """The bytes of a range of ids, made when they are asked for; its slices are plain bytes."""

    __slots__ = ("ids",)

    def __init__(self, ids: TuidRange) -> None:
        self.ids = ids

    def __len__(self) -> int:
        return _PACKED.size * len(self.ids)

    def __getitem__(self, part: slice) -> bytes:
        start, end, _ = part.indices(len(self))
        first = start // _PACKED.size
        rows = self.ids.rows(first, max(-(-end // _PACKED.size), first))
        skipped = first * _PACKED.size
        return rows.tobytes()[start - skipped : end - skipped]
