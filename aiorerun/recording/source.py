"""The file that is read: any part of it, from any thread, without moving a position."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import sys
import tempfile
import threading
import weakref
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import FileIO

STANDARD_INPUT: Final = "-"

_COPIED: Final = 1 << 20
"""Bytes that are taken from a pipe at once."""
_PIECE: Final = 1 << 30
"""Systems read no more than about 2 GiB at once."""
_POLL_SECS: Final = 0.05


class Source:
    """A file of which any part can be read. All calls block; any thread may make them.

    Args:
        file: The open file; closed with the source, or when nothing uses the source any more.
        name: What messages call it.
    """

    def __init__(self, file: FileIO, name: str) -> None:
        self.name = name
        self._file = file
        self._lock = threading.Lock()
        self.close: Callable[[], object] = weakref.finalize(self, file.close)

    def size(self) -> int:
        """How many bytes the file has now."""
        return os.fstat(self._descriptor()).st_size

    def read(self, offset: int, size: int) -> bytes:
        """So many bytes, or fewer if the file ends before. The caller has checked that it is so large."""
        pieces: list[bytes] = []
        while size:
            piece = self._read(offset, min(size, _PIECE))
            if not piece:
                break
            offset += len(piece)
            size -= len(piece)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read(self, offset: int, size: int) -> bytes:
        descriptor = self._descriptor()
        if hasattr(os, "pread"):
            return os.pread(descriptor, size, offset)
        with self._lock:
            os.lseek(descriptor, offset, os.SEEK_SET)
            return os.read(descriptor, size)

    def _descriptor(self) -> int:
        if self._file.closed:
            raise ValueError(f"{self.name} is closed; load it again")
        return self._file.fileno()


def open_file(path: str | os.PathLike[str]) -> FileIO:
    """Opens what is to be read; ``-`` is the standard input."""
    if os.fspath(path) == STANDARD_INPUT:
        # Not closed with the copy: it is not ours.
        return open(os.dup(0), "rb", buffering=0)
    return open(path, "rb", buffering=0, opener=_open_without_waiting)


def _open_without_waiting(path: str, flags: int) -> int:
    # Otherwise a named pipe would hold the thread until somebody writes to it.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def name_of(path: str | os.PathLike[str]) -> str:
    """What messages call a file."""
    text = os.fspath(path)
    return "the standard input" if text == STANDARD_INPUT else text


def is_pipe(file: FileIO) -> bool:
    """Whether it can only be read from front to back."""
    return not stat.S_ISREG(os.fstat(file.fileno()).st_mode)


def open_source(path: str | os.PathLike[str], stop: threading.Event | None = None) -> Source:
    """Opens a file for reading any part of it; a pipe is copied to the disk until it ends.

    Args:
        path: The file, a pipe, or ``-`` for the standard input.
        stop: Ends the copying when it is set.

    Raises:
        OSError: It cannot be opened or read.
    """
    file = open_file(path)
    if not is_pipe(file):
        return Source(file, name_of(path))
    with file, contextlib.ExitStack() as on_error:
        copy = on_error.enter_context(tempfile.TemporaryFile(buffering=0))
        while piece := read_pipe(file, _COPIED, stop):
            copy.write(piece)
        on_error.pop_all()
    return Source(copy, name_of(path))


def read_pipe(file: FileIO, size: int, stop: threading.Event | None = None) -> bytes:
    """What a pipe holds, at most so many bytes; waits for something to come.

    Returns:
        The bytes; none at its end, or when ``stop`` is set.
    """
    while stop is None or not stop.is_set():
        piece = read_pipe_for(file, size, _POLL_SECS)
        if piece is not None:
            return piece
    return b""


def read_pipe_for(file: FileIO, size: int, timeout: float) -> bytes | None:
    """What a pipe holds; ``None`` if nothing comes in time (where the system can tell), empty at its end."""
    if sys.platform != "win32" and not select.select([file], [], [], timeout)[0]:
        return None
    return file.read(size)
