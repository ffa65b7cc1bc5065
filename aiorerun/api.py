"""The module-level functions of the asyncio API: they act on the active recording."""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiorerun.errors import set_strict_mode
from aiorerun.face import Face
from aiorerun.logging_handler import BaseLoggingHandler
from aiorerun.scopes import OwnStream
from aiorerun.stream import AsyncRecordingStream, MemoryRecording, active
from aiorerun.stream_base import check_timeout, logger, streams

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from uuid import UUID

    from aiorerun.binary import BinaryStream, LogSinkLike
    from aiorerun.blueprint_sending import BlueprintLike
    from aiorerun.forward import AsyncChunksLike
    from aiorerun.recording.base import BaseRecording
    from aiorerun.types.batches import AsComponents, DescribedComponentBatch

FuncT = TypeVar("FuncT", bound="Callable[..., Any]")

EXAMPLE_PREFIX: Final = "rerun_example_"
FLUSH_AT_INIT_SECS: Final = 5.0
"""How long ``init`` waits for existing recordings: a sink that hangs must not make it hang."""

_face: Final = Face(active)
at = _face.at
disable_timeline = _face.disable_timeline
get_application_id = _face.get_application_id
get_context_local_data_recording = _face.get_context_local_data_recording
get_data_recording = _face.get_data_recording
get_global_data_recording = _face.get_global_data_recording
get_recording_id = _face.get_recording_id
is_enabled = _face.is_enabled
limit = _face.limit
log_nowait = _face.log_nowait
recording_stream_generator_ctx = _face.recording_stream_generator_ctx
reset_time = _face.reset_time
set_context_local_data_recording = _face.set_context_local_data_recording
set_global_data_recording = _face.set_global_data_recording
set_log_tick_enabled = _face.set_log_tick_enabled
set_log_time_enabled = _face.set_log_time_enabled
set_time = _face.set_time
get_thread_local_data_recording = get_context_local_data_recording
set_thread_local_data_recording = set_context_local_data_recording
_own_stream: Final = OwnStream(
    active, AsyncRecordingStream, AsyncRecordingStream._close_soon, AsyncRecordingStream.aclose
)


class LoggingHandler(BaseLoggingHandler):
    """A handler of Python's ``logging`` that logs records as ``TextLog`` rows to the active recording.

    The entity is the module that logged, after the prefix: ``{path_prefix}/{record.module}``. It uses
    :func:`log_nowait`, from any thread: a slow sink never holds up who logs. Aiorerun's own records are
    left out.

    Args:
        path_prefix: What entity paths begin with.
    """

    _face = _face


def context_local_stream(application_id: str) -> Callable[[FuncT], FuncT]:
    """Decorates a function so that each call runs inside a fresh recording with a random id.

    It works for coroutine functions, generators, async generators and plain functions. The recording is
    active in the function, of generators only while they run, never in who consumes them. At the end it
    is flushed and closed; after plain functions and plain generators, which cannot wait, as soon as the
    event loop gets to it.

    Args:
        application_id: The application id of the recordings.
    """

    def decorate(func: FuncT) -> FuncT:
        return _own_stream.decorate(application_id, func)  # type: ignore[return-value]

    return decorate


thread_local_stream = context_local_stream


async def init(
    application_id: str,
    *,
    recording_id: str | UUID | None = None,
    spawn: bool = False,
    init_logging: bool = True,
    default_enabled: bool = True,
    strict: bool | None = None,
    default_blueprint: BlueprintLike | None = None,
    send_properties: bool = True,
) -> None:
    """Starts a recording and makes it the global one. Existing recordings are flushed first.

    Args:
        application_id: Groups recordings of the same program. Ids that begin with ``rerun_example_`` seed
            Python's and numpy's random generators, so that examples repeat themselves.
        recording_id: As for :class:`AsyncRecordingStream`: two calls without it continue one recording.
        spawn: Whether to start the native viewer and send the recording to it, as :func:`spawn` does.
        init_logging: ``False`` creates no recording.
        default_enabled: ``False`` drops everything; the environment variable ``RERUN`` overrides it.
        strict: Sets the global strict mode; ``None`` keeps it.
        default_blueprint: What viewers show if they have no other blueprint for this application, and after a
            reset. Without ``spawn`` the first sink gets it, unless that comes with another.
        send_properties: Record the start time under ``/__properties``.

    Raises:
        ValueError: The application id is empty.
        TypeError: The default blueprint is none.
    """
    check_init(default_blueprint)
    if strict is not None:
        set_strict_mode(strict)
    seed_examples(application_id)
    for stream in list(streams):
        try:
            if isinstance(stream, AsyncRecordingStream):
                await stream.flush(timeout_sec=FLUSH_AT_INIT_SECS)
        except Exception as error:
            logger.warning("init: %r could not be flushed: %s: %s", stream, type(error).__name__, error)
    if init_logging:
        stream = AsyncRecordingStream(
            application_id,
            recording_id=recording_id,
            make_default=True,
            default_enabled=default_enabled,
            send_properties=send_properties,
        )
        if spawn:
            await stream.spawn(default_blueprint=default_blueprint)
        else:
            stream._keep_default("init", default_blueprint)


