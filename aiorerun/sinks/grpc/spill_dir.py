"""A directory that programs share to keep messages in until a server has confirmed them.

Each sink has a subdirectory of its own, with a lock file that it holds as long as it lives. The subdirectory
of a program that is gone can be locked by another, which takes it over. Everything here blocks.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import xxhash

from aiorerun.errors import SinkOpenError
from aiorerun.sinks.locking import lock_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCK: Final = "lock"
_SEGMENT: Final = re.compile(r"[0-9]{8}\.spill")
_ATTEMPTS: Final = 100
_MAX_NUMBER: Final = 99_999_999


class LeftFile(NamedTuple):
    """A spill file that a program has left behind."""

    path: Path
    size: int


class Owner:
    """A subdirectory that this program holds the lock of.

    Attributes:
        path: The subdirectory.
    """

    def __init__(self, path: Path, lock_fd: int) -> None:
        self.path = path
        self._lock_fd: int | None = lock_fd

    def segment_path(self, number: int) -> Path:
        """Where the file of this number is. Numbers give the order."""
        if number > _MAX_NUMBER:
            raise OverflowError(f"{str(self.path)!r}: too many files")
        return self.path / f"{number:08d}.spill"

    def files(self) -> list[LeftFile]:
        """The files in it, in order."""
        names = sorted(entry.name for entry in os.scandir(self.path) if _SEGMENT.fullmatch(entry.name))
        return [LeftFile(self.path / name, (self.path / name).stat().st_size) for name in names]

    def release(self) -> None:
        """Gives the lock up; removes the subdirectory if no file is left in it."""
        if self._lock_fd is None:
            return
        with contextlib.suppress(OSError):
            if not self.files():
                (self.path / _LOCK).unlink()
                self.path.rmdir()
        self.forget()

    def forget(self) -> None:
        """Closes the lock file and touches nothing else.

        In a forked child this leaves the lock with the parent.
        """
        fd, self._lock_fd = self._lock_fd, None
        if fd is not None:
            os.close(fd)


def claim(directory: Path, target: str) -> Owner:
    """Makes a subdirectory for a sink and locks it.

    Args:
        directory: Where to; made if it is missing.
        target: What the messages are for: files for different targets are never mixed up.

    Raises:
        SinkOpenError: That does not work there.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for _ in range(_ATTEMPTS):
            name = f"{_prefix(target)}{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(4)}"
            path = directory / name
            path.mkdir(mode=0o700)
            owner = _lock(path, os.O_CREAT | os.O_EXCL)
            if owner is not None:
                return owner
            with contextlib.suppress(OSError):
                (path / _LOCK).unlink()
                path.rmdir()
    except OSError as error:
        raise SinkOpenError(
            error.errno, f"spill_dir: cannot keep messages in {str(directory)!r}: {error.strerror}"
        ) from error
    raise SinkOpenError(None, f"spill_dir: {str(directory)!r} cannot be locked")


def take_over(directory: Path, target: str) -> Iterator[Owner]:
    """Locks the subdirectories that programs which are gone have left, oldest first."""
    prefix = _prefix(target)
    for name in sorted(entry.name for entry in os.scandir(directory) if entry.name.startswith(prefix)):
        owner = _lock(directory / name, 0)
        if owner is not None:
            yield owner


def _prefix(target: str) -> str:
    return f"{xxhash.xxh3_64_hexdigest(target.encode())}-"


def _lock(path: Path, flags: int) -> Owner | None:
    """Takes the lock of a subdirectory, unless somebody has it or it vanishes meanwhile."""
    lock = path / _LOCK
    try:
        fd = os.open(lock, os.O_RDWR | flags | getattr(os, "O_CLOEXEC", 0), 0o600)
    except OSError:
        if flags:
            raise
        return None
    try:
        lock_file(fd)
        # The former owner may have removed it in between; then the lock is of a file that nobody sees.
        if os.path.samestat(os.fstat(fd), lock.stat()):
            return Owner(path, fd)
    except OSError:
        pass
    os.close(fd)
    return None
