"""What a sink is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.types.store import StoreId

T = TypeVar("T")


class SinkContext(Protocol):
    """What a sink is told when it is opened."""

    @property
    def store(self) -> StoreId:
        """The recording whose messages it will get."""
        ...

    async def run_blocking(self, function: Callable[[], T]) -> T:
        """Runs a blocking function in the worker thread, first in, first out, and gives its result."""
        ...

    def hold_bytes(self, nbytes: int) -> None:
        """Counts bytes that the sink keeps in memory towards the byte limit of the stream; from any thread.

        A negative number takes them off again.
        """
        ...

    @property
    def has_given_up(self) -> bool:
        """Whether the time for closing the sink is over, and nobody waits for it any more."""
        ...

    def lose(self, rows: int, reason: str) -> None:
        """Tells that rows which the sink had taken are lost after all; on the event loop.

        They count as dropped from now on, in the statistics of the sink and of the stream.

        Args:
            rows: How many.
            reason: Why; a constant text, since rows are counted by reason.
        """
        ...


class SinkUnavailable(ConnectionError):
    """Raised by ``write`` of a sink that can take nothing for now: it has taken nothing of this call.

    Nothing is lost. The messages stay at the front of the queue, in order, and are tried again when
    ``wait_available`` returns, or every half a second if the sink has no such method. Meanwhile the queue
    fills up as that of a slow sink does: by the policy of the sink callers wait, or rows are dropped. Flushes
    get this error, those that wait as well as those that come before the sink is tried again.

    Raised by ``flush`` it is told to those who wait for that flush, and no more.
    """


class SinkGone(Exception):
    """Raised by a sink whose reader went away for good: it can take nothing, now or later.

    The sink is detached then. If it was the only one, the messages of the call and all that come later
    wait in a buffer for another sink; nothing is lost.
    """


@runtime_checkable
class Sink(Protocol):
    """A place that encoded messages are written to. Users may write their own.

    All methods are coroutines and are called by one task that aiorerun owns, never two at a time.
    None of them is cancelled, unless the time allowed for closing is over.

    A sink may have the attributes ``overflow``, one of :data:`aiorerun.OverflowPolicy`, and
    ``max_queued_bytes``: what happens when so much waits for it. :class:`aiorerun.QueuedSink` gives them to
    any sink.

    It may have more than the four methods:

    - ``async wait_available()`` returns when it makes sense to try a sink again that has raised
      :class:`SinkUnavailable`. Unlike the others it may be cancelled.
    - ``async flush_acknowledged()`` goes further than ``flush``, which it stands in for in a flush that asks
      for it: it returns when the other side has confirmed everything.
    - ``reopened()`` gives a fresh sink to the same target. A forked child, where the sinks of the parent are
      of no use, attaches it in their place when the stream is first used on an event loop there.
    - ``leaving(error)``, no coroutine, is called before the sink is closed by ``disconnect``, ``aclose`` or
      the end of an ``async with`` while an exception is being handled.
    - ``connection_state``, a text, is shown in :class:`aiorerun.SinkStats`.

    A sink that raises from ``write`` loses the messages of that call: they are counted and reported,
    and the next messages are tried again. An exception whose attribute ``messages_taken`` is a number says
    that so many of them, the first ones, were taken nevertheless.
    """

    async def open(self, context: SinkContext) -> None:
        """Gets ready to write. Raising refuses the sink: the former sinks stay."""
        ...

    async def write(self, messages: Sequence[Message]) -> None:
        """Takes messages in order, all of them or (raising) none, or as many as the exception says."""
        ...

    async def flush(self) -> None:
        """Returns when all that was written has left the process."""
        ...

    async def aclose(self) -> None:
        """Finishes and releases everything. Called once, also after errors."""
        ...