def check_init(default_blueprint: object) -> None:
    """Checks what is only used later, before anything has changed."""
    if default_blueprint is not None:
        from aiorerun.blueprint_sending import check_blueprint

        check_blueprint("init: default_blueprint", default_blueprint)


def seed_examples(application_id: str) -> None:
    """Makes examples repeat themselves, as Rerun's own do."""
    if application_id.startswith(EXAMPLE_PREFIX):
        random.seed(0)
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed(0)
        else:
            import numpy as np

            np.random.seed(0)  # noqa: NPY002 - it is the legacy generator that examples use


async def log(
    entity_path: str | list[object],
    entity: AsComponents | Iterable[DescribedComponentBatch],
    *extra: AsComponents | Iterable[DescribedComponentBatch],
    static: bool = False,
    recording: AsyncRecordingStream | None = None,
    strict: bool | None = None,
) -> None:
    """Logs one row to the active recording, or to ``recording``; see :meth:`AsyncRecordingStream.log`.

    Without any recording nothing happens.
    """
    stream = _face.choose(recording)
    if stream is not None:
        await stream.log(entity_path, entity, *extra, static=static, strict=strict)


async def flush(
    *, timeout_sec: float = 1e38, recording: AsyncRecordingStream | None = None, acknowledged: bool = False
) -> None:
    """Waits until everything logged before has left the process; see :meth:`AsyncRecordingStream.flush`."""
    check_timeout(timeout_sec)
    stream = _face.choose(recording)
    if stream is not None:
        await stream.flush(timeout_sec=timeout_sec, acknowledged=acknowledged)


async def save(
    path: str | os.PathLike[str],
    default_blueprint: BlueprintLike | None = None,
    recording: AsyncRecordingStream | None = None,
    *,
    write_footer: bool = True,
) -> None:
    """Writes the active recording to a file from now on; see :meth:`AsyncRecordingStream.save`."""
    stream = _face.choose_for_sink("save", recording)
    if stream is not None:
        await stream.save(path, default_blueprint, write_footer=write_footer)


async def send_recording(rrd: BaseRecording, recording: AsyncRecordingStream | None = None) -> None:
    """Sends a loaded recording to the active one; see :meth:`AsyncRecordingStream.send_recording`.

    Raises:
        ValueError: No recording is active.
    """
    stream = _face.choose(recording)
    if stream is None:
        raise ValueError("send_recording: no recording is active; call init() first, or pass recording=")
    await stream.send_recording(rrd)


async def send_chunks(chunks: AsyncChunksLike, *, recording: AsyncRecordingStream | None = None) -> None:
    """Sends chunks to the active recording; see :meth:`AsyncRecordingStream.send_chunks`.

    Without any recording nothing happens.
    """
    stream = _face.choose(recording)
    if stream is not None:
        await stream.send_chunks(chunks)


async def stdout(
    default_blueprint: BlueprintLike | None = None,
    recording: AsyncRecordingStream | None = None,
    *,
    write_footer: bool = True,
) -> None:
    """Writes the active recording to standard output; see :meth:`AsyncRecordingStream.stdout`."""
    stream = _face.choose_for_sink("stdout", recording)
    if stream is not None:
        await stream.stdout(default_blueprint, write_footer=write_footer)


async def binary_stream(recording: AsyncRecordingStream | None = None) -> BinaryStream:
    """Keeps the active recording for a reader; see :meth:`AsyncRecordingStream.binary_stream`.

    Raises:
        RuntimeError: No recording is active.
    """
    stream = _face.choose(recording)
    if stream is None:
        raise RuntimeError("binary_stream: no recording is active; call init() first, or pass recording=")
    return await stream.binary_stream()


async def memory_recording(recording: AsyncRecordingStream | None = None) -> MemoryRecording:
    """Keeps the active recording in memory; see :meth:`AsyncRecordingStream.memory_recording`.

    Raises:
        RuntimeError: No recording is active.
    """
    stream = _face.choose(recording)
    if stream is None:
        raise RuntimeError("memory_recording: no recording is active; call init() first, or pass recording=")
    return await stream.memory_recording()


async def set_sinks(
    *sinks: LogSinkLike,
    default_blueprint: BlueprintLike | None = None,
    recording: AsyncRecordingStream | None = None,
) -> None:
    """Replaces the sinks of the active recording; see :meth:`AsyncRecordingStream.set_sinks`."""
    stream = _face.choose_for_sink("set_sinks", recording)
    if stream is not None:
        await stream.set_sinks(*sinks, default_blueprint=default_blueprint)


async def disconnect(recording: AsyncRecordingStream | None = None) -> None:
    """Flushes and closes the sinks of the active recording; later rows wait in a buffer."""
    stream = _face.choose(recording)
    if stream is not None:
        await stream.disconnect()
