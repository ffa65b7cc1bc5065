"""The blocking recording stream: the same parts as the asyncio one, driven by a private loop."""

from __future__ import annotations

import contextlib
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from aiorerun import lifecycle, process
from aiorerun.context import ActiveRecordings
from aiorerun.errors import report, strict_scope
from aiorerun.pipeline.capture import CLOSED, FULL, UNOPENED
from aiorerun.stream_base import check_timeout, streams
from aiorerun.sync.showing import Showing

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Iterable
    from types import TracebackType
    from typing import Self

    from aiorerun.blueprint_sending import BlueprintLike
    from aiorerun.forward import ChunksLike
    from aiorerun.portal import PortalLease
    from aiorerun.recording.base import BaseRecording
    from aiorerun.sinks.memory import MemorySink
    from aiorerun.sync.binary import BinaryStream, LogSinkLike
    from aiorerun.types.batches import AsComponents, DescribedComponentBatch

T = TypeVar("T")


class RecordingStream(Showing):
    """A recording, logged from plain code and any number of threads.

    ``log`` appends the row in the calling thread; batching, encoding and writing happen on a private
    event loop in a background thread that all streams share. A new stream starts on a buffer that
    keeps everything for the first sink (:meth:`save`, :meth:`memory_recording`, …). Files get their
    footer at :meth:`disconnect`, when another sink replaces them, when the last reference to the
    stream goes, or at interpreter exit.

    ``with stream:`` makes it the active recording and flushes it on leaving.

    The arguments are those of :class:`aiorerun.AsyncRecordingStream`.
    """

    _active: ClassVar[ActiveRecordings[RecordingStream]] = ActiveRecordings("aiorerun_sync_active")

    def _prepare(self) -> None:
        super()._prepare()
        self._lease: PortalLease | None = None
        self._lease_lock = threading.Lock()
        self._calls = 0
        self._is_done = False

    def _start(self) -> None:
        if self._capture.gate == UNOPENED:
            self._call(self._force_save)

    def _start_empty(self) -> None:
        self._prepare()
        super()._start_empty()
        reopen = weakref.WeakMethod(self._reopen_sinks)

        def bring_to_loop() -> None:
            # The engine must not keep its stream alive.
            method = reopen()
            if method is not None:
                method()

        self._engine.inheritance.bring_to_loop = bring_to_loop

    def _reopen_sinks(self) -> None:
        """In a forked child, attaches the sinks of the parent again, on the private loop."""

        async def reopen() -> None:
            self._engine.reopen()

        # On that loop itself nobody can wait for it; the next row asks again.
        with contextlib.suppress(RuntimeError):
            self._call(reopen)

    # --- logging -------------------------------------------------------------------------------

    def log(
        self,
        entity_path: str | list[object],
        entity: AsComponents | Iterable[DescribedComponentBatch],
        *extra: AsComponents | Iterable[DescribedComponentBatch],
        static: bool = False,
        strict: bool | None = None,
    ) -> None:
        """Logs one row: the components of ``entity`` and ``extra`` at the current times.

        The row is captured in the calling thread, arrays included. It blocks only if the pipeline is
        over its byte limit, at most ``max_wait`` seconds per stall; then the row is refused and counted.

        Args:
            entity_path: Where: ``"world/points"``, with special characters escaped, or a list of parts.
            entity: What: an archetype, anything with ``as_component_batches()``, or described batches.
            *extra: More of the same, merged into the same row.
            static: Record it without times: it then holds always, and hides temporal data.
            strict: Overrides the strict mode for this call.

        Raises:
            TypeError, ValueError: Wrong use, in strict mode only.
            StreamClosedError: The stream was closed; in strict mode only.
        """
        capture = self._capture
        if capture.gate:
            if self._let_in(strict):
                self._log_late(entity_path, entity, extra, static, strict)
                self._engine.room.admit_next()
            return
        try:
            if strict is None:
                accumulator = capture.add(entity_path, entity, extra, None if static else self._times.get())
            else:
                with strict_scope(strict):
                    accumulator = capture.add(
                        entity_path, entity, extra, None if static else self._times.get()
                    )
        except Exception as error:
            report("log", error, strict=strict, recording=self)
            return
        if accumulator is not None and self._engine.attend(accumulator):
            self._engine.room.pace_blocking()

    def _let_in(self, strict: bool | None) -> bool:
        gate = self._capture.gate
        if gate == FULL:
            if self._engine.room.wait_for_room_blocking():
                return True
            self._engine.room.refuse()
        elif gate == CLOSED:
            self._report_closed(strict)
        return False

    # --- sinks ---------------------------------------------------------------------------------

    def save(
        self,
        path: str | os.PathLike[str],
        default_blueprint: BlueprintLike | None = None,
        *,
        write_footer: bool = True,
    ) -> None:
        """Writes the recording to a file from now on; see :meth:`aiorerun.AsyncRecordingStream.save`.

        Raises:
            SinkOpenError: The file cannot be created; the former sinks stay.
        """
        from aiorerun.sinks.file import FileSink

        default = self._captured_default("save", default_blueprint)
        self._call(self._replace_sinks, (FileSink(path, write_footer=write_footer),), default)

    def stdout(self, default_blueprint: BlueprintLike | None = None, *, write_footer: bool = True) -> None:
        """Writes the recording to standard output from now on, for a program at the other end of a pipe.

        As long as that goes on the recording has standard output for itself: what else the process and its
        children print goes to standard error. If standard output is a terminal nothing is printed, and the
        recording goes to a buffer. When the reader goes away there is one warning; what it did not take,
        and what comes later, waits in a buffer that is bounded by the byte limit, for another sink.

        Args:
            default_blueprint: What viewers show if they have no other blueprint for this application, and
                after a reset; it goes first.
            write_footer: Whether to finish the stream with a footer.

        Raises:
            SinkOpenError: Standard output is closed, or another recording writes to it.
        """
        from aiorerun.sinks.stdout import StdoutSink, is_terminal

        sinks = () if is_terminal() else (StdoutSink(write_footer=write_footer),)
        self._call(self._replace_sinks, sinks, self._captured_default("stdout", default_blueprint))

    def binary_stream(self) -> BinaryStream:
        """Keeps the recording from now on for a reader in this process.

        What is not read counts towards the byte limit.

        Returns:
            What it is read from: in complete RRD streams, or as one stream of bytes.
        """
        from aiorerun.sync.binary import BinaryStream

        stream = BinaryStream(self)
        self._call(self._replace_sinks, (stream,))
        return stream

    def memory_recording(self) -> MemoryRecording:
        """Keeps the recording in memory from now on; returns what drains it."""
        from aiorerun.sinks.memory import MemorySink

        sink = MemorySink()
        self._call(self._replace_sinks, (sink,))
        return MemoryRecording(self, sink)

    def set_sinks(self, *sinks: LogSinkLike, default_blueprint: BlueprintLike | None = None) -> None:
        """Replaces all sinks; see :meth:`aiorerun.AsyncRecordingStream.set_sinks`."""
        self._call(self._replace_sinks, sinks, self._captured_default("set_sinks", default_blueprint))

    def send_recording(self, recording: BaseRecording) -> None:
        """Sends all chunks of a loaded recording, with this stream's application and recording id.

        See :meth:`aiorerun.AsyncRecordingStream.send_recording`.

        Raises:
            RrdError: Its file is damaged; what comes before the damage is sent.
            TypeError, ValueError: It is something else, or a blueprint; in strict mode only.
            StreamClosedError: The stream was closed; in strict mode only.
        """
        from aiorerun import forward

        try:
            forward.check_recording(recording)
        except (TypeError, ValueError) as error:
            report("send_recording", error, recording=self)
            return
        forward.send_blocking(self, "send_recording", recording._lazy_chunks(None, None, None))

    def send_chunks(self, chunks: ChunksLike) -> None:
        """Sends chunks as they are, with this stream's application and recording id.

        See :meth:`aiorerun.AsyncRecordingStream.send_chunks`; async iterables are for the asyncio API.

        Raises:
            RrdError: The file they come from is damaged; what comes before the damage is sent.
            TypeError, ValueError: Something is no chunk; in strict mode only.
            StreamClosedError: The stream was closed; in strict mode only.
        """
        from aiorerun import forward

        forward.send_blocking(self, "send_chunks", chunks)

    def flush(self, *, timeout_sec: float = 1e38, acknowledged: bool = False) -> None:
        """Hands everything logged before to the sinks and waits until it has left the process.

        Args:
            timeout_sec: How long to wait. 0 starts the flush without waiting for it.
            acknowledged: Whether gRPC sinks also ask the other side to confirm what it got, and wait for the
                answer. What was confirmed is not sent again when the connection breaks.

        Raises:
            FlushTimeoutError: It took longer; nothing is lost, the flush goes on.
            ValueError: The timeout is negative or not a number.
        """
        check_timeout(timeout_sec)
        if self._engine.has_sinks or self._imports or self._forced_path is not None:
            self._call(self._flush_sinks, timeout_sec, acknowledged)

    def disconnect(self) -> None:
        """Flushes and closes all sinks; later rows wait in a buffer, bounded by the byte limit."""
        if self._engine.has_sinks or self._imports or self._calls:
            self._call(self._disconnect_sinks)
        self._release()

    def close(self) -> None:
        """Disconnects and closes the stream: logging to it is an error afterwards."""
        self._call(self._close)
        self._release()

    # --- the private loop ----------------------------------------------------------------------

    def _call(self, function: Callable[..., Awaitable[T]], *args: Any) -> T:
        with self._lease_lock:
            if self._lease is None or not self._lease.is_valid:
                from aiorerun.portal import PortalLease

                self._lease = PortalLease()
            lease = self._lease
            self._calls += 1
        try:
            return lease.call(function, *args)
        finally:
            with self._lease_lock:
                self._calls -= 1
                unneeded = self._take_unneeded()
            if unneeded is not None:
                unneeded.release()
            process.run_in_main_thread()

    def _release(self) -> None:
        """Lets go of the private loop; if calls of other threads or sinks need it, once these are over."""
        with self._lease_lock:
            self._is_done = True
            unneeded = self._take_unneeded()
        if unneeded is not None:
            unneeded.release()

    def _take_unneeded(self) -> PortalLease | None:
        """The lease, if nothing needs it any more and somebody has asked for its end; under the lock."""
        lease = self._lease
        if lease is None or not self._is_done or self._calls or self._engine.has_sinks:
            return None
        self._lease, self._is_done = None, False
        return lease if lease.is_valid else None

    # --- scopes --------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._active.enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.flush()
        finally:
            self._active.leave(self)

    def __del__(self) -> None:
        engine = getattr(self, "_engine", None)
        if engine is not None and engine.has_sinks:
            # Never waits: this may run anywhere, on the private loop as well. The lease stays taken, so
            # that the loop lives until interpreter exit.
            engine.disconnect_soon()


