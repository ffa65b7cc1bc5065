"""Messages on disk until a server has confirmed them."""

from __future__ import annotations

import errno
import logging
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from weakref import WeakSet

from aiorerun import process
from aiorerun.codec.framing import MessageKind
from aiorerun.net.logmsg import frame, frame_bytes
from aiorerun.sinks.grpc.spill_book import SpillBook, SpillFile
from aiorerun.sinks.grpc.spill_dir import claim, take_over
from aiorerun.sinks.grpc.spill_files import Append, read_chapter, remove, set_aside
from aiorerun.sinks.grpc.spill_format import MAGIC, encode_record, record_size
from aiorerun.sinks.grpc.spill_write import Part, SpillWrite
from aiorerun.sinks.grpc.supply import LOST_WITH_CONNECTION, REFUSED, Batch, Unconfirmed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from pathlib import Path

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.codec.messages import Message
    from aiorerun.net.logmsg import Framed
    from aiorerun.sinks.grpc.spill_book import Forgotten
    from aiorerun.sinks.grpc.spill_dir import Owner
    from aiorerun.sinks.resident import Resident

T = TypeVar("T")

FILE_BYTES: Final = 8 << 20
"""Files get about so long. Only whole files are deleted."""

MIN_FILE_BYTES: Final = 64 << 10
"""Files get at least so long, however small the limit is."""

FILES: Final = 8
"""The limit is divided into at least so many files, so that forgetting one does not forget much."""

TAIL_BYTES: Final = 4 << 20
"""So much of what was written last is kept in memory too: a sink that keeps up never reads files."""

NO_ROOM: Final = "spill_dir is full"
"""Why rows are lost that were never sent and had no room on disk."""

_VANISHED: Final = (errno.ENOENT, errno.ESTALE)
"""How the system says that a file or its directory was removed."""

DAMAGED: Final = "damaged in spill_dir"
"""Why rows are lost that could not be read back."""

logger = logging.getLogger("aiorerun")


class _Recent(NamedTuple):
    """A message that was written and is still in memory."""

    number: int
    file: SpillFile
    end: int
    message: Message


class _Move(NamedTuple):
    """What :meth:`SpillSupply.sent` has to note about the last batch."""

    file: SpillFile
    end: int
    messages: int
    rows: int


