"""What reads a recording as bytes, in the asyncio API."""

from __future__ import annotations

import asyncio
import contextlib
import math
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from aiorerun.sinks.base import Sink
from aiorerun.sinks.binary_stream import TAKE_BYTES, BinarySink, parts
from aiorerun.sinks.scratch import scratch_file
from aiorerun.stream_base import check_timeout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.stream import AsyncRecordingStream

_QUICK_BYTES = 256 << 10
_QUICK_MESSAGES = 64


class BinaryStream:
    """A recording as bytes, see :meth:`AsyncRecordingStream.binary_stream`.

    What nobody has read counts towards the byte limit of the recording: a reader that stays away makes
    ``log`` wait, then refuse rows. After the recording got other sinks, what is left can still be read.

    It can be passed to :meth:`AsyncRecordingStream.set_sinks` beside other sinks.

    Attributes:
        log_sink: The sink behind it.
    """

    def __init__(self, stream: AsyncRecordingStream) -> None:
        self.log_sink = BinarySink()
        self._stream = stream

    def __repr__(self) -> str:
        return f"BinaryStream({self.log_sink!r} of {self._stream!r})"

    def _adopt(self, stream: Any) -> None:
        """Flushes another recording from now on."""
        if stream._active is not self._stream._active:
            raise TypeError(
                "set_sinks: this BinaryStream is one of the asyncio API; pass one of aiorerun.sync to a "
                "recording of aiorerun.sync"
            )
        self._stream = stream

    async def flush(self, timeout_sec: float = math.inf) -> None:
        """Returns when everything logged before can be read.

        Cancelling it, or a timeout, loses nothing.

        Args:
            timeout_sec: How long to wait. 0 starts the flush without waiting for it.

        Raises:
            FlushTimeoutError: It took longer.
            ValueError: The timeout is negative or not a number.
        """
        check_timeout(timeout_sec)
        if self.log_sink.is_open:
            await self._stream.flush(timeout_sec=timeout_sec)

    async def read(self, *, flush: bool = True, flush_timeout_sec: float = math.inf) -> bytes | None:
        """Takes what is new.

        Cancelling it loses nothing: the next call gives what this one would have given.

        Args:
            flush: Whether to flush first.
            flush_timeout_sec: How long to wait for that.

        Returns:
            A complete RRD stream with a footer, or ``None`` if there is nothing new.

        Raises:
            FlushTimeoutError: The flush took longer; nothing was taken.
            ValueError: The timeout is negative or not a number.
        """
        check_timeout(flush_timeout_sec, "read: flush_timeout_sec")
        if flush:
            await self.flush(flush_timeout_sec)
        taken = self.log_sink.take()
        return await encode_taken(taken, self.log_sink.put_back) if taken else None

    async def iter_bytes(self, *, write_footer: bool = True) -> AsyncIterator[bytes]:
        """One continuous RRD stream, piece by piece as data comes, as an HTTP response that streams.

        It begins with the header of the stream and ends, with the end of the stream, when the recording
        is disconnected, closed or given other sinks. Between them it waits: rows come as they are
        batched, nothing needs to be flushed. Pieces are at most 256 KiB. Leaving it early, or cancelling
        it, loses at most the pieces of about a MiB that it had begun to hand out; the rest can still be
        read.

        Args:
            write_footer: Whether it ends with a footer, which readers that go from front to back do not
                need.
        """
        from aiorerun.codec.rrd import RrdEncoder

        encoder = RrdEncoder(scratch_file, write_footer=write_footer)
        try:
            for part in parts(encoder.start()):
                yield part
            while True:
                was_open = self.log_sink.is_open
                taken = self.log_sink.take(TAKE_BYTES)
                if taken:
                    for part in parts(segment for message in taken for segment in encoder.encode(message)):
                        yield part
                    await asyncio.to_thread(encoder.settle)
                elif was_open:
                    await self._wait()
                else:
                    break
            for part in parts(await asyncio.to_thread(encoder.finish)):
                yield part
        finally:
            encoder.release()

    async def _wait(self) -> None:
        """Waits for messages, or that there will be no more."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def settle() -> None:
            if not future.done():
                future.set_result(None)

        def wake() -> None:
            # Called from the loop of the sink, which may be another one.
            # If that is closed by now, nobody waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle)

        if not self.log_sink.call_when_changed(wake):
            return
        try:
            await future
        finally:
            self.log_sink.forget(wake)


LogSinkLike: TypeAlias = Sink | BinaryStream
"""What ``set_sinks`` accepts."""


async def encode_taken(messages: Sequence[Message], put_back: Callable[[Sequence[Message]], None]) -> bytes:
    """A complete RRD stream; if that is cancelled, the messages are put back.

    Much is encoded in a thread: joining hundreds of MiB would hold up the event loop.
    """
    from aiorerun.sinks.memory import encode_stream

    encode = partial(encode_stream, messages)
    if len(messages) <= _QUICK_MESSAGES and sum(message.nbytes for message in messages) <= _QUICK_BYTES:
        return encode()
    try:
        return await asyncio.to_thread(encode)
    except BaseException:
        put_back(messages)
        raise
