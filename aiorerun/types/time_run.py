"""Consecutive times: those of rows that count frames or steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiorerun.types.time import I64_MAX, I64_MIN
from aiorerun.types.tuid import MANY_IDS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_BLOCK: Final = 1 << 14
"""So many numbers are compared in one go, by their bytes: what that takes stays in a processor's cache."""
_WIDTH: Final = 8


class TimeRun:
    """Consecutive numbers, one per row. Takes no memory.

    Args:
        first: The first number.
        count: How many there are. All of them fit 64 bits.
    """

    __slots__ = ("count", "first")

    def __init__(self, first: int, count: int) -> None:
        self.first = first
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, part: slice) -> TimeRun:
        start, end, _ = part.indices(self.count)
        return TimeRun(self.first + start, max(end - start, 0))

    def part(self, start: int, end: int) -> npt.NDArray[np.int64]:
        """Some of the numbers."""
        import numpy as np

        last = self.first + end
        if last <= I64_MAX:
            return np.arange(self.first + start, last, dtype=np.int64)
        # The end is one more than fits.
        return np.arange(start - end, 0, dtype=np.int64) + np.int64(I64_MAX) + np.int64(1)

    def values(self) -> npt.NDArray[np.int64]:
        """All numbers."""
        return self.part(0, self.count)


def run_of(values: Any) -> TimeRun | None:
    """What the numbers of many frames or steps are as a rule: a run, which needs no copy.

    Args:
        values: An array or a range of them; anything else is none.
    """
    import numpy as np

    if type(values) is np.ndarray and values.ndim == 1 and len(values) >= MANY_IDS:
        return _run_of_array(values)
    if type(values) is range and values.step == 1:
        # The length of long ones cannot be asked for.
        count = values.stop - values.start
        fits = values.start >= I64_MIN and values.stop - 1 <= I64_MAX
        return TimeRun(values.start, count) if count >= MANY_IDS and fits else None
    return None


def _run_of_array(values: npt.NDArray[Any]) -> TimeRun | None:
    dtype = values.dtype
    if dtype.char not in "lq" or dtype.itemsize != _WIDTH or not dtype.isnative:
        return None
    count = len(values)
    first: int = values.item(0)
    # Enough for nearly all that are not.
    if values.item(-1) - first != count - 1 or first < I64_MIN:
        return None
    run = TimeRun(first, count)
    if count <= _BLOCK:
        return run if run.values().tobytes() == values.tobytes() else None
    for start in range(0, count, _BLOCK):
        end = min(start + _BLOCK, count)
        if run.part(start, end).tobytes() != values[start:end].tobytes():
            return None
    return run


class TimeBytes:
    """The little-endian bytes of consecutive times, made when they are asked for; its slices are bytes."""

    __slots__ = ("run",)

    def __init__(self, run: TimeRun) -> None:
        self.run = run

    def __len__(self) -> int:
        return _WIDTH * self.run.count

    def __getitem__(self, part: slice) -> bytes:
        start, end, _ = part.indices(len(self))
        first = start // _WIDTH
        numbers: Any = self.run.part(first, max(-(-end // _WIDTH), first))
        skipped = first * _WIDTH
        data: bytes = numbers.astype("<i8", copy=False).tobytes()
        return data[start - skipped : end - skipped]