class SpillSupply:
    """Messages on disk, and those of former programs that did not get them confirmed.

    What is written has been passed to the operating system, which survives whatever happens to the program;
    files are not synced, so that a loss of power may cost the last seconds.

    Args:
        directory: Where to.
        target: The server that the messages are for.
        limit: Bytes on disk; over it the oldest files are deleted.
        resident: What each connection is told first.
        lose: Told how many rows that count as written are lost, and why.
        run: Runs something that blocks.
    """

    def __init__(
        self,
        directory: Path,
        target: str,
        limit: int,
        resident: Resident,
        lose: Callable[[int, str], None],
        run: Callable[[Callable[[], Any]], Awaitable[Any]],
    ) -> None:
        self._directory = directory
        self._target = target
        self._file_bytes = max(MIN_FILE_BYTES, min(FILE_BYTES, limit // FILES))
        self._resident = resident
        self._lose = lose
        self._run = run
        self._book = SpillBook(limit)
        self._owners: list[Owner] = []
        self._file_number = 0
        self._active: SpillFile | None = None
        self._recent: deque[_Recent] = deque()
        self._recent_bytes = 0
        self._move: _Move | None = None
        # What lost its file before it was sent, and is to be sent to every server in any case.
        self._overdue: dict[int, Message] = {}
        self._sending: list[int] = []
        self._sent_below = 0
        self._forgotten_rows = 0
        self._forgotten_below = 0
        self._acknowledged_below = 0
        self._is_connected = False
        self._write: SpillWrite | None = None
        self._pending_losses: list[tuple[int, str]] = []

    async def open(self) -> None:
        """Finds out what former programs have left behind.

        Raises:
            SinkOpenError: The directory cannot be used.
        """
        own, left = await self._run(partial(_open, self._directory, self._target))
        self._owners = [own, *left]
        _supplies.add(self)
        files = [file for _, found in left.items() for file in found]
        for file in files:
            self._book.add_file(file)
        self._book.rewind()
        if files:
            logger.warning(
                "%d bytes for %s that a former program could not deliver are sent now",
                self._book.nbytes, self._target,
            )  # fmt: skip

    async def put(self, messages: Sequence[Message]) -> None:
        """Writes messages to the disk. Then they count as taken.

        Raises:
            OSError: They could not be written; none of them was taken.
        """
        await self.finish_put()
        try:
            await self._put(messages)
        except OSError as error:
            if error.errno not in _VANISHED:
                raise
            await self._move_elsewhere()
            await self._put(messages)

    async def finish_put(self) -> None:
        """Finishes a :meth:`put` whose event loop was closed in the middle of it; else does nothing.

        What it was given is not lost. The worker of that loop may still be writing it.

        Raises:
            OSError: That could not be written; it is tried again with the next call.
        """
        write = self._write
        if write is None:
            return
        await self._run(write.wait)
        if not write.is_written and self._write is write:
            await self._run(write.run)
        self._commit_all(write)

    async def _put(self, messages: Sequence[Message]) -> None:
        write = self._write = SpillWrite(self._plan(messages))
        try:
            await self._run(write.run)
        except Exception:
            if self._write is write:
                self._write = None
            raise
        self._commit_all(write)
        await self._delete(self._book.shrink(None if self._move is None else self._move.file))

    def _commit_all(self, write: SpillWrite) -> None:
        # A coroutine of a former event loop may come after somebody else has done it.
        if self._write is not write:
            return
        self._write = None
        for file, append, part in write.plan:
            self._commit(file, append, part)

    async def _move_elsewhere(self) -> None:
        """Somebody has removed the subdirectory: another one takes its place.

        Files that are in memory as a whole are still sent. Of others it turns out later that they are gone.
        """
        own = await self._run(partial(claim, self._directory, self._target))
        logger.warning("files in %r are gone: somebody has removed them", str(self._owners[0].path))
        self._owners.insert(0, own)
        self._active = None

    @property
    def is_writing(self) -> bool:
        """Whether a :meth:`put` is under way, or was when its event loop was closed."""
        return self._write is not None

    def report_losses(self) -> None:
        """Tells about rows that were lost meanwhile; not within a write, whose rows do not count yet."""
        losses, self._pending_losses = self._pending_losses, []
        for rows, reason in losses:
            self._lose(rows, reason)

    @property
    def has_losses(self) -> bool:
        """Whether :meth:`report_losses` has anything to tell."""
        return bool(self._pending_losses)

    @property
    def has_waiting(self) -> bool:
        """See :class:`aiorerun.sinks.grpc.supply.Supply`."""
        return bool(self._overdue) or self._book.current() is not None

    def greet(self) -> Iterable[Framed]:
        """See :class:`aiorerun.sinks.grpc.supply.Supply`."""
        self._is_connected = True
        self._overdue.clear()
        first = next((file.first for file in self._book.files if not file.is_foreign), self._book.end_number)
        return map(frame, self._resident.messages(first, self._book.end_number))

    async def next(self, nbytes: int) -> Batch:
        """See :class:`aiorerun.sinks.grpc.supply.Supply`."""
        if self._overdue:
            self._move = None
            self._sending = list(self._overdue)
            return Batch([frame(message) for message in self._overdue.values()], 0, 0, 0)
        file = self._book.current()
        if file is None:
            self._move = None
            return Batch([], 0, 0, 0)
        if not file.is_foreign and self._recent and self._recent[0].number == self._book.next_number(file):
            return self._next_recent(file, nbytes)
        return await self._read(file, nbytes)

    def sent(self, batch: Batch) -> None:
        """See :class:`aiorerun.sinks.grpc.supply.Supply`."""
        for number in self._sending:
            self._overdue.pop(number, None)
        self._sending = []
        move, self._move = self._move, None
        if move is None or move.file not in self._book.files:
            return
        self._book.sent(move.file, move.end, move.messages, move.rows)
        if not move.file.is_foreign:
            number = self._book.next_number(move.file)
            self._sent_below = max(self._sent_below, number)
            self._drop_recent_below(number)

    async def acknowledged(self) -> None:
        """See :class:`aiorerun.sinks.grpc.supply.Supply`."""
        done = self._book.acknowledge(self._active if self.is_writing else None)
        if self._active in done:
            self._active = None
        self._forgotten_rows = 0
        self._acknowledged_below = max(self._acknowledged_below, self._sent_below, self._forgotten_below)
        await self._run(partial(_dispose, done))

    def let_go(self, count: int) -> bool:
        """See :class:`aiorerun.sinks.grpc.supply.Supply`. They were in files."""
        return False

    def broke(self) -> None:
        """See :class:`aiorerun.sinks.grpc.supply.Supply`."""
        self._is_connected = False
        self._move = None
        self._sending = []
        self._overdue.clear()
        self._book.rewind()
        lost, self._forgotten_rows = self._forgotten_rows, 0
        if lost:
            self._lose(lost, LOST_WITH_CONNECTION)

    async def drop_sent(self) -> bool:
        """See :class:`aiorerun.sinks.grpc.supply.Supply`."""
        if self.is_writing or not self._book.files:
            return False
        gone = self._book.forget_first()
        if gone.file is self._active:
            self._active = None
        self._drop_recent_below(gone.unsent[1])
        self._forgotten_below = self._acknowledged_below = max(self._forgotten_below, gone.unsent[1])
        if gone.sent_rows + gone.unsent_rows:
            self._lose(gone.sent_rows + gone.unsent_rows, REFUSED)
        await self._run(partial(remove, [gone.file.path]))
        return True

    def unconfirmed(self) -> Unconfirmed:
        """See :class:`aiorerun.sinks.grpc.supply.Supply`."""
        own = [file for file in self._book.files if not file.is_foreign]
        rows, count = sum(file.sent_rows for file in own), sum(file.sent_count for file in own)
        return Unconfirmed(
            rows + self._forgotten_rows, count, sum(file.rows for file in own) - rows,
            sum(file.count for file in own) - count,
        )  # fmt: skip

    async def close(self) -> None:
        """Lets go of the files. What is not acknowledged stays there for the next program."""
        owners, self._owners = self._owners, []
        _supplies.discard(self)
        self._recent.clear()
        await self._run(partial(_release, owners))

    def forget(self) -> None:
        """In a forked child: the files belong to the parent."""
        for owner in self._owners:
            owner.forget()
        self._owners = []

    def _plan(self, messages: Sequence[Message]) -> list[Part]:
        """Divides messages among the file that is written to and new ones."""
        plan: list[Part] = []
        infos = [*self._resident.store_infos()]
        file, size = self._active, 0 if self._active is None else self._active.size
        part: list[Message] = []
        pieces: list[Segment] = []

        def finish() -> None:
            if file is not None and part:
                plan.append(Part(file, Append(file.path, file.size, pieces), part))

        for message in messages:
            if file is None or (size + record_size(message) > self._file_bytes and (part or file.count)):
                finish()
                file, part = self._new_file(), []
                pieces = [piece for info in infos for piece in encode_record(info, is_copy=True)]
                size = len(MAGIC) + sum(map(record_size, infos))
            part.append(message)
            pieces.extend(encode_record(message))
            size += record_size(message)
            if message.kind is MessageKind.SET_STORE_INFO:
                infos.append(message)
        finish()
        return plan

    def _new_file(self) -> SpillFile:
        self._file_number += 1
        return SpillFile(self._owners[0].segment_path(self._file_number))

    def _commit(self, file: SpillFile, append: Append, part: Sequence[Message]) -> None:
        book = self._book
        if file is not self._active and file not in book.files:
            file.first = book.end_number
            book.add_file(file)
        self._active = file
        number = book.end_number
        nbytes = sum(map(len, append.pieces)) + (0 if append.size else len(MAGIC))
        end = file.size + nbytes - sum(map(record_size, part))
        book.grew(file, nbytes, len(part), sum(message.rows for message in part))
        for message in part:
            end += record_size(message)
            self._recent.append(_Recent(number, file, end, message))
            self._recent_bytes += record_size(message)
            for held in self._resident.put(number, message):
                self._release(held.number, held.message.rows)
            number += 1
        while self._recent_bytes > TAIL_BYTES and len(self._recent) > 1:
            self._recent_bytes -= record_size(self._recent.popleft().message)

    def _next_recent(self, file: SpillFile, nbytes: int) -> Batch:
        frames: list[Framed] = []
        size = replayed = replayed_rows = rows = 0
        end = self._book.offset
        for recent in self._recent:
            if recent.file is not file or size >= nbytes:
                break
            frames.append(frame(recent.message))
            size += recent.message.nbytes
            rows += recent.message.rows
            end = recent.end
            if recent.number < self._sent_below:
                replayed += 1
                replayed_rows += recent.message.rows
        self._move = _Move(file, end, len(frames), rows)
        return Batch(frames, len(frames), replayed, replayed_rows)

    async def _read(self, file: SpillFile, nbytes: int) -> Batch:
        start, end = self._book.offset, file.size
        chapter = await self._run(partial(read_chapter, file.path, start, end, nbytes))
        if file is not self._book.current() or start != self._book.offset:
            # It was forgotten meanwhile.
            self._move = None
            return Batch([], 0, 0, 0)
        # The announcements at the beginning of own files went with the greeting.
        records = [record for record in chapter.records if file.is_foreign or not record.is_copy]
        own = [record for record in records if not record.is_copy]
        rows = sum(record.rows for record in own)
        number = self._book.next_number(file)
        replayed = [
            record for index, record in enumerate(own)
            if not file.is_foreign and number + index < self._sent_below
        ]  # fmt: skip
        self._move = _Move(file, chapter.end, len(own), rows)
        if chapter.damage is not None:
            file.is_damaged = file.is_damaged or chapter.has_rest
            self._skip_damaged(file, chapter.damage, len(own), rows)
        return Batch(
            [frame_bytes(record.kind, record.payload) for record in records],
            len(own),
            len(replayed),
            sum(record.rows for record in replayed),
        )

    def _skip_damaged(self, file: SpillFile, damage: str, count: int, rows: int) -> None:
        """The rest of a file cannot be read."""
        logger.warning("%r cannot be read to its end: %s", str(file.path), damage)
        if file.is_foreign:
            return
        lost = file.rows - file.sent_rows - rows
        file.rows = file.sent_rows + rows
        file.count = file.sent_count + count
        if lost > 0:
            self._lose(lost, DAMAGED)

    def _drop_recent_below(self, number: int) -> None:
        recent = self._recent
        while recent and recent[0].number < number:
            self._recent_bytes -= record_size(recent.popleft().message)

    def _release(self, number: int, rows: int) -> None:
        """A message is not kept in memory for new connections any more, and may have no file any more."""
        if not self._acknowledged_below <= number < self._forgotten_below or not rows:
            return
        is_unsent = self._overdue.pop(number, None) is not None and number not in self._sending
        if self._is_connected and not is_unsent:
            self._forgotten_rows += rows
        else:
            self._pending_losses.append((rows, NO_ROOM))

    async def _delete(self, forgotten: Sequence[Forgotten]) -> None:
        if not forgotten:
            return
        for gone in forgotten:
            if gone.file.is_foreign:
                logger.warning("%r is deleted undelivered: spill_dir is full", str(gone.file.path))
                continue
            between = self._resident.rows_between
            self._forgotten_below = gone.unsent[1]
            self._drop_recent_below(self._forgotten_below)
            self._forgotten_rows += gone.sent_rows - between(*gone.sent)
            lost = gone.unsent_rows - between(*gone.unsent)
            if self._is_connected:
                self._overdue |= {held.number: held.message for held in self._resident.between(*gone.unsent)}
            if lost > 0:
                self._pending_losses.append((lost, NO_ROOM))
        await self._run(partial(remove, [gone.file.path for gone in forgotten]))


_supplies: WeakSet[SpillSupply] = WeakSet()


def _after_fork() -> None:
    """In a forked child: the locks are the parent's, and must end with it."""
    for supply in list(_supplies):
        supply.forget()
    _supplies.clear()


process.on_fork.append(_after_fork)


def _open(directory: Path, target: str) -> tuple[Owner, dict[Owner, list[SpillFile]]]:
    own = claim(directory, target)
    left: dict[Owner, list[SpillFile]] = {}
    for owner in take_over(directory, target):
        files = [SpillFile(found.path, is_foreign=True, size=found.size) for found in owner.files()]
        if files:
            left[owner] = files
        else:
            owner.release()
    return own, left


def _dispose(files: Sequence[SpillFile]) -> None:
    """Deletes files that are done; damaged ones are set aside instead."""
    set_aside(file.path for file in files if file.is_damaged)
    remove(file.path for file in files if not file.is_damaged)


def _release(owners: Sequence[Owner]) -> None:
    for owner in owners:
        owner.release()
