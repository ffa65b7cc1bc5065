"""Files that are there when they are complete, and not at all otherwise."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiorerun.codec.rrd import RrdEncoder
from aiorerun.sinks.rrd_file import write_all
from aiorerun.sinks.scratch import scratch_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.codec.messages import Message
    from aiorerun.types.store import StoreId

STANDARD_OUTPUT: Final = "-"

_JOINED_BYTES: Final = 1 << 20
_JOINED_SEGMENTS: Final = 500
"""So much is written in one call."""


class OutputSet:
    """Files that appear under their names together, when all of them are complete.

    Until then they have hidden names in the folders where they will be. Used as a context manager, an error
    in the body removes them.

    Args:
        force: Whether files that exist are replaced.
    """

    def __init__(self, *, force: bool = False) -> None:
        self._force = force
        self._files: list[tuple[Path, Path]] = []
        self._folders: list[Path] = []

    def check(self, path: Path) -> None:
        """Finds out early that a file is in the way.

        Raises:
            FileExistsError: It exists, and must not be replaced.
        """
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a directory", str(path))
        if not self._force and os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "exists already; --force replaces it", str(path))

    def make_folder(self, path: Path) -> None:
        """Makes a folder and those above it; they go again if the work fails."""
        missing: list[Path] = []
        while not path.exists():
            missing.append(path)
            path = path.parent
        for folder in reversed(missing):
            self._folders.append(folder)
            folder.mkdir(exist_ok=True)

    def new(self, path: Path) -> Path:
        """Where to write what will be at a path; the file is empty, and there already.

        Raises:
            OSError: The file exists, or its folder does not.
        """
        self.check(path)
        hidden = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
        # Noted first: an interrupt may come between the two.
        self._files.append((hidden, path))
        os.close(os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        return hidden

    def drop(self, hidden: Path) -> None:
        """Removes a file that is not to appear after all."""
        self._files = [each for each in self._files if each[0] != hidden]
        hidden.unlink(missing_ok=True)

    def publish(self) -> None:
        """Gives all files their names.

        Raises:
            OSError: One of them came into being meanwhile; then none appears.
        """
        published: list[Path] = []
        try:
            for hidden, path in self._files:
                _move(hidden, path, force=self._force)
                published.append(path)
        except BaseException:
            if not self._force:
                for path in published:
                    path.unlink(missing_ok=True)
            raise
        self._files, self._folders = [], []

    def remove(self) -> None:
        """Removes everything that was made."""
        for hidden, _ in self._files:
            with contextlib.suppress(OSError):
                hidden.unlink()
        for folder in reversed(self._folders):
            # Somebody else may have put something into it.
            with contextlib.suppress(OSError):
                folder.rmdir()
        self._files, self._folders = [], []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.publish()
        finally:
            self.remove()


def _move(hidden: Path, path: Path, *, force: bool) -> None:
    if force:
        # What is replaced must not be lost to a power cut in the next seconds.
        with open(hidden, "rb") as file:
            os.fsync(file.fileno())
        os.replace(hidden, path)
        return
    try:
        # Unlike renaming, this fails if there is such a file.
        os.link(hidden, path)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, "exists already; --force replaces it", str(path)) from None
    except (OSError, NotImplementedError):
        # Not all file systems have links.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "exists already; --force replaces it", str(path)) from None
        os.replace(hidden, path)
    else:
        hidden.unlink()


class RrdWriter:
    """Writes messages into an RRD file with a footer.

    Used as a context manager, the body's end completes it; an error leaves it as it is.

    Args:
        path: The file; it exists and is empty. ``None`` stands for the standard output.
    """

    def __init__(self, path: Path | None) -> None:
        folder = None if path is None else path.parent
        self._fd = os.dup(sys.stdout.fileno()) if path is None else os.open(path, os.O_WRONLY)
        self._encoder = RrdEncoder(lambda: scratch_file(folder))
        self._pending: list[Segment] = list(self._encoder.start())
        self._pending_bytes = 0
        self._stores: dict[StoreId, None] = {}
        self._is_finished = False
        self.num_chunks = 0

    @property
    def nbytes(self) -> int:
        """How many bytes the file has, with what is about to be written."""
        return self._encoder.nbytes

    @property
    def estimated_nbytes(self) -> int:
        """About how many bytes it will have with its footer."""
        return self._encoder.estimated_nbytes

    @property
    def has_footer(self) -> bool:
        """Whether there will be a footer; not if there are too many chunks for one."""
        return not self._encoder.is_too_large

    def write(self, message: Message) -> None:
        """Appends a message.

        Raises:
            OSError: The disk is full, for instance.
        """
        self._pending += self._encoder.encode(message)
        self._pending_bytes += message.nbytes
        if message.index is None:
            self._stores[message.store] = None
        else:
            self.num_chunks += 1
        if self._pending_bytes >= _JOINED_BYTES or len(self._pending) >= _JOINED_SEGMENTS:
            self._flush()

    def finish(self) -> None:
        """Writes the footer, if that has not been done.

        Raises:
            OSError: The disk is full, for instance.
        """
        if self._is_finished:
            return
        self._is_finished = True
        self._pending += self._encoder.finish(self._stores)
        self._flush()

    def close(self) -> None:
        """Closes the file."""
        os.close(self._fd)
        self._encoder.release()

    def _flush(self) -> None:
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        write_all(self._fd, pending)
        self._encoder.settle()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self.close()


class RrdOutput:
    """One RRD file that appears when it is complete; see :class:`RrdWriter` and :class:`OutputSet`.

    Args:
        path: The file; ``-`` is the standard output, where nothing can be taken back.
        force: Whether a file that exists is replaced.

    Raises:
        OSError: When it is entered: the file exists, or its folder does not.
    """

    def __init__(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        self._path = os.fspath(path)
        self._set = OutputSet(force=force)

    def __enter__(self) -> RrdWriter:
        with contextlib.ExitStack() as stack:
            outputs = stack.enter_context(self._set)
            hidden = None if self._path == STANDARD_OUTPUT else outputs.new(Path(self._path))
            writer = stack.enter_context(RrdWriter(hidden))
            self._stack = stack.pop_all()
        return writer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def total_size(paths: Iterable[str | os.PathLike[str]]) -> int:
    """Bytes of files; pipes count nothing."""
    total = 0
    for path in paths:
        with contextlib.suppress(OSError):
            total += os.stat(path).st_size
    return total
