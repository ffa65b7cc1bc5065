"""What was given to a connection and is not acknowledged, in memory. Pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiorerun.codec.messages import Message

ENTRY_BYTES: Final = 512
"""What keeping a message costs beside its bytes, about."""


class Entry(NamedTuple):
    """A message in the outbox.

    Attributes:
        number: Numbers grow, and none is given twice.
        message: It shares its buffers with whoever else has it.
    """

    number: int
    message: Message

    @property
    def nbytes(self) -> int:
        """What it counts towards the limit."""
        return self.message.nbytes + ENTRY_BYTES


class Outbox:
    """Messages in order: those sent over the present connection, and behind them those that wait.

    Only an acknowledgement says that messages have arrived, and it is for all that were sent. Until then
    they are kept, to be sent again when the connection breaks; over the limit the oldest are forgotten.
    What is forgotten may have arrived: its rows are lost only if the connection breaks before the next
    acknowledgement. No operation costs more than the messages that it concerns.

    Args:
        limit: Bytes of sent messages that are kept, :data:`ENTRY_BYTES` for each of them included.

    Attributes:
        forgotten_rows: Rows of messages that were forgotten since the last acknowledgement.
        kept_bytes: Bytes of the sent messages that are kept.
        rows_sent: Rows of the sent messages that are kept.
        rows_waiting: Rows that wait to be sent.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sent: deque[Entry] = deque()
        self._waiting: deque[Entry] = deque()
        self._next_number = 0
        # Numbers below the first are acknowledged, those up to the second are forgotten or acknowledged.
        self._acknowledged_below = 0
        self._forgotten_below = 0
        self.forgotten_rows = 0
        self.kept_bytes = 0
        self.rows_sent = 0
        self.rows_waiting = 0

    def put(self, messages: Sequence[Message]) -> int:
        """Adds messages that wait to be sent; returns the number of the first."""
        first = self._next_number
        self._next_number += len(messages)
        self._waiting.extend(map(Entry, range(first, self._next_number), messages))
        self.rows_waiting += sum(message.rows for message in messages)
        return first

    def withdraw(self, first: int) -> None:
        """Takes the messages from this number on back; none of them counts as sent."""
        while self._waiting and self._waiting[-1].number >= first:
            self.rows_waiting -= self._waiting.pop().message.rows

    def take(self, nbytes: int) -> list[Entry]:
        """The next that wait: about so many bytes, at least one. They go on waiting until :meth:`advance`."""
        taken: list[Entry] = []
        size = 0
        for entry in self._waiting:
            if size >= nbytes:
                break
            size += entry.nbytes
            taken.append(entry)
        return taken

    def advance(self, count: int) -> list[Entry]:
        """So many of those that wait were sent; returns them."""
        advanced = [self._waiting.popleft() for _ in range(count)]
        self._sent.extend(advanced)
        self.kept_bytes += sum(entry.nbytes for entry in advanced)
        rows = sum(entry.message.rows for entry in advanced)
        self.rows_waiting -= rows
        self.rows_sent += rows
        return advanced

    def drop(self, below: int) -> int:
        """Lets go of the waiting messages with lower numbers; returns how many rows that are."""
        rows = 0
        while self._waiting and self._waiting[0].number < below:
            entry = self._waiting.popleft()
            self._forgotten_below = self._acknowledged_below = entry.number + 1
            rows += entry.message.rows
        self.rows_waiting -= rows
        return rows

    def trim(self, is_held: Callable[[int], bool], below: int | None = None) -> None:
        """Forgets the oldest sent messages as long as they are over the limit.

        Args:
            is_held: Whether the message of a number is kept elsewhere, and sent from there again.
            below: Only messages with lower numbers.
        """
        end = self._next_number if below is None else below
        while self.kept_bytes > self._limit and self._sent and self._sent[0].number < end:
            entry = self._sent.popleft()
            self.kept_bytes -= entry.nbytes
            self.rows_sent -= entry.message.rows
            self._forgotten_below = entry.number + 1
            if not is_held(entry.number):
                self.forgotten_rows += entry.message.rows

    def release(self, number: int, rows: int) -> None:
        """A message that was kept elsewhere is so no more: its rows may have to count as forgotten."""
        if self._acknowledged_below <= number < self._forgotten_below:
            self.forgotten_rows += rows

    def acknowledge(self) -> None:
        """All that was sent has arrived."""
        if self._sent:
            self._forgotten_below = self._sent[-1].number + 1
        self._sent.clear()
        self.kept_bytes = self.rows_sent = 0
        self.forgotten_rows = 0
        self._acknowledged_below = self._forgotten_below

    def rewind(self) -> int:
        """The connection broke: what is kept waits again. Returns how many forgotten rows are lost by it."""
        self._waiting.extendleft(reversed(self._sent))
        self._sent.clear()
        self.kept_bytes = 0
        lost, self.forgotten_rows = self.forgotten_rows, 0
        self.rows_waiting += self.rows_sent
        self.rows_sent = 0
        return lost

    def count(self, below: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows, then messages, that were sent and that wait; of those with lower numbers only."""
        found = [
            [entry.message.rows for entry in entries if entry.number < below]
            for entries in (self._sent, self._waiting)
        ]
        return (sum(found[0]), sum(found[1])), (len(found[0]), len(found[1]))

    @property
    def first_number(self) -> int:
        """The number of the oldest message; that of the next one to come if there is none."""
        for entries in (self._sent, self._waiting):
            if entries:
                return entries[0].number
        return self._next_number

    @property
    def end_number(self) -> int:
        """The number that the next message will get."""
        return self._next_number

    @property
    def has_waiting(self) -> bool:
        """Whether anything waits to be sent."""
        return bool(self._waiting)

    @property
    def messages_waiting(self) -> int:
        """Messages that wait to be sent."""
        return len(self._waiting)

    @property
    def messages_sent(self) -> int:
        """Messages that were sent over the present connection and are kept."""
        return len(self._sent)
