"""The parts that are in a directory: which are there, which go, who may add one. All of it blocks."""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import os
from typing import TYPE_CHECKING, Final, NamedTuple

from aiorerun.errors import SinkOpenError
from aiorerun.sinks.locking import lock_file
from aiorerun.sinks.part_names import OPEN_SUFFIX
from aiorerun.sinks.rrd_file import WRITE_FLAGS

if TYPE_CHECKING:
    from pathlib import Path

    from aiorerun.sinks.part_names import PartNames

logger = logging.getLogger("aiorerun")

_ATTEMPTS: Final = 10_000
"""So many names in a row may be taken."""

_NO_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES)


class KeptPart(NamedTuple):
    """A part that is not written to any more, and its size in bytes."""

    path: Path
    size: int


class PartFolder:
    """The parts of one pattern.

    Args:
        names: The pattern.

    Attributes:
        folder: Where they are; absolute from :meth:`claim` on.
        parts: Those that are finished, and those that programs which were killed have left; oldest first.
        nbytes: Their bytes.
    """

    def __init__(self, names: PartNames) -> None:
        self._names = names
        self.folder = names.folder
        self._lock_fd: int | None = None
        self._next = 1
        self._told = False
        self.parts: list[KeptPart] = []
        self.nbytes = 0

    def claim(self) -> None:
        """Locks the pattern and looks which parts there are.

        Raises:
            SinkOpenError: Another sink makes such parts, or the directory cannot be used.
        """
        # What the program does to its working directory later does not matter.
        self.folder = self.folder.absolute()
        while self._lock_fd is None:
            self._lock_fd = self._lock(self.folder / self._names.lock_name)
        try:
            self._scan()
        except BaseException:
            self.release()
            raise

    def _lock(self, path: Path) -> int | None:
        """The descriptor of the lock file; ``None`` if it went away meanwhile, with who had it."""
        folder = str(self.folder)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        except OSError as error:
            raise SinkOpenError(
                error.errno,
                f"cannot create files in {folder!r}: {error.strerror} (the directory must exist)",
            ) from error
        try:
            lock_file(fd)
        except (BlockingIOError, PermissionError) as error:
            os.close(fd)
            raise SinkOpenError(
                error.errno,
                f"another sink writes parts {self._names.pattern!r} into {folder!r}; give each its own name, "
                "in several processes with {pid}",
            ) from error
        except OSError:
            # A file system without locks.
            return fd
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(fd), path.stat()):
                return fd
        os.close(fd)
        return None

    def release(self) -> None:
        """Lets others make such parts."""
        if self._lock_fd is not None:
            with contextlib.suppress(OSError):
                (self.folder / self._names.lock_name).unlink()
        self.forget()

    def forget(self) -> None:
        """Closes the lock file and touches nothing else: in a forked child the parent goes on having it."""
        fd, self._lock_fd = self._lock_fd, None
        if fd is not None:
            os.close(fd)

    def create(self, time: float) -> tuple[Path, int]:
        """Makes the file of the next part; returns its path, which has the suffix, and its descriptor.

        Args:
            time: Now, in seconds since the epoch.

        Raises:
            OSError: It cannot be created.
        """
        first = self._next if self._names.has_index else 1
        for number in range(first, first + _ATTEMPTS):
            final = self.folder / self._names.name(number, time)
            if os.path.lexists(final):
                continue
            path = final.with_name(final.name + OPEN_SUFFIX)
            try:
                fd = os.open(path, WRITE_FLAGS | os.O_EXCL, 0o666)
            except FileExistsError:
                continue
            self._next = number + 1
            return path, fd
        raise FileExistsError(errno.EEXIST, "all names are taken", str(self.folder / self._names.pattern))

    def publish(self, path: Path, size: int) -> Path:
        """Gives a finished part its final name, in one step; what has that name already is left alone.

        Returns:
            The name: another one if it was taken meanwhile.

        Raises:
            OSError: That does not work; the part keeps its name.
        """
        final = path.with_name(path.name.removesuffix(OPEN_SUFFIX))
        stem, suffix = os.path.splitext(final.name)
        for number in itertools.count(2):
            try:
                _rename(path, final)
                break
            except FileExistsError:
                if number > _ATTEMPTS:
                    raise
                final = path.with_name(f"{stem}-{number}{suffix}")
        self.add(final, size)
        return final

    def add(self, path: Path, size: int) -> None:
        """Takes in a part that is not written to any more."""
        self.parts.append(KeptPart(path, size))
        self.nbytes += size

    def trim(self, keep: int | None, room: int | None, spared: int) -> None:
        """Deletes the oldest parts.

        Args:
            keep: So many may stay.
            room: So many bytes may stay.
            spared: So many of the newest stay, whatever room there is.
        """
        while (keep is not None and len(self.parts) > keep) or (
            room is not None and self.nbytes > room and len(self.parts) > spared
        ):
            oldest = self.parts.pop(0)
            self.nbytes -= oldest.size
            try:
                oldest.path.unlink(missing_ok=True)
            except OSError as error:
                if not self._told:
                    self._told = True
                    logger.warning("old part %r cannot be deleted: %s", str(oldest.path), error.strerror)

    def _scan(self) -> None:
        """Finds the parts of former runs. Nobody writes to them: the pattern is locked."""
        found: list[tuple[tuple[int, int], KeptPart]] = []
        left: list[str] = []
        for entry in os.scandir(self.folder):
            index = self._names.index_of(entry.name.removesuffix(OPEN_SUFFIX))
            if index is None or not entry.is_file(follow_symlinks=False):
                continue
            if entry.name.endswith(OPEN_SUFFIX):
                if _has_two_names(entry.path):
                    continue
                left.append(entry.name)
            status = entry.stat(follow_symlinks=False)
            order = (index, 0) if self._names.has_index else (status.st_mtime_ns, index)
            found.append((order, KeptPart(self.folder / entry.name, status.st_size)))
            if self._names.has_index:
                self._next = max(self._next, index + 1)
        if left:
            logger.warning(
                "%d parts in %r were not finished by the program that wrote them, such as %r: they have no "
                "footer, and are readable up to their last whole message",
                len(left),
                str(self.folder),
                max(left),
            )
        self.parts = [part for _, part in sorted(found)]
        self.nbytes = sum(part.size for part in self.parts)


def _has_two_names(path: str) -> bool:
    """Whether a part was killed between getting its final name and losing the other, which goes now."""
    with contextlib.suppress(OSError):
        if os.path.samefile(path, path.removesuffix(OPEN_SUFFIX)):
            os.unlink(path)
            return True
    return False


def _rename(path: Path, final: Path) -> None:
    """Renames a file, unless the name is taken: that is a ``FileExistsError``."""
    try:
        os.link(path, final)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A file system without hard links; a name that was free a moment ago has to do.
        if os.path.lexists(final):
            raise FileExistsError(errno.EEXIST, "the name is taken", str(final)) from None
        path.rename(final)
    else:
        path.unlink()
