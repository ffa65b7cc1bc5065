"""What the server keeps and passes on: one framed message, and in which queue it belongs."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiorerun.net.logmsg import Framed

OVERHEAD: Final = 256
"""Bytes that the objects around a message take in memory, counted with each."""


class Queue(IntEnum):
    """Where a message waits for readers to come."""

    PERSISTENT = 0
    """Announcements of stores, blueprints and their activation: kept for ever."""
    STATIC = 1
    """Static data of recordings: goes only where newer static data has replaced it."""
    DISPOSABLE = 2
    """All other data: the oldest goes first when there is too much."""
    TABLE = 3
    """Tables: as disposable as data, but for other readers."""


class Entry:
    """A message that came in, ready to be sent to any number of readers.

    Attributes:
        framed: Its bytes, with the prefix of gRPC.
        queue: Where it waits.
        size: Bytes that it is counted with.
        number: Its place among all messages that came in; given by the replay buffer.
    """

    __slots__ = ("framed", "number", "queue", "size")

    def __init__(self, framed: Framed, queue: Queue) -> None:
        self.framed = framed
        self.queue = queue
        self.size: int = framed.nbytes + OVERHEAD
        self.number = 0

    def __repr__(self) -> str:
        return f"Entry({self.queue.name}, {self.framed.nbytes} bytes)"
