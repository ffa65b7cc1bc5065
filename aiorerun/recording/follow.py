"""Following a file that is still being written."""

from __future__ import annotations

import weakref
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

from aiorerun.codec.chunk_facts import chunk_facts
from aiorerun.codec.compression import MAX_BYTES
from aiorerun.codec.decode_messages import ArrowMsg, StoreInfo, StoreNames, decode_message
from aiorerun.codec.decoder import RrdDecoder
from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import MessageKind
from aiorerun.recording.chunk import Chunk
from aiorerun.recording.scan import MessageScanner
from aiorerun.recording.source import Source, is_pipe, name_of, open_file, read_pipe_for

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from io import FileIO

    from aiorerun.codec.decoder import RawMessage

POLL_SECS: Final = 0.05
"""By default, how often a file is looked at that has nothing new."""

_GROUP_BYTES: Final = 1 << 20
_PIPE_BYTES: Final = 64 << 10

Item: TypeAlias = "Chunk | RrdError"
"""What is found: a chunk, or what is wrong with one."""


class Tail:
    """What has come to a file since the last look. Blocks for as long as reading takes, no longer.

    Args:
        path: The file, a pipe, or ``-`` for the standard input.

    Attributes:
        has_ended: Whether nothing more will come.
        error: What is wrong with the file, if that is why it has ended.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._names = StoreNames()
        self._look: _FileLook | _PipeLook | None = None
        self.has_ended = False
        self.error: RrdError | None = None

    def read(self) -> list[Item]:
        """The next chunks that are complete, about a mebibyte of them; none if there are no more (yet).

        Raises:
            OSError: The file cannot be opened or read.
        """
        if self.has_ended:
            return []
        if self._look is None:
            file = open_file(self._path)
            name = name_of(self._path)
            self._look = _PipeLook(file) if is_pipe(file) else _FileLook(Source(file, name))
        look = self._look
        items: list[Item] = []
        try:
            size = 0
            for raw in look.messages():
                size += len(raw.payload)
                try:
                    chunk = self._chunk(raw)
                except RrdError as error:
                    items.append(error)
                else:
                    items.extend(chunk)
                    # Compressed, much comes in few bytes.
                    size += sum(each.nbytes for each in chunk)
                if size >= _GROUP_BYTES:
                    return items
        except RrdError as error:
            # Where the next message begins cannot be known.
            items.append(error)
            self.error = error
            self.has_ended = True
        else:
            self.has_ended = look.has_ended
        if self.has_ended:
            self.close()
        return items

    def _chunk(self, raw: RawMessage) -> list[Chunk]:
        if raw.kind is MessageKind.END:
            return []
        message = decode_message(raw.kind, raw.payload)
        if isinstance(message, StoreInfo):
            self._names.add(message)
        elif isinstance(message, ArrowMsg):
            store = self._names.name(message.store)
            batch = message.batch(MAX_BYTES)
            facts = chunk_facts(batch)
            chunk = Chunk(lambda: (batch, facts), store)
            chunk._loaded()
            return [chunk]
        return []

    def close(self) -> None:
        """Closes the file; nothing more is found."""
        self.has_ended = True
        if self._look is not None:
            self._look.close()


class _FileLook:
    """A file that grows."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.close = source.close
        self._scanner = MessageScanner(source, MAX_BYTES)

    def messages(self) -> Iterator[RawMessage]:
        end = self._source.size()
        if end < self._scanner.offset:
            raise RrdError(f"{self._source.name} has become shorter while it was read")
        while (raw := self._scanner.next(end)) is not None:
            yield raw

    @property
    def has_ended(self) -> bool:
        return self._scanner.has_ended


class _PipeLook:
    """A pipe, which ends when nobody writes to it any more."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self.close = weakref.finalize(self, file.close)
        self._decoder = RrdDecoder()
        self._found: deque[RawMessage] = deque()
        self.has_ended = False

    def messages(self) -> Iterator[RawMessage]:
        # What is found and not asked for is at most one piece and one message.
        while not self._found and not self.has_ended:
            piece = read_pipe_for(self._file, _PIPE_BYTES, POLL_SECS)
            if piece is None:
                return
            self.has_ended = not piece
            if piece:
                self._found.extend(self._decoder.feed(piece))
        while self._found:
            yield self._found.popleft()
