"""Memory for copies of large arrays, used again and again.

Fresh memory of this size comes from the operating system page by page, which costs several times as
much as the copy itself. A block is free when nothing but the pool refers to it, so nobody has to give
anything back.
"""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

MIN_BYTES: Final = 32 << 10
"""Smaller copies are left to the allocator, which keeps such memory itself."""
MAX_POOLED_BYTES: Final = 32 << 20
"""How much memory the pool keeps for all sizes together: a little more than what is under way and what a gRPC
sink keeps until it is confirmed."""
_TRIES: Final = (1, 2)
_SLAB_BYTES: Final = 8 << 20
"""Blocks that many are needed of are made together. For so much memory numpy asks for huge pages, so that the
system brings it in a few steps instead of one for every 4 KiB."""
_FEW: Final = 2
"""With so many blocks of a size in use, more are expected to be needed."""

_has_gil = bool(getattr(sys, "_is_gil_enabled", lambda: True)())


class Pool:
    """Blocks of memory by size class.

    Args:
        max_bytes: How much memory it keeps.
    """

    def __init__(self, max_bytes: int = MAX_POOLED_BYTES) -> None:
        self._max_bytes = max_bytes
        self._pooled_bytes = 0
        self._blocks: dict[int, deque[npt.NDArray[np.uint8]]] = {}

    def take(self, nbytes: int) -> npt.NDArray[np.uint8]:
        """A block of at least this many bytes that nobody uses."""
        # Eight classes per power of two: at most an eighth of a block is left over.
        step = 1 << max(nbytes.bit_length() - 4, 12)
        size = -(-nbytes // step) * step
        blocks = self._blocks.get(size)
        if blocks is None:
            blocks = self._blocks.setdefault(size, deque())
        for _ in _TRIES:
            if not blocks:
                break
            try:
                # Taken out first: two threads never look at the same block.
                block = blocks.popleft()
            except IndexError:
                break
            blocks.append(block)
            # Referred to by the deque, by `block` and by the argument of getrefcount; by a view otherwise.
            if sys.getrefcount(block) == _UNUSED:
                return block
        if self._pooled_bytes + size <= self._max_bytes and _has_gil:
            return self._grow(size, blocks)
        self._forget_unused()
        return np.empty(size, np.uint8)

    def _grow(self, size: int, blocks: deque[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
        """A new block, or the first of several that lie side by side. They are freed together, too."""
        count = _SLAB_BYTES // size
        if len(blocks) < _FEW or count < 2 or self._pooled_bytes + _SLAB_BYTES > self._max_bytes:
            new = [np.empty(size, np.uint8)]
            self._pooled_bytes += size
        else:
            slab = np.empty(_SLAB_BYTES, np.uint8).data
            # Over a memoryview: a part of an array would not be what parts of it refer to.
            new = [np.frombuffer(slab[at : at + size], np.uint8) for at in range(0, count * size, size)]
            self._pooled_bytes += _SLAB_BYTES
        block, *others = new
        # Those in front are looked at first.
        blocks.extendleft(others)
        blocks.append(block)
        return block

    def _forget_unused(self) -> None:
        """Makes room for sizes that are in use now: drops blocks of other sizes that nobody uses."""
        for blocks in list(self._blocks.values()):
            # Taken out first, as in `take`.
            together = _take_together(blocks)
            if together and max(map(sys.getrefcount, together)) == _UNUSED_IN_LIST:
                is_slab = _slab_of(together[0]) is not None
                self._pooled_bytes -= _SLAB_BYTES if is_slab else len(together[0])
            else:
                # Others are looked at next time.
                blocks.extend(together)


def _take_together(blocks: deque[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.uint8]]:
    """Takes out the first block, and those whose memory can only be freed with it."""
    taken: list[npt.NDArray[np.uint8]] = []
    slab: object | None = None
    with contextlib.suppress(IndexError):
        for position in range(len(blocks)):
            block = blocks.popleft()
            if position == 0:
                slab = _slab_of(block)
            if position == 0 or _slab_of(block) is slab:
                taken.append(block)
            else:
                blocks.append(block)
            if slab is None:
                break
    return taken


def _slab_of(block: npt.NDArray[np.uint8]) -> object | None:
    """The memory that a block shares with others."""
    base: Any = block.base
    return None if base is None else base.obj


def _count_unused() -> int:
    """What ``getrefcount`` says of a block that only a deque and one local variable refer to."""
    blocks = deque([np.empty(1, np.uint8)])
    block = blocks[0]
    return sys.getrefcount(block)


_UNUSED: Final = _count_unused()
_UNUSED_IN_LIST: Final = max(map(sys.getrefcount, [np.empty(1, np.uint8)]))
_pool: Final = Pool()


def copied(value: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """A C-contiguous copy of an array in a dtype; nobody else ever writes to it."""
    nbytes = value.size * dtype.itemsize
    if nbytes < MIN_BYTES:
        return value.astype(dtype, "C")
    copy: npt.NDArray[Any] = np.ndarray(value.shape, dtype, _pool.take(nbytes))
    copy[...] = value
    return copy


def raw_copy(value: npt.NDArray[Any]) -> bytes | npt.NDArray[np.uint8]:
    """A copy of the bytes of an array in C order; nobody else ever writes to it."""
    return value.tobytes() if value.nbytes < MIN_BYTES else copied_bytes(value)


def own_raw(array: npt.NDArray[Any]) -> bytes | npt.NDArray[np.uint8]:
    """The bytes of a C-contiguous array that nobody else has."""
    return array.tobytes() if array.nbytes < MIN_BYTES else array.reshape(-1).view(np.uint8)


def copied_bytes(value: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """A copy of the bytes of a large array in C order; nobody else ever writes to it."""
    nbytes = value.nbytes
    copy = _pool.take(nbytes)[:nbytes]
    if value.flags.c_contiguous:
        # Several times cheaper to set up than a copy with axes.
        copy[:] = value.reshape(-1).view(np.uint8)
    else:
        copy.view(value.dtype).reshape(value.shape)[...] = value
    return copy
