"""The memory sink: keeps encoded messages until somebody drains them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.codec.messages import Message
    from aiorerun.sinks.base import SinkContext


class MemorySink:
    """Keeps everything in memory. It never refuses data: draining it is up to the user."""

    is_memory = True
    """The byte limit of the stream does not apply."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._lock = threading.Lock()
        self.is_open = False
        """Whether more may come."""

    def __repr__(self) -> str:
        return f"MemorySink({len(self._messages)} messages)"

    async def open(self, context: SinkContext) -> None:
        """Gets ready."""
        self.is_open = True

    async def write(self, messages: Sequence[Message]) -> None:
        """Keeps them."""
        with self._lock:
            self._messages.extend(messages)

    async def flush(self) -> None:
        """Nothing to do."""

    async def aclose(self) -> None:
        """No more will come; what it holds goes to the sink that replaces it."""
        self.is_open = False

    @property
    def num_messages(self) -> int:
        """How many messages it holds."""
        return len(self._messages)

    def take_messages(self) -> list[Message]:
        """All messages it holds; it is empty afterwards."""
        with self._lock:
            taken, self._messages = self._messages, []
        return taken

    def copy_messages(self) -> list[Message]:
        """All messages it holds, which it goes on holding."""
        with self._lock:
            return list(self._messages)

    def put_back(self, messages: Sequence[Message]) -> None:
        """Undoes :meth:`take_messages`."""
        with self._lock:
            self._messages[:0] = messages


def encode_stream(messages: Sequence[Message]) -> bytes:
    """A complete RRD stream of these messages: header, messages, end and footer."""
    from aiorerun.codec.rrd import RrdEncoder

    encoder = RrdEncoder()
    segments: list[Segment] = [*encoder.start()]
    for message in messages:
        segments.extend(encoder.encode(message))
    segments.extend(encoder.finish())
    return b"".join(memoryview(segment).cast("B") for segment in segments)
