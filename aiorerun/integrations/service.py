"""The recording of a service: opened when the service starts, complete when it ends."""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from typing import TYPE_CHECKING, Any, Final, TypedDict

from aiorerun.config import ChunkBatcherConfig
from aiorerun.integrations.worker_files import check_template
from aiorerun.stream import AsyncRecordingStream, active

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorerun.blueprint_sending import BlueprintLike
    from aiorerun.pipeline.overflow import OverflowPolicy
    from aiorerun.sinks.base import Sink

MAX_BYTES_IN_FLIGHT: Final = 32 << 20
"""Bytes that may be under way: a service has other uses for its memory."""
SERVER_MEMORY_LIMIT: Final = "128MiB"
"""What ``serve_grpc`` keeps for viewers that come later."""
CLOSE_TIMEOUT_SECS: Final = 5.0
"""So long a sink may hold up the end of a service: less than what process managers allow."""
_LAST_TRIES: Final = 20
_LAST_PAUSE_SECS: Final = 0.01
"""So often, and so far apart, sinks are opened at the end of an event loop that had no time for it."""

opened: Final[list[AsyncRecordingStream]] = []
"""Recordings that live with a service, for middlewares that have none of their own; the last one counts."""

logger = logging.getLogger("aiorerun")


class RecordingOptions(TypedDict, total=False):
    """Where the recording of a service goes. Several sinks may be given at once.

    Attributes:
        application_id: Groups recordings of the same service; ``"service"`` by default.
        recording_id: Names the recording; by default a random one, so that each worker has its own.
        save: A file. ``{pid}`` in it stands for the number of the process, ``{worker}`` for the lowest number
            that no other living process has. Two processes cannot write the same one.
        connect_grpc: The URL of a viewer or proxy, or ``True`` for the viewer on this machine.
        serve_grpc: The port on which viewers of this machine find the recording; ``True`` for Rerun's own.
        sinks: More sinks, as for :meth:`aiorerun.AsyncRecordingStream.set_sinks`.
        blueprint: How viewers lay it out, if they have no other blueprint.
        overflow: What happens when sinks do not keep up; by default ``"drop_oldest"``, so nobody waits.
        max_bytes_in_flight: Bytes that may be under way; 32 MiB by default.
        close_timeout: Seconds that closing a sink may take when the service ends; 5 by default.
        batcher_config: When rows become chunks; by default every 200 ms, whatever the sinks prefer.
    """

    application_id: str
    recording_id: str | None
    save: str | os.PathLike[str] | None
    connect_grpc: str | bool | None
    serve_grpc: int | bool | None
    sinks: Iterable[Sink]
    blueprint: BlueprintLike | None
    overflow: OverflowPolicy
    max_bytes_in_flight: int
    close_timeout: float
    batcher_config: ChunkBatcherConfig


RECORDING_OPTIONS: Final = frozenset(RecordingOptions.__annotations__)
"""The names of these options."""


