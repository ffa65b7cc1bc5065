"""The binary stream sink: keeps encoded messages for a reader in the same process."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final

from aiorerun.errors import SinkOpenError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.codec.messages import Message
    from aiorerun.sinks.base import SinkContext

PART_BYTES: Final = 256 << 10
"""The largest piece in which a stream of bytes is handed out."""

TAKE_BYTES: Final = 1 << 20
"""About how many bytes are taken at a time to be handed out in pieces."""


class BinarySink:
    """Keeps messages until they are taken. What it keeps counts towards the byte limit of the stream."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._nbytes = 0
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._context: SinkContext | None = None
        self._waiters: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"BinarySink({self._nbytes} bytes)"

    @property
    def is_open(self) -> bool:
        """Whether more may come."""
        return self._context is not None and self._pid == os.getpid()

    async def open(self, context: SinkContext) -> None:
        """Gets ready.

        Raises:
            SinkOpenError: Another recording writes to it.
        """
        if self._context is not None:
            raise SinkOpenError(None, "the binary stream is in use by another recording: make one for each")
        with self._lock:
            self._context = context
            context.hold_bytes(self._nbytes)

    async def write(self, messages: Sequence[Message]) -> None:
        """Keeps them."""
        nbytes = sum(message.nbytes for message in messages)
        with self._lock:
            self._messages.extend(messages)
            self._hold(nbytes)
            waiters, self._waiters = self._waiters, []
        for wake in waiters:
            wake()

    async def flush(self) -> None:
        """Nothing to do."""

    async def aclose(self) -> None:
        """No more will come. What it keeps can still be taken, and burdens the recording no longer."""
        with self._lock:
            if self._context is not None:
                self._context.hold_bytes(-self._nbytes)
            self._context = None
            waiters, self._waiters = self._waiters, []
        for wake in waiters:
            wake()

    def take(self, nbytes: int | None = None) -> list[Message]:
        """Takes the oldest messages, in order.

        Args:
            nbytes: Take no more once there are so many bytes; all by default.
        """
        if self._pid != os.getpid():
            # A forked child: it is the parent that reads them, and the lock may be held.
            return []
        with self._lock:
            count, taken_bytes = 0, 0
            while count < len(self._messages) and (nbytes is None or taken_bytes < nbytes):
                taken_bytes += self._messages[count].nbytes
                count += 1
            taken = self._messages[:count]
            del self._messages[:count]
            self._hold(-taken_bytes)
        return taken

    def copy_messages(self) -> list[Message]:
        """What nobody has taken yet, which stays."""
        if self._pid != os.getpid():
            return []
        with self._lock:
            return list(self._messages)

    def put_back(self, messages: Sequence[Message]) -> None:
        """Undoes :meth:`take`."""
        with self._lock:
            self._messages[:0] = messages
            self._hold(sum(message.nbytes for message in messages))

    def call_when_changed(self, wake: Callable[[], None]) -> bool:
        """Has a function called once, from any thread, when messages come or the sink is closed.

        Returns:
            Whether it will be: ``False`` if there are messages, or nothing more will come.
        """
        if not self.is_open:
            return False
        with self._lock:
            if self._messages or self._context is None:
                return False
            self._waiters.append(wake)
            return True

    def forget(self, wake: Callable[[], None]) -> None:
        """Undoes :meth:`call_when_changed`."""
        with self._lock:
            if wake in self._waiters:
                self._waiters.remove(wake)

    def _hold(self, nbytes: int) -> None:
        self._nbytes += nbytes
        if self._context is not None:
            self._context.hold_bytes(nbytes)


def parts(segments: Iterable[Segment]) -> Iterator[bytes]:
    """Joins small buffers and cuts large ones, into pieces of at most :data:`PART_BYTES`."""
    waiting: list[memoryview] = []
    size = 0
    for segment in segments:
        view = memoryview(segment).cast("B")
        for start in range(0, len(view), PART_BYTES):
            piece = view[start : start + PART_BYTES]
            if size + len(piece) > PART_BYTES:
                yield b"".join(waiting)
                waiting, size = [], 0
            waiting.append(piece)
            size += len(piece)
    if waiting:
        yield b"".join(waiting)
