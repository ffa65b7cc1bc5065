"""The asyncio recording stream: a face of capture, engine and sinks. No logic of its own."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, ClassVar, Final

# Registers what happens at exit and after a fork.
from aiorerun import lifecycle  # noqa: F401  # pyright: ignore[reportUnusedImport] - for its effect
from aiorerun.context import ActiveRecordings
from aiorerun.errors import report, strict_scope
from aiorerun.pipeline.capture import CLOSED, DISABLED, FULL, UNOPENED
from aiorerun.showing import AsyncShowing
from aiorerun.stream_base import check_timeout

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from aiorerun.binary import BinaryStream, LogSinkLike
    from aiorerun.blueprint_sending import BlueprintLike
    from aiorerun.forward import AsyncChunksLike
    from aiorerun.recording.base import BaseRecording
    from aiorerun.sinks.memory import MemorySink
    from aiorerun.types.batches import AsComponents, DescribedComponentBatch


class AsyncRecordingStream(AsyncShowing):
    """A recording, logged from asyncio.

    ``log`` captures the row and returns; rows are batched, encoded (in a worker thread where that takes
    more than a moment) and written by sink tasks on the event loop. A new stream starts on a buffer that
    keeps everything for the first sink (:meth:`save`, :meth:`memory_recording`, …).

    ``async with stream:`` makes it the active recording and, on leaving, flushes and disconnects it.
    ``with stream:`` only makes it active.

    Args:
        application_id: Groups recordings of the same program; must not be empty.
        recording_id: Names this recording. By default one id per process and application, shared with
            ``multiprocessing`` children: two streams without an id are one recording.
        make_default: Make it the global recording.
        make_thread_default: Make it the recording of the current context.
        default_enabled: ``False`` drops everything; the environment variable ``RERUN`` overrides it.
        send_properties: Record the start time under ``/__properties``.
        batcher_config: When rows become chunks; overrides the environment and the sinks' defaults.
        max_bytes_in_flight: Over this many bytes under way, ``log`` waits.
        max_wait: Seconds that ``log`` waits per stall before rows are refused; ``math.inf`` for no limit.
        close_timeout: Seconds that opening a sink may take, and closing it before what is left is dropped and
            counted.
        make_context_default: Another name of ``make_thread_default``.
        overflow: What happens over ``max_bytes_in_flight``, and when too much waits for a sink that has no
            policy of its own; see :data:`aiorerun.OverflowPolicy`. With ``"wait"``, the default, ``log``
            waits; with any other it never does, and what is dropped is counted in :meth:`stats`. Sinks may
            have their own: see :class:`aiorerun.QueuedSink`.

    Raises:
        ValueError: The application id is empty, there is no such policy, or a limit is negative, zero or NaN
            (``max_wait`` may be 0: nobody waits then).
        TypeError: A limit is no number, or ``batcher_config`` is no :class:`ChunkBatcherConfig`.
    """

    _active: ClassVar[ActiveRecordings[AsyncRecordingStream]] = ActiveRecordings("aiorerun_active")
    _closes_soon = False

    async def log(
        self,
        entity_path: str | list[object],
        entity: AsComponents | Iterable[DescribedComponentBatch],
        *extra: AsComponents | Iterable[DescribedComponentBatch],
        static: bool = False,
        strict: bool | None = None,
    ) -> None:
        """Logs one row: the components of ``entity`` and ``extra`` at the current times.

        The row is captured, arrays included, when the call first runs; what happens to them later does
        not change it. It suspends only if the pipeline is over its byte limit (at most ``max_wait``
        seconds per stall, then the row is refused and counted) or to let an overdue flush run.
        Cancelling it never loses a row that was captured.

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
            if not await self._let_in(strict):
                return
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
            await self._engine.room.pace()

    async def _let_in(self, strict: bool | None) -> bool:
        gate = self._capture.gate
        if gate == FULL:
            if await self._engine.room.wait_for_room():
                return True
            self._engine.room.refuse()
        elif gate == UNOPENED:
            await self._force_save()
            return True
        elif gate == CLOSED:
            self._report_closed(strict)
        return False

    async def save(
        self,
        path: str | os.PathLike[str],
        default_blueprint: BlueprintLike | None = None,
        *,
        write_footer: bool = True,
    ) -> None:
        """Writes the recording to a file from now on; what the start buffer holds goes there first.

        The former sinks are flushed and closed. The file can be read while it is written. Cancelling
        the call does not undo the change.

        Args:
            path: The file; overwritten. Its directory must exist.
            default_blueprint: What viewers show if they have no other blueprint for this application, and
                after a reset; it goes first.
            write_footer: Whether to finish the file with a footer, needed for random access.

        Raises:
            SinkOpenError: The file cannot be created; the former sinks stay.
        """
        from aiorerun.sinks.file import FileSink

        default = self._captured_default("save", default_blueprint)
        await self._replace_sinks((FileSink(path, write_footer=write_footer),), default)

    async def stdout(
        self, default_blueprint: BlueprintLike | None = None, *, write_footer: bool = True
    ) -> None:
        """Writes the recording to standard output from now on, for a program at the other end of a pipe.

        As long as that goes on the recording has standard output for itself: what else the process and its
        children print goes to standard error. If standard output is a terminal nothing is printed, and the
        recording goes to a buffer. When the reader goes away there is one warning; what it did not take,
        and what comes later, waits in a buffer that is bounded by the byte limit, for another sink.
        Cancelling the call does not undo the change.

        Args:
            default_blueprint: What viewers show if they have no other blueprint for this application, and
                after a reset; it goes first.
            write_footer: Whether to finish the stream with a footer.

        Raises:
            SinkOpenError: Standard output is closed, or another recording writes to it.
        """
        from aiorerun.sinks.stdout import StdoutSink, is_terminal

        sinks = () if is_terminal() else (StdoutSink(write_footer=write_footer),)
        await self._replace_sinks(sinks, self._captured_default("stdout", default_blueprint))

    async def binary_stream(self) -> BinaryStream:
        """Keeps the recording from now on for a reader in this process.

        What is not read counts towards the byte limit.

        Returns:
            What it is read from: in complete RRD streams, or as one stream of bytes.
        """
        from aiorerun.binary import BinaryStream

        stream = BinaryStream(self)
        await self._replace_sinks((stream,))
        return stream

    async def memory_recording(self) -> MemoryRecording:
        """Keeps the recording in memory from now on.

        Returns:
            What drains it.
        """
        from aiorerun.sinks.memory import MemorySink

        sink = MemorySink()
        await self._replace_sinks((sink,))
        return MemoryRecording(self, sink)

    async def set_sinks(self, *sinks: LogSinkLike, default_blueprint: BlueprintLike | None = None) -> None:
        """Replaces all sinks; each of several gets everything. None at all means back to a buffer.

        The stream is cut at the call: what was logged before goes to the former sinks, which are
        flushed and closed, or, from the start buffer, to the new ones.

        Raises:
            ValueError: The same sink twice.
            TypeError: Something that is not a sink.
            SinkOpenError: A sink could not be opened; the former sinks stay.
        """
        await self._replace_sinks(sinks, self._captured_default("set_sinks", default_blueprint))

    async def send_recording(self, recording: BaseRecording) -> None:
        """Sends all chunks of a loaded recording, with this stream's application and recording id.

        Chunk and row ids, times, static data and the recording's properties stay as they are. Over the byte
        limit it waits, as :meth:`log` does. Cancelling it leaves out the chunks that were not sent yet.

        Args:
            recording: From :func:`aiorerun.recording.load_recording`.

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
        await forward.send_async(self, "send_recording", recording)

    async def send_chunks(self, chunks: AsyncChunksLike) -> None:
        """Sends chunks as they are, with this stream's application and recording id.

        Chunk and row ids stay; no times are added. Over the byte limit it waits, as :meth:`log` does.
        Iterables are read in a thread, since reading may block. Cancelling it leaves out the chunks that were
        not sent yet.

        Args:
            chunks: One chunk, an iterable or async iterable of chunks, or a recording. A chunk is one of
                :mod:`aiorerun.recording` or of the official SDK, or a record batch with the metadata of one.

        Raises:
            RrdError: The file they come from is damaged; what comes before the damage is sent.
            TypeError, ValueError: Something is no chunk; in strict mode only.
            StreamClosedError: The stream was closed; in strict mode only.
        """
        from aiorerun import forward

        await forward.send_async(self, "send_chunks", chunks)

    async def flush(self, *, timeout_sec: float = 1e38, acknowledged: bool = False) -> None:
        """Hands everything logged before to the sinks and waits until it has left the process.

        Cancelling the call, or a timeout, loses nothing: the flush goes on by itself.

        Args:
            timeout_sec: How long to wait. 0 starts the flush without waiting for it.
            acknowledged: Whether gRPC sinks also ask the other side to confirm what it got, and wait for the
                answer. What was confirmed is not sent again when the connection breaks.

        Raises:
            FlushTimeoutError: It took longer.
            ValueError: The timeout is negative or not a number.
            Exception: What a sink raised, if it lost rows since the last flush.
        """
        check_timeout(timeout_sec)
        await self._flush_sinks(timeout_sec, acknowledged)

    async def disconnect(self) -> None:
        """Flushes and closes all sinks; later rows wait in a buffer, bounded by the byte limit."""
        await self._disconnect_sinks()

    async def aclose(self) -> None:
        """Disconnects and closes the stream: logging to it is an error afterwards."""
        await self._close()

    def _close_soon(self) -> None:
        """Like :meth:`aclose`, without anybody waiting for it."""
        if self._capture.gate != DISABLED:
            self._capture.gate = CLOSED
        if self._has_sinks_soon:
            self._closes_soon = True
            self._engine.disconnect_soon()
        else:
            self._warn_about_lost_buffer()

    # --- scopes --------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._active.enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._active.leave(self)

    async def __aenter__(self) -> Self:
        self._active.enter(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.disconnect()
        finally:
            self._active.leave(self)

    def __del__(self) -> None:
        engine = getattr(self, "_engine", None)
        if engine is None or not engine.has_sinks or self._closes_soon:
            return
        # First of all: the warning may be an error.
        engine.disconnect_soon()
        warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)


active: Final = AsyncRecordingStream._active
"""The active recordings of the asyncio API."""


class MemoryRecording:
    """What a stream keeps in memory, see :meth:`AsyncRecordingStream.memory_recording`."""

    def __init__(self, stream: AsyncRecordingStream, sink: MemorySink) -> None:
        self._stream = stream
        self._sink = sink

    async def num_msgs(self) -> int:
        """Flushes, then counts the messages: chunks, and those that announce the recording."""
        await self._flush()
        return self._sink.num_messages

    async def drain_as_bytes(self) -> bytes:
        """Flushes, then takes everything as one complete RRD stream with a footer.

        With nothing in it that has 60 bytes. Cancelling it loses nothing: the next call gives what this
        one would have given.
        """
        from aiorerun.binary import encode_taken

        await self._flush()
        return await encode_taken(self._sink.take_messages(), self._sink.put_back)

    async def _flush(self) -> None:
        # Another sink by now may be slow, and what is here does not depend on it.
        if self._sink.is_open:
            await self._stream.flush()