active: Final = RecordingStream._active
"""The active recordings of the blocking API."""


class MemoryRecording:
    """What a stream keeps in memory, see :meth:`RecordingStream.memory_recording`."""

    def __init__(self, stream: RecordingStream, sink: MemorySink) -> None:
        self._stream = stream
        self._sink = sink

    def num_msgs(self) -> int:
        """Flushes, then counts the messages: chunks, and those that announce the recording."""
        self._flush()
        return self._sink.num_messages

    def drain_as_bytes(self) -> bytes:
        """Flushes, then takes everything as one complete RRD stream with a footer.

        With nothing in it that has 60 bytes.
        """
        from aiorerun.sinks.memory import encode_stream

        self._flush()
        taken = self._sink.take_messages()
        try:
            return encode_stream(taken)
        except BaseException:
            self._sink.put_back(taken)
            raise

    def _flush(self) -> None:
        # Another sink by now may be slow, and what is here does not depend on it.
        if self._sink.is_open:
            self._stream.flush()


def _release_all() -> None:
    """Lets go of the private loop where nothing needs it any more."""
    for stream in list(streams):
        if isinstance(stream, RecordingStream) and not (stream._engine.has_sinks or stream._imports):
            stream._release()


def _shut_down() -> None:
    """Runs at interpreter exit: files get their footers, then the private loop is stopped.

    Streams whose last reference went without a disconnect, and are still being finished, are waited for.
    """
    if lifecycle.is_registered():
        lifecycle.finish_on_running_loops()
    # It has to be stopped in any case, or the interpreter would not end.
    portal = sys.modules.get("aiorerun.portal")
    if portal is not None:
        portal.shut_down()


lifecycle.on_shutdown.append(_release_all)
process.at_exit.append(_shut_down)
