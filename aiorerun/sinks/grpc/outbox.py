"""What was given to a connection and is not acknowledged, in memory. Pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from aiorerun.net.logmsg import Framed, frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.codec.messages import Message

    # What an entry holds. The garbage collector looks at objects of any class again and again, which takes
    # tens of milliseconds when many thousand small messages are kept; tuples of plain values it lets alone.
    Kept: TypeAlias = tuple[int, int, int, tuple[Segment, ...]]

ENTRY_BYTES: Final = 512
"""What keeping a message costs beside its bytes, about."""


class Entry(NamedTuple):
    """A message in the outbox.

    Attributes:
        number: Numbers grow, and none is given twice.
        rows: Rows in it.
        nbytes: Bytes of the message.
        segments: The message and what frames it. It shares its buffers with whoever else has it.
    """

    number: int
    rows: int
    nbytes: int
    segments: tuple[Segment, ...]

    @property
    def framed(self) -> Framed:
        """The message, ready for a stream."""
        return Framed(self.segments, len(self.segments[0]) + self.nbytes)


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
        self._sent: deque[Kept] = deque()
        self._waiting: deque[Kept] = deque()
        self._arrived: deque[Kept] = deque()
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
        for number, message in enumerate(messages, first):
            self._waiting.append((number, message.rows, message.nbytes, frame(message).segments))
            self.rows_waiting += message.rows
        return first

    def withdraw(self, first: int) -> None:
        """Takes the messages from this number on back; none of them counts as sent."""
        while self._waiting and self._waiting[-1][0] >= first:
            _, rows, _, _ = self._waiting.pop()
            self.rows_waiting -= rows

    def take(self, nbytes: int) -> list[Entry]:
        """The next that wait: about so many bytes, at least one. They go on waiting until :meth:`advance`."""
        taken: list[Entry] = []
        size = 0
        for kept in self._waiting:
            if size >= nbytes:
                break
            entry = Entry._make(kept)
            size += entry.nbytes + ENTRY_BYTES
            taken.append(entry)
        return taken

    def advance(self, count: int) -> int:
        """So many of those that wait, at least one, were sent; returns the number behind the last of them."""
        for _ in range(count):
            kept = self._waiting.popleft()
            _, rows, nbytes, _ = kept
            self._sent.append(kept)
            self.kept_bytes += nbytes + ENTRY_BYTES
            self.rows_waiting -= rows
            self.rows_sent += rows
        return self._sent[-1][0] + 1

    def drop(self, below: int) -> int:
        """Lets go of the waiting messages with lower numbers; returns how many rows that are."""
        dropped = 0
        while self._waiting and self._waiting[0][0] < below:
            number, rows, _, _ = self._waiting.popleft()
            self._forgotten_below = self._acknowledged_below = number + 1
            dropped += rows
        self.rows_waiting -= dropped
        return dropped

    def trim(self, is_held: Callable[[int], bool], below: int | None = None) -> None:
        """Forgets the oldest sent messages as long as they are over the limit.

        Args:
            is_held: Whether the message of a number is kept elsewhere, and sent from there again.
            below: Only messages with lower numbers.
        """
        end = self._next_number if below is None else below
        while self.kept_bytes > self._limit and self._sent and self._sent[0][0] < end:
            number, rows, nbytes, _ = self._sent.popleft()
            self.kept_bytes -= nbytes + ENTRY_BYTES
            self.rows_sent -= rows
            self._forgotten_below = number + 1
            if not is_held(number):
                self.forgotten_rows += rows

    def release(self, number: int, rows: int) -> None:
        """A message that was kept elsewhere is so no more: its rows may have to count as forgotten."""
        if self._acknowledged_below <= number < self._forgotten_below:
            self.forgotten_rows += rows

    def acknowledge(self) -> None:
        """All that was sent has arrived. It stays in memory until :meth:`let_go`."""
        if self._sent:
            self._forgotten_below = self._sent[-1][0] + 1
        if self._arrived:
            self._arrived.extend(self._sent)
            self._sent.clear()
        else:
            self._arrived, self._sent = self._sent, self._arrived
        self.kept_bytes = self.rows_sent = 0
        self.forgotten_rows = 0
        self._acknowledged_below = self._forgotten_below

    def let_go(self, count: int) -> bool:
        """Frees the memory of some messages that have arrived; returns whether there are more."""
        arrived = self._arrived
        for _ in range(min(count, len(arrived))):
            arrived.popleft()
        return bool(arrived)

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
        # The others came last.
        open_rows, opened = [0, 0], [0, 0]
        for position, entries in enumerate((self._sent, self._waiting)):
            for number, rows, _, _ in reversed(entries):
                if number < below:
                    break
                open_rows[position] += rows
                opened[position] += 1
        return (
            (self.rows_sent - open_rows[0], self.rows_waiting - open_rows[1]),
            (len(self._sent) - opened[0], len(self._waiting) - opened[1]),
        )

    @property
    def first_number(self) -> int:
        """The number of the oldest message; that of the next one to come if there is none."""
        return self._sent[0][0] if self._sent else self.first_waiting

    @property
    def first_waiting(self) -> int:
        """The number of the first message that waits; that of the next one to come if none does."""
        return self._waiting[0][0] if self._waiting else self._next_number

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
