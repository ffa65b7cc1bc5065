"""What reads a recording as bytes, in the blocking API."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any, TypeAlias

from aiorerun.sinks.base import Sink
from aiorerun.sinks.binary_stream import TAKE_BYTES, BinarySink, parts
from aiorerun.sinks.scratch import scratch_file
from aiorerun.stream_base import check_timeout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiorerun.sync.stream import RecordingStream


class BinaryStream:
    """A recording as bytes, see :meth:`RecordingStream.binary_stream`.

    What nobody has read counts towards the byte limit of the recording: a reader that stays away makes
    ``log`` wait, then refuse rows. After the recording got other sinks, what is left can still be read.

    It can be passed to :meth:`RecordingStream.set_sinks` beside other sinks.

    Attributes:
        log_sink: The sink behind it.
    """

    def __init__(self, stream: RecordingStream) -> None:
        self.log_sink = BinarySink()
        self._stream = stream

    def __repr__(self) -> str:
        return f"BinaryStream({self.log_sink!r} of {self._stream!r})"

    def _adopt(self, stream: Any) -> None:
        """Flushes another recording from now on."""
        if stream._active is not self._stream._active:
            raise TypeError(
                "set_sinks: this BinaryStream is one of aiorerun.sync; pass one of the asyncio API to a "
                "recording of the asyncio API"
            )
        self._stream = stream

    def flush(self, timeout_sec: float = math.inf) -> None:
        """Returns when everything logged before can be read.

        Args:
            timeout_sec: How long to wait. 0 starts the flush without waiting for it.

        Raises:
            FlushTimeoutError: It took longer; nothing is lost.
            ValueError: The timeout is negative or not a number.
        """
        check_timeout(timeout_sec)
        if self.log_sink.is_open:
            self._stream.flush(timeout_sec=timeout_sec)

    def read(self, *, flush: bool = True, flush_timeout_sec: float = math.inf) -> bytes | None:
        """Takes what is new.

        Args:
            flush: Whether to flush first.
            flush_timeout_sec: How long to wait for that.

        Returns:
            A complete RRD stream with a footer, or ``None`` if there is nothing new.

        Raises:
            FlushTimeoutError: The flush took longer; nothing was taken.
            ValueError: The timeout is negative or not a number.
        """
        from aiorerun.sinks.memory import encode_stream

        check_timeout(flush_timeout_sec, "read: flush_timeout_sec")
        if flush:
            self.flush(flush_timeout_sec)
        taken = self.log_sink.take()
        if not taken:
            return None
        try:
            return encode_stream(taken)
        except BaseException:
            self.log_sink.put_back(taken)
            raise

    def iter_bytes(self, *, write_footer: bool = True) -> Iterator[bytes]:
        """One continuous RRD stream, piece by piece as data comes, as an HTTP response that streams.

        It begins with the header of the stream and ends, with the end of the stream, when the recording
        is disconnected, closed or given other sinks, by another thread. Between them it waits: rows come
        as they are batched, nothing needs to be flushed. Pieces are at most 256 KiB. Leaving it early
        loses at most the pieces of about a MiB that it had begun to hand out; the rest can still be read.

        Args:
            write_footer: Whether it ends with a footer, which readers that go from front to back do not
                need.
        """
        from aiorerun.codec.rrd import RrdEncoder

        encoder = RrdEncoder(scratch_file, write_footer=write_footer)
        try:
            yield from parts(encoder.start())
            while True:
                was_open = self.log_sink.is_open
                taken = self.log_sink.take(TAKE_BYTES)
                if taken:
                    yield from parts(segment for message in taken for segment in encoder.encode(message))
                    encoder.settle()
                elif was_open:
                    self._wait()
                else:
                    break
            yield from parts(encoder.finish())
        finally:
            encoder.release()

    def _wait(self) -> None:
        """Waits for messages, or that there will be no more."""
        changed = threading.Event()
        if not self.log_sink.call_when_changed(changed.set):
            return
        try:
            changed.wait()
        finally:
            self.log_sink.forget(changed.set)


LogSinkLike: TypeAlias = Sink | BinaryStream
"""What ``set_sinks`` accepts."""
