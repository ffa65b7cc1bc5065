"""What a connection sends, and what becomes of it: messages in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from aiorerun.net.logmsg import frame
from aiorerun.sinks.grpc.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.net.logmsg import Framed
    from aiorerun.sinks.resident import Resident

LOST_WITH_CONNECTION: Final = "forgotten before the connection broke"
"""Why rows are lost that were sent, had no room in the outbox, and may not have arrived."""

REFUSED: Final = "refused by the server"
"""Why rows are lost that the server would never take."""


class Batch(NamedTuple):
    """What is sent at once.

    Attributes:
        frames: The messages, ready for the stream.
        messages: How many of them are the sink's own.
        replayed: How many of these were sent before, over a former connection.
        replayed_rows: Rows in those.
    """

    frames: list[Framed]
    messages: int
    replayed: int
    replayed_rows: int


class Unconfirmed(NamedTuple):
    """What is not confirmed when the sink is closed.

    Attributes:
        rows_sent: Rows that were sent over the last connection.
        messages_sent: Messages they were in.
        rows_waiting: Rows that were not sent over it.
        messages_waiting: Messages they are in.
    """

    rows_sent: int
    messages_sent: int
    rows_waiting: int
    messages_waiting: int


class Supply(Protocol):
    """What there is to send. All of it belongs to the event loop.

    The connection calls :meth:`greet`, then :meth:`next` and :meth:`sent` in turns as long as something
    waits, :meth:`acknowledged` when the server has confirmed everything sent, and :meth:`broke` at the end.
    """

    @property
    def has_waiting(self) -> bool:
        """Whether anything waits to be sent."""
        ...

    def greet(self) -> Iterable[Framed]:
        """What a new connection sends first; it may be gone through bit by bit."""
        ...

    async def next(self, nbytes: int) -> Batch:
        """What is next: about so many bytes. It may be empty when something cannot be read."""
        ...

    def sent(self, batch: Batch) -> None:
        """What :meth:`next` gave last was handed over."""
        ...

    async def acknowledged(self) -> None:
        """All that was sent has arrived."""
        ...

    def let_go(self, count: int) -> bool:
        """Frees the memory of some messages that have arrived; returns whether there are more.

        Freeing very many at once would hold up the event loop.
        """
        ...

    def broke(self) -> None:
        """The connection is gone: all that is not acknowledged waits again."""
        ...

    async def drop_sent(self) -> bool:
        """The server refuses what it gets first, again and again: that is lost. False if there is nothing."""
        ...

    def unconfirmed(self) -> Unconfirmed:
        """What is not acknowledged of the messages that count as written."""
        ...


class MemorySupply:
    """Messages in memory.

    Args:
        resident: What each connection is told first.
        limit: Bytes of sent messages that are kept until they are acknowledged.
        lose: Told how many rows that count as written are lost, and why.
    """

    def __init__(self, resident: Resident, limit: int, lose: Callable[[int, str], None]) -> None:
        self._resident = resident
        self._outbox = Outbox(limit)
        self._lose = lose
        self._open_from: int | None = None
        self._open: Sequence[Message] = ()
        self._sent_below = 0

    def put(self, messages: Sequence[Message]) -> int:
        """Adds messages to send. Until :meth:`settle` they count as not written, and can be withdrawn.

        Returns what :meth:`withdraw` knows them by.
        """
        self._open_from = self._outbox.put(messages)
        self._open = messages
        return self._open_from

    def settle(self) -> None:
        """The messages that came last count as written."""
        outbox, resident = self._outbox, self._resident
        if self._open_from is not None:
            # Not before: what is withdrawn is no business of the next connection.
            for number, message in enumerate(self._open, self._open_from):
                for held in resident.put(number, message):
                    outbox.release(held.number, held.message.rows)
        self._open_from, self._open = None, ()
        outbox.trim(resident.holds)

    def withdraw(self, call: int) -> None:
        """Takes the messages of the last call back, unless a connection that still lasts has sent them.

        Nothing happens if they count as written, or it was not the last.
        """
        if self._open_from == call:
            self._outbox.withdraw(call)
            self._open_from, self._open = None, ()

    @property
    def has_waiting(self) -> bool:
        """See :class:`Supply`."""
        return self._outbox.has_waiting

    def greet(self) -> Iterable[Framed]:
        """See :class:`Supply`."""
        first, end = self._outbox.first_number, self._outbox.end_number
        return map(frame, self._resident.messages(first, end))

    async def next(self, nbytes: int) -> Batch:
        """See :class:`Supply`."""
        entries = self._outbox.take(nbytes)
        replayed = [entry for entry in entries if entry.number < self._sent_below]
        return Batch(
            [entry.framed for entry in entries],
            len(entries),
            len(replayed),
            sum(entry.rows for entry in replayed),
        )

    def sent(self, batch: Batch) -> None:
        """See :class:`Supply`."""
        outbox = self._outbox
        if batch.messages:
            self._sent_below = max(self._sent_below, outbox.advance(batch.messages))
        outbox.trim(self._resident.holds, self._open_from)

    async def acknowledged(self) -> None:
        """See :class:`Supply`."""
        self._outbox.acknowledge()

    def let_go(self, count: int) -> bool:
        """See :class:`Supply`."""
        return self._outbox.let_go(count)

    def broke(self) -> None:
        """See :class:`Supply`."""
        lost = self._outbox.rewind()
        if lost:
            self._lose(lost, LOST_WITH_CONNECTION)

    async def drop_sent(self) -> bool:
        """See :class:`Supply`."""
        outbox = self._outbox
        below = outbox.end_number if self._open_from is None else self._open_from
        is_any = outbox.has_waiting and outbox.first_number < below
        lost = outbox.drop(below)
        if lost:
            self._lose(lost, REFUSED)
        return is_any

    def unconfirmed(self) -> Unconfirmed:
        """See :class:`Supply`."""
        outbox = self._outbox
        if self._open_from is not None:
            rows, messages = outbox.count(self._open_from)
            return Unconfirmed(rows[0] + outbox.forgotten_rows, messages[0], rows[1], messages[1])
        return Unconfirmed(
            outbox.rows_sent + outbox.forgotten_rows, outbox.messages_sent, outbox.rows_waiting,
            outbox.messages_waiting,
        )  # fmt: skip
