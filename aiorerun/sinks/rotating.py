"""The rotating file sink: a recording in parts, each of them complete, as many as may stay."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from aiorerun import process
from aiorerun.codec.framing import MessageKind
from aiorerun.config import check_positive
from aiorerun.errors import SinkOpenError
from aiorerun.pipeline.overflow import check_policy
from aiorerun.sinks.parcel import is_property
from aiorerun.sinks.part_folder import PartFolder
from aiorerun.sinks.part_names import PartNames
from aiorerun.sinks.queued import check_max_queued_bytes
from aiorerun.sinks.resident import RESIDENT_BYTES, Resident
from aiorerun.sinks.rrd_file import RrdFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aiorerun.codec.messages import Message
    from aiorerun.pipeline.overflow import OverflowPolicy
    from aiorerun.sinks.base import SinkContext

logger = logging.getLogger("aiorerun")

_HEADER_BYTES: Final = 16
"""What a message takes in a file beside its bytes."""


class RotatingFileSink:
    """Writes a recording to one file after the other: the next begins when the last is large or old enough.

    Each part is a recording in itself: it begins with the announcement, the properties, the blueprints and
    the static data that were logged so far, the newest of each entity and set of components, and ends with a
    footer. Chunks keep their ids, so that all parts together, merged by ``rerun rrd merge`` or opened at
    once, are the recording as one file would hold it.

    The part that is being written has a name that ends in ``.part``, and can be read like any file that
    grows. When it is finished it gets its final name in one step; no file is ever overwritten. A part that
    still ends in ``.part`` after a crash lacks its footer, and is readable up to its last whole message.

    Parts of former runs with the same pattern count: numbers go on behind theirs, and they are the first to
    be deleted. Nothing else in the directory is touched. Two sinks with one pattern are an error; processes
    that share a directory have ``{pid}`` in their patterns, and look after their own parts only. A forked
    child never writes to the parts of its parent.

    A failed write (full disk) is undone and counted as the file sink does it. A part whose footer cannot be
    written keeps its ``.part``.

    Args:
        path: What the parts are called. The file name may have the fields ``{index}``, as in
            ``"run-{index:04}.rrd"``; ``{start}``, when the part was begun, in UTC and as ``strftime`` writes
            it, as in ``"run-{start:%Y-%m-%dT%H%M%S}.rrd"``; and ``{pid}``. With neither index nor start,
            ``-{index:06}`` is added. The directory must exist.
        max_bytes: A part that would become larger is finished first; its footer comes on top, about a hundred
            bytes per chunk. A chunk is never divided: one that is larger makes its part larger. Where what a
            part begins with takes more than half of this, parts are twice as large as that.
        max_seconds: So long after its first chunk a part is finished, whether more comes or not.
        keep: So many finished parts stay; the oldest are deleted. By default all do.
        total_bytes: Above this the oldest parts are deleted, the one that is being written counted in. A part
            is finished at half of this. The newest part with data always stays, also where one chunk alone
            is larger than all parts may be; that is told once.
        write_footer: Whether parts end with a footer, needed for random access.
        max_static_bytes: So much is kept in memory of what parts begin with. Over that, the static data that
            was logged first is left out of new parts, with one warning.
        overflow: The policy of this sink; by default that of the stream. See :data:`aiorerun.OverflowPolicy`.
        max_queued_bytes: Encoded bytes that may wait for it under a policy other than ``"wait"``; by default
            as many as may be under way in the whole stream.

    Raises:
        ValueError: It would never rotate, a limit is not positive, or the pattern has other fields.
        TypeError: A limit is no number.
    """

    is_file = True
    """Chunks of single rows deserve a warning."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int | None = None,
        max_seconds: float | None = None,
        keep: int | None = None,
        total_bytes: int | None = None,
        write_footer: bool = True,
        max_static_bytes: int = RESIDENT_BYTES,
        overflow: OverflowPolicy | None = None,
        max_queued_bytes: int | None = None,
    ) -> None:
        if max_bytes is None and max_seconds is None and total_bytes is None:
            raise ValueError("RotatingFileSink: pass max_bytes or max_seconds; with neither it never rotates")
        for name, value in (
            ("max_bytes", max_bytes), ("max_seconds", max_seconds), ("keep", keep),
            ("total_bytes", total_bytes), ("max_static_bytes", max_static_bytes),
        ):  # fmt: skip
            if value is not None:
                check_positive(value, f"RotatingFileSink: {name}")
        if max_bytes is not None and total_bytes is not None and total_bytes < 2 * max_bytes:
            raise ValueError("RotatingFileSink: total_bytes must have room for two parts of max_bytes")
        self._names = PartNames(path, "RotatingFileSink: path", numbered=True)
        self._given = os.fspath(path)
        self._limits = [max_bytes, None if total_bytes is None else total_bytes // 2]
        self.max_bytes = max_bytes
        self.max_seconds = max_seconds
        self.keep = keep
        self.total_bytes = total_bytes
        self.write_footer = write_footer
        self.max_static_bytes = max_static_bytes
        self.overflow = None if overflow is None else check_policy(overflow)
        self.max_queued_bytes = check_max_queued_bytes(max_queued_bytes)
        self._folder = PartFolder(self._names)
        self._part: _Part | None = None
        self._finishing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __eq__(self, other: object) -> bool:
        # Whatever the limits: two that make the same parts cannot be open at once.
        if not isinstance(other, RotatingFileSink):
            return NotImplemented
        return self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[Path, str]:
        return self._names.folder, self._names.pattern

    def __repr__(self) -> str:
        limits = "".join(
            f", {name}={value!r}"
            for name in ("max_bytes", "max_seconds", "keep", "total_bytes")
            if (value := getattr(self, name)) is not None
        )
        return f"RotatingFileSink({self._given!r}{limits})"

    @property
    def parts(self) -> tuple[Path, ...]:
        """The parts that are not written to any more, oldest first; those of former runs come first.

        It may be asked from any thread, and is empty before the sink was first opened.
        """
        return tuple(part.path for part in list(self._folder.parts))

    @property
    def open_part(self) -> Path | None:
        """The part that is being written; ``None`` between two parts, and while the sink is closed."""
        part = self._part
        return None if part is None else part.file.path

    async def open(self, context: SinkContext) -> None:
        """Locks the pattern, looks for parts of former runs, and creates the first part.

        Raises:
            SinkOpenError: The directory is missing, nothing can be written to it, or another sink makes such
                parts.
        """
        await context.run_blocking(self._open)
        self._run = context.run_blocking

    async def write(self, messages: Sequence[Message]) -> None:
        """Appends messages; they are visible to other processes when this returns.

        Raises:
            OSError: Not all could be written. Its attribute ``messages_taken`` says how many were.
        """
        await self._wait_finishing()
        taken, error = await self._run(partial(self._write, messages))
        self._arm()
        if error is not None:
            error.messages_taken = taken  # type: ignore[attr-defined]
            raise error

    async def flush(self) -> None:
        """Nothing to do: written messages have been passed to the operating system."""

    async def aclose(self) -> None:
        """Finishes the open part."""
        self._disarm()
        await self._wait_finishing()
        await self._run(self._close)

    # --- in time -------------------------------------------------------------------------------

    def _arm(self) -> None:
        """Sees to it that the open part is finished in time, if nothing more comes."""
        self._disarm()
        part = self._part
        if self.max_seconds is None or part is None or part.since is None:
            return
        delay = max(0.0, part.since + self.max_seconds - time.monotonic())
        context = contextvars.Context()
        self._timer = asyncio.get_running_loop().call_later(delay, self._on_due, part, context=context)

    def _disarm(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _on_due(self, part: _Part) -> None:
        # A write that is under way meanwhile looks at the time itself.
        self._timer = None
        loop = asyncio.get_running_loop()
        self._finishing = loop.create_task(
            self._run(partial(self._finish_if, part)), name="aiorerun-rotation"
        )

    async def _wait_finishing(self) -> None:
        task, self._finishing = self._finishing, None
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            await asyncio.wait({task})
            if not task.cancelled() and task.exception() is not None:
                logger.error("%r: a part was not finished in time: %s", self, task.exception())

    def _finish_if(self, part: _Part) -> None:
        if self._part is part:
            self._finish()

    # --- in the worker -------------------------------------------------------------------------

    def _open(self) -> None:
        folder = PartFolder(self._names)
        folder.claim()
        self._folder = folder
        self._resident = Resident(
            self.max_static_bytes,
            lambda text: logger.warning("%r: %s", self, text),
            "new parts begin with what was logged last of it",
        )
        self._number = 0
        self._failing = False
        self._told_too_large = False
        try:
            self._begin()
        except OSError as error:
            self._folder.release()
            raise SinkOpenError(
                error.errno, f"cannot write into {str(folder.folder)!r}: {error.strerror}"
            ) from error
        self._trim(0)
        _opened.add(self)

    def _write(self, messages: Sequence[Message]) -> tuple[int, OSError | None]:
        """Writes messages into as many parts as they need; how many it has written, and what went wrong."""
        taken = 0
        try:
            while taken < len(messages):
                message = messages[taken]
                if self._part is not None and self._is_full(self._part, message):
                    self._finish()
                if self._part is None:
                    if message.kind is MessageKind.SET_STORE_INFO:
                        # The next part begins with it.
                        self._keep(message)
                        taken += 1
                        continue
                    self._begin()
                assert self._part is not None
                run = self._fitting(self._part, messages, taken)
                self._trim(sum(_size(each) for each in run))
                self._part.write(run)
                for each in run:
                    self._keep(each)
                taken += len(run)
                # Now that this part has data, the one before may have to go.
                self._trim(0)
        except OSError as error:
            return taken, error
        return taken, None

    def _keep(self, message: Message) -> None:
        """Keeps a message if later parts begin with it."""
        self._resident.put(self._number, message)
        self._number += 1

    def _limit(self, part: _Part) -> float:
        limits = [limit for limit in self._limits if limit is not None]
        # However small that is, at least half of all bytes are new ones.
        return max(min(limits), 2 * part.begins_with) if limits else float("inf")

    def _is_full(self, part: _Part, message: Message) -> bool:
        """Whether a message has to go to the next part."""
        if part.since is None:
            return False
        if self.max_seconds is not None and time.monotonic() >= part.since + self.max_seconds:
            return True
        return part.file.nbytes + _size(message) > self._limit(part)

    def _fitting(self, part: _Part, messages: Sequence[Message], start: int) -> Sequence[Message]:
        """The messages from there on that go to this part; at least one."""
        room = self._limit(part) - part.file.nbytes - _size(messages[start])
        end = start + 1
        while end < len(messages) and _size(messages[end]) <= room:
            room -= _size(messages[end])
            end += 1
        return messages[start:end]

    def _begin(self) -> None:
        """Creates a part, with what every part begins with. Raises ``OSError``, and leaves nothing then."""
        path, fd = self._folder.create(time.time())
        file = RrdFile(path, fd, write_footer=self.write_footer)
        first = self._resident.messages()
        try:
            file.start()
            self._trim(sum(map(_size, first)) + file.nbytes)
            if first:
                file.write(first)
        except OSError:
            file.close()
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        self._part = _Part(file, first)

    def _finish(self) -> None:
        """Ends the open part, and gives it its final name."""
        part, self._part = self._part, None
        assert part is not None
        path = part.file.path
        try:
            try:
                part.file.finish()
            finally:
                part.file.close()
            if part.has_chunks and part.has_own:
                self._folder.publish(path, part.file.nbytes)
            else:
                path.unlink()
            self._failing = False
        except OSError as error:
            self._folder.add(path, part.file.nbytes)
            if not self._failing:
                # Once per run of failures.
                self._failing = True
                logger.error(  # noqa: TRY400 - what is wrong is the disk, not the program
                    "%r: %r could not be finished: %s; it keeps its name, and all that was written to it",
                    self, str(path), error.strerror,
                )  # fmt: skip
        self._trim(0)
        self._tell_if_too_large()

    def _trim(self, more: int) -> None:
        """Deletes the parts that are too many, with so many bytes more to come."""
        part, room = self._part, None
        if self.total_bytes is not None:
            room = self.total_bytes - more - (0 if part is None else part.file.nbytes)
        # Whatever the limits, something is left of what was logged last.
        spared = 1 if part is None or part.since is None else 0
        self._folder.trim(self.keep, room, spared)

    def _tell_if_too_large(self) -> None:
        """Says once that there is more than there may be, though everything but the newest part is gone."""
        total = self.total_bytes
        if total is not None and self._folder.nbytes > total and not self._told_too_large:
            self._told_too_large = True
            logger.warning(
                "%r: the newest part alone has %d bytes, more than total_bytes; no other one stays",
                self, self._folder.nbytes,
            )  # fmt: skip

    def _close(self) -> None:
        try:
            if self._part is not None:
                self._finish()
        finally:
            self._folder.release()
            _opened.discard(self)

    def _forget(self) -> None:
        """In a forked child: the files are the parent's."""
        self._folder.forget()
        part, self._part = self._part, None
        self._timer = self._finishing = None
        if part is not None:
            part.file.close()


class _Part:
    """The part that is being written.

    Args:
        file: The file.
        first: What it begins with.

    Attributes:
        begins_with: How many bytes that are.
        since: When it got the first chunk of its own that is more than a property.
        has_chunks: Whether it has any chunk.
        has_own: Whether it has more than what it begins with, which other parts have, too.
    """

    __slots__ = ("begins_with", "file", "has_chunks", "has_own", "since")

    def __init__(self, file: RrdFile, first: Sequence[Message]) -> None:
        self.file = file
        self.begins_with = file.nbytes
        self.since: float | None = None
        self.has_chunks = any(message.index is not None for message in first)
        self.has_own = False

    def write(self, messages: Sequence[Message]) -> None:
        """Appends messages, all or none; raises ``OSError``."""
        self.file.write(messages)
        self.has_own = True
        for message in messages:
            if message.index is None:
                continue
            self.has_chunks = True
            if not is_property(message.index.group.entity_path):
                self.since = self.since or time.monotonic()
                break


def _size(message: Message) -> int:
    return _HEADER_BYTES + message.nbytes


_opened: WeakSet[Any] = WeakSet()


def _after_fork_in_child() -> None:
    for sink in list(_opened):
        sink._forget()
    _opened.clear()


process.on_fork.append(_after_fork_in_child)
