"""Files of services that run in several processes: a path for each of them, and a lock on each file."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiorerun import process
from aiorerun.errors import SinkOpenError
from aiorerun.sinks.file import FileSink

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_WORKERS: Final = 4096
"""Numbers that ``{worker}`` may stand for."""

_PLACEHOLDER: Final = re.compile(r"\{(\w*)\}")
_KNOWN: Final = frozenset(("pid", "worker"))
_LOCK_BYTE: Final = 1 << 62
"""Where Windows locks a byte: no reader ever gets there."""

_held: weakref.WeakSet[_Lock] = weakref.WeakSet()


def check_template(path: str | os.PathLike[str]) -> str:
    """The text of a path that may hold ``{pid}`` and ``{worker}``.

    Raises:
        ValueError: It holds something else in braces.
    """
    text = os.fspath(path)
    for name in _PLACEHOLDER.findall(text):
        if name not in _KNOWN:
            raise ValueError(
                f"save: {{{name}}} in {text!r} is not understood; {{pid}} stands for the number of the "
                "process and {worker} for the lowest number that no other living process has"
            )
    return text


def filled(template: str, worker: int = 0) -> str:
    """The path of this process."""
    return template.replace("{pid}", str(os.getpid())).replace("{worker}", str(worker))


class WorkerFileSink(FileSink):
    """A file that only one process at a time writes to.

    Args:
        template: The path. ``{pid}`` stands for the number of the process, ``{worker}`` for the lowest number
            from 0 on whose file no other living process writes to.

    ``FileSink`` tells of the other arguments.

    Raises:
        ValueError: There is something else in braces.
    """

    def __init__(self, template: str | os.PathLike[str], **options: Any) -> None:
        self._template = check_template(template)
        super().__init__(filled(self._template), **options)
        self._lock: _Lock | None = None

    def _open(self) -> None:
        if self._lock is not None:
            # An event loop ended while it was opened, and nobody has closed it.
            self._close()
        if "{worker}" in self._template:
            self.path, self._lock = _first_free(self._template)
        else:
            self.path = Path(filled(self._template))
            self._lock = _Lock.take(self.path)
            if self._lock is None:
                raise SinkOpenError(
                    errno.EAGAIN,
                    f"cannot write {str(self.path)!r}: another process, or another part of this one, is "
                    "writing it; put {pid} or {worker} into the path, so that each worker has its own file",
                )
        try:
            super()._open()
        except BaseException:
            self._unlock()
            raise

    def _close(self) -> None:
        try:
            super()._close()
        finally:
            self._unlock()

    def _unlock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()


def _first_free(template: str) -> tuple[Path, _Lock]:
    for worker in range(MAX_WORKERS):
        path = Path(filled(template, worker))
        lock = _Lock.take(path)
        if lock is not None:
            return path, lock
    raise SinkOpenError(errno.EAGAIN, f"cannot write {template!r}: all {MAX_WORKERS} numbers are taken")


class _Lock:
    """A lock on a file, which ends with the process at the latest."""

    __slots__ = ("__weakref__", "_fd")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        _held.add(self)

    @classmethod
    def take(cls, path: Path) -> _Lock | None:
        """Locks a file, which is made if there is none; ``None`` if somebody else has it.

        Raises:
            SinkOpenError: The file cannot be made.
        """
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        try:
            fd = os.open(path, flags, 0o666)
        except OSError as error:
            raise SinkOpenError(
                error.errno, f"cannot create {str(path)!r}: {error.strerror} (its directory must exist)"
            ) from error
        try:
            is_locked = _lock(fd)
        except BaseException:
            os.close(fd)
            raise
        if is_locked:
            return cls(fd)
        os.close(fd)
        return None

    def release(self) -> None:
        """Lets others have the file."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _lock(fd: int) -> bool:
    """Whether the file is ours; where file systems know no locks, everybody's is."""
    try:
        _system_lock(fd)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK, errno.EDEADLK)
    return True


def _find_system_lock() -> Callable[[int], None]:
    try:
        import fcntl
    except ImportError:
        import msvcrt

        windows: Any = msvcrt

        def lock_byte(fd: int) -> None:
            os.lseek(fd, _LOCK_BYTE, os.SEEK_SET)
            windows.locking(fd, windows.LK_NBLCK, 1)

        return lock_byte

    def lock_whole(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    return lock_whole


_system_lock: Final = _find_system_lock()


def _forget_in_child() -> None:
    """A forked child lets go: the lock lasts until the last process that has it is gone."""
    for lock in list(_held):
        with contextlib.suppress(OSError):
            lock.release()


process.on_fork.append(_forget_in_child)
