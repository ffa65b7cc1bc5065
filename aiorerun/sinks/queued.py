"""A queue of its own for any sink."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from aiorerun.config import check_number
from aiorerun.pipeline.overflow import check_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.pipeline.overflow import OverflowPolicy
    from aiorerun.sinks.base import Sink, SinkContext


class QueuedSink:
    """Any sink with an overflow policy of its own: it holds up neither other sinks nor who logs.

    ``set_sinks(FileSink("all.rrd"), QueuedSink(viewer, overflow="keep_latest"))`` writes everything to
    the file, and to the viewer what it has time for. A sink of your own can do without the wrapper: it
    may have the attributes ``overflow`` and ``max_queued_bytes`` itself.

    Args:
        sink: The sink.
        overflow: What happens when too much waits for it; see :data:`aiorerun.OverflowPolicy`.
        max_queued_bytes: Encoded bytes that may wait for it; by default as many as may be under way in
            the whole stream. What is being written does not count.

    Raises:
        ValueError: There is no such policy, or the limit is not positive.
        TypeError: It is no sink; or a binary stream, which takes everything at once: nothing ever waits for
            it.
    """

    def __init__(
        self, sink: Sink, *, overflow: OverflowPolicy = "drop_oldest", max_queued_bytes: int | None = None
    ) -> None:
        if hasattr(sink, "log_sink"):
            raise TypeError(
                f"QueuedSink: nothing waits for {sink!r}, what it keeps counts towards the byte limit of the "
                "recording; pass overflow to the recording stream"
            )
        check_sink(sink, "QueuedSink")
        self.sink = sink
        self.overflow: OverflowPolicy = check_policy(overflow)
        self.max_queued_bytes = check_max_queued_bytes(max_queued_bytes)

    def __getattr__(self, name: str) -> Any:
        if name == "sink":
            raise AttributeError(name)
        # What else the stream wants to know of a sink: whether it is a file, how it likes to be batched.
        found = getattr(self.sink, name)
        return partial(self._wrapped, found) if name == "reopened" else found

    def _wrapped(self, reopened: Callable[[], Sink]) -> QueuedSink:
        """A fresh sink with a queue like this one's."""
        return QueuedSink(reopened(), overflow=self.overflow, max_queued_bytes=self.max_queued_bytes)

    def __eq__(self, other: object) -> bool:
        # The same target is the same sink, whatever the queue in front of it.
        return self.sink == (other.sink if isinstance(other, QueuedSink) else other)

    def __hash__(self) -> int:
        return hash(self.sink)

    def __repr__(self) -> str:
        limit = "" if self.max_queued_bytes is None else f", max_queued_bytes={self.max_queued_bytes}"
        return f"QueuedSink({self.sink!r}, overflow={self.overflow!r}{limit})"

    async def open(self, context: SinkContext) -> None:
        """Opens the sink."""
        await self.sink.open(context)

    async def write(self, messages: Sequence[Message]) -> None:
        """Writes to the sink."""
        await self.sink.write(messages)

    async def flush(self) -> None:
        """Flushes the sink."""
        await self.sink.flush()

    async def aclose(self) -> None:
        """Closes the sink."""
        await self.sink.aclose()


def check_sink(sink: Any, name: str) -> None:
    """Raises ``TypeError`` for what lacks a method of a sink; the text begins with the name of who asks."""
    missing = [
        method for method in ("open", "write", "flush", "aclose") if not callable(getattr(sink, method, None))
    ]
    if missing:
        raise TypeError(
            f"{name}: {sink!r} is not a sink, it has no {', '.join(missing)}; see aiorerun.sinks.Sink"
        )


def check_max_queued_bytes(value: int | None) -> int | None:
    """Raises ``TypeError`` for what is no number, and ``ValueError`` for a limit that is not positive."""
    if value is None:
        return None
    check_number(value, "max_queued_bytes")
    if not value > 0:
        raise ValueError(f"max_queued_bytes: {value!r} is not positive; pass a number of bytes, or None")
    return value
