"""Scratch space on disk for what would take too much memory: the tables of very large recordings."""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from typing import BinaryIO

    import numpy.typing as npt

_STEP: Final = 1 << 20


class Scratch:
    """A temporary file that parts are appended to, and that arrays live in.

    Args:
        file: Open for reading and writing, unbuffered, empty; nobody else uses it.
    """

    __slots__ = ("_end", "file")

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self._end = 0

    @property
    def end(self) -> int:
        """Where the next part begins."""
        return self._end

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Writes a part at the end, or, with an error, nothing.

        Raises:
            OSError: The disk is full, for instance.
        """
        self.file.seek(self._end)
        view = memoryview(data).cast("B")
        written = 0
        while written < len(view):
            written += self.file.write(view[written : written + (_STEP << 4)])
        self._end += len(view)

    def read(self, start: int, nbytes: int) -> bytes:
        """Some bytes of a part."""
        self.file.seek(start)
        pieces: list[bytes] = []
        while nbytes:
            piece = self.file.read(nbytes)
            pieces.append(piece)
            nbytes -= len(piece)
        return b"".join(pieces)

    def array(self, dtype: npt.DTypeLike, count: int) -> npt.NDArray[Any]:
        """An array of zeros, in pages of the file: the system writes them out when memory is short.

        Raises:
            OSError: There is no room for it.
        """
        kind = np.dtype(dtype)
        nbytes = max(1, count * kind.itemsize)
        start = -(-self._end // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        # The room is taken now: a page that cannot be written later would kill the process.
        _reserve(self.file, start, nbytes)
        self._end = start + nbytes
        return np.frombuffer(mmap.mmap(self.file.fileno(), nbytes, offset=start), kind, count)

    def view(self, start: int) -> memoryview:
        """Everything from a byte on to the end, as pages of the file; that byte is where a page begins."""
        return memoryview(mmap.mmap(self.file.fileno(), self._end - start, offset=start))

    def start_page(self) -> int:
        """Goes on at the next page; returns where that is."""
        self._end = -(-self._end // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        return self._end

    def close(self) -> None:
        """Gives the space back, once no array uses it any more."""
        self.file.close()


def _reserve(file: BinaryIO, start: int, nbytes: int) -> None:
    reserve = getattr(os, "posix_fallocate", None)
    if reserve is not None:
        reserve(file.fileno(), start, nbytes)
        return
    file.seek(start)
    zeros = bytes(_STEP)
    file.writelines(zeros[: min(_STEP, nbytes - position)] for position in range(0, nbytes, _STEP))
