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

    A sink that raises from ``write`` loses the messages of that call: they are counted and reported,
    and the next messages are tried again.
    """

    async def open(self, context: SinkContext) -> None:
        """Gets ready to write. Raising refuses the sink: the former sinks stay."""
        ...

    async def write(self, messages: Sequence[Message]) -> None:
        """Takes messages in order, all of them or (raising) none."""
        ...

    async def flush(self) -> None:
        """Returns when all that was written has left the process."""
        ...

    async def aclose(self) -> None:
        """Finishes and releases everything. Called once, also after errors."""
        ...