class ServiceRecording:
    """A recording that lives as long as a service does. Opened once, on the event loop of the service.

    Args:
        recording: One that the service opens and closes itself; no option may be given then.

    The other arguments are those of :class:`RecordingOptions`.

    Raises:
        ValueError: A recording as well as options for one.
    """

    def __init__(
        self,
        recording: AsyncRecordingStream | None = None,
        *,
        application_id: str = "service",
        recording_id: str | None = None,
        save: str | os.PathLike[str] | None = None,
        connect_grpc: str | bool | None = None,
        serve_grpc: int | bool | None = None,
        sinks: Iterable[Sink] = (),
        blueprint: BlueprintLike | None = None,
        overflow: OverflowPolicy = "drop_oldest",
        max_bytes_in_flight: int = MAX_BYTES_IN_FLIGHT,
        close_timeout: float = CLOSE_TIMEOUT_SECS,
        batcher_config: ChunkBatcherConfig | None = None,
    ) -> None:
        self._save = None if save is None else check_template(save)
        self._connect = connect_grpc
        self._serve = serve_grpc
        self._sinks = tuple(sinks)
        self._blueprint = blueprint
        self._application_id = application_id
        self._recording_id = recording_id
        self._options: dict[str, Any] = {
            "overflow": overflow,
            "max_bytes_in_flight": max_bytes_in_flight,
            "close_timeout": close_timeout,
            # Chunks of single requests, as sinks for viewers ask for them, would cost too much.
            "batcher_config": ChunkBatcherConfig.DEFAULT() if batcher_config is None else batcher_config,
        }
        if recording is not None and self.owns:
            raise ValueError(
                "recording: it has its own sinks; leave save, connect_grpc, serve_grpc and sinks out"
            )
        self.recording = recording
        self._is_open = False
        self._has_ended = False
        self._has_failed = False
        self._made: list[Sink] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening: asyncio.Task[None] | None = None

    @property
    def owns(self) -> bool:
        """Whether there is a sink, and so a recording to open and to close."""
        wanted = (self._save, self._connect, self._serve)
        return bool(self._sinks) or any(each is not None and each is not False for each in wanted)

    async def open(self) -> AsyncRecordingStream | None:
        """Opens the recording and its sinks, once. It is the global recording then if there was none.

        Returns:
            The recording; ``None`` if there is nothing to open.

        Raises:
            SinkOpenError: A sink cannot be opened: another worker writes to the file, or the port is taken.
        """
        if not self.owns:
            if self.recording is not None:
                opened.append(self.recording)
            return self.recording
        loop = asyncio.get_running_loop()
        self.resume(loop)
        if self._opening is not None:
            await asyncio.shield(self._opening)
        if self._is_open:
            return self.recording
        self._has_ended = False
        recording = self._make(loop)
        await self._attach(recording)
        return recording

    def open_soon(self) -> AsyncRecordingStream | None:
        """Opens the recording in the background, where no start of the service was seen.

        Rows wait until the sinks are there. If one cannot be opened, that is logged once and nothing is
        recorded.
        """
        if not self.owns or self._is_open or self._has_ended or self._has_failed:
            return self.recording
        loop = asyncio.get_running_loop()
        recording = self._make(loop)
        self._opening = loop.create_task(self._attach_quietly(recording))
        return recording

    def resume(self, loop: asyncio.AbstractEventLoop) -> None:
        """Opens the sinks once more, in the background, if the event loop that drove them has ended.

        Where nobody tells of the end of the service, as without lifespans, its recording goes on with the
        next loop.
        """
        former, recording = self._loop, self.recording
        if not self.owns or not self._is_open or former is None or recording is None:
            return
        if former is not loop and former.is_closed():
            self._loop = loop
            self._opening = loop.create_task(self._attach_quietly(recording))

    def _make(self, loop: asyncio.AbstractEventLoop) -> AsyncRecordingStream:
        self._loop = loop
        name = uuid.uuid4().hex if self._recording_id is None else self._recording_id
        made = AsyncRecordingStream(self._application_id, recording_id=name, **self._options)
        self.recording = made
        self._is_open = True
        opened.append(made)
        if active.get_global() is None:
            active.set_global(made)
        return made

    async def _attach(self, recording: AsyncRecordingStream) -> None:
        try:
            await self._send_to_sinks(recording)
        except BaseException:
            self._give_up(recording)
            raise

    async def _attach_quietly(self, recording: AsyncRecordingStream) -> None:
        try:
            await self._send_to_sinks(recording)
        except Exception:
            logger.exception("the recording of this service cannot be opened, nothing is recorded")
            self._has_failed = True
            self._give_up(recording)
        except asyncio.CancelledError:
            # What sinks have taken over by now, the recording finishes itself.
            if not recording._engine.has_sinks:
                await self._send_at_last(recording)
            raise
        finally:
            if self._opening is asyncio.current_task():
                self._opening = None

    async def _send_at_last(self, recording: AsyncRecordingStream) -> None:
        """Opens the sinks for what is there, where the loop ends before that was done.

        The loop waits for the tasks that it has cancelled. That of the recording is one of them: for as long
        as it ends, sinks cannot be opened.
        """
        for _ in range(_LAST_TRIES):
            try:
                await self._send_to_sinks(recording)
                await recording.disconnect()
            except asyncio.CancelledError:
                await asyncio.sleep(_LAST_PAUSE_SECS)
            except Exception as error:
                logger.debug("rows of a service were not recorded before its event loop ended: %s", error)
                return
            else:
                return

    async def _send_to_sinks(self, recording: AsyncRecordingStream) -> None:
        if not self._made:
            # The same ones on the next loop: they may have been opened when the last one ended.
            self._made = self._make_sinks()
        await recording.set_sinks(*self._made, default_blueprint=self._blueprint)
        await recording.send_recording_name(f"{self._application_id}, process {os.getpid()}")

    def _give_up(self, recording: AsyncRecordingStream) -> None:
        self._forget()
        recording._close_soon()

    def _make_sinks(self) -> list[Sink]:
        made: list[Sink] = []
        if self._save is not None:
            from aiorerun.integrations.worker_files import WorkerFileSink

            made.append(WorkerFileSink(self._save))
        if self._connect is not None and self._connect is not False:
            from aiorerun.sinks.grpc import GrpcSink

            made.append(GrpcSink(None if self._connect is True else self._connect))
        if self._serve is not None and self._serve is not False:
            from aiorerun.config import DEFAULT_GRPC_PORT
            from aiorerun.server import GrpcServerSink

            port = DEFAULT_GRPC_PORT if self._serve is True else self._serve
            made.append(GrpcServerSink(port=port, server_memory_limit=SERVER_MEMORY_LIMIT))
        return [*made, *self._sinks]

    def _forget(self) -> None:
        recording, self.recording = self.recording, None
        self._made = []
        self._is_open = False
        _take_out(recording)
        if active.get_global() is recording:
            active.set_global(None)

    async def close(self) -> None:
        """Flushes and closes what :meth:`open` opened. Never raises: the end of a service goes on.

        Cancelling it does not keep the recording from being closed.
        """
        if not self.owns:
            _take_out(self.recording)
            return
        self._has_ended = True
        if not self._is_open:
            return
        recording = self.recording
        opening = self._opening
        # One that another loop took with it never ends.
        if opening is not None and opening.get_loop() is asyncio.get_running_loop():
            await asyncio.wait([opening])
        self._forget()
        if recording is None:
            return
        try:
            await recording.aclose()
        except Exception:
            logger.exception("%r could not be closed", recording)


def shared_recording() -> AsyncRecordingStream | None:
    """The recording for whoever has none of its own: that of the service, else the active one."""
    return opened[-1] if opened else active.get()


def _take_out(recording: AsyncRecordingStream | None) -> None:
    if recording in opened:
        opened.remove(recording)
