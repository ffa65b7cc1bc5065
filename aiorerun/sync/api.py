"""The module-level functions of the blocking API: they act on the active recording."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiorerun.api import FLUSH_AT_INIT_SECS, check_init, seed_examples
from aiorerun.errors import set_strict_mode
from aiorerun.face import Face
from aiorerun.logging_handler import BaseLoggingHandler
from aiorerun.scopes import OwnStream
from aiorerun.stream_base import check_timeout, logger, streams
from aiorerun.sync.stream import MemoryRecording, RecordingStream, active

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable
    from uuid import UUID

    from aiorerun.blueprint_sending import BlueprintLike
    from aiorerun.forward import ChunksLike
    from aiorerun.recording.base import BaseRecording
    from aiorerun.sync.binary import BinaryStream, LogSinkLike
    from aiorerun.types.batches import AsComponents, DescribedComponentBatch

FuncT = TypeVar("FuncT", bound="Callable[..., Any]")

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


async def _close_in_thread(stream: RecordingStream) -> None:
    await asyncio.to_thread(stream.close)


_own_stream: Final = OwnStream(active, RecordingStream, RecordingStream.close, _close_in_thread)


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

    It works for plain functions, generators, coroutine functions and async generators. The recording is
    active in the function, of generators only while they run, never in who consumes them. At the end it
    is flushed and closed.

    Args:
        application_id: The application id of the recordings.
    """

    def decorate(func: FuncT) -> FuncT:
        return _own_stream.decorate(application_id, func)  # type: ignore[return-value]

    return decorate


thread_local_stream = context_local_stream


def init(
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
        recording_id: As for :class:`RecordingStream`: two calls without it continue one recording.
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
            if isinstance(stream, RecordingStream):
                stream.flush(timeout_sec=FLUSH_AT_INIT_SECS)
        except Exception as error:
            logger.warning("init: %r could not be flushed: %s: %s", stream, type(error).__name__, error)
    if init_logging:
        stream = RecordingStream(
            application_id,
            recording_id=recording_id,
            make_default=True,
            default_enabled=default_enabled,
            send_properties=send_properties,
        )
        if spawn:
            stream.spawn(default_blueprint=default_blueprint)
        else:
            stream._keep_default("init", default_blueprint)


def log(
    entity_path: str | list[object],
    entity: AsComponents | Iterable[DescribedComponentBatch],
    *extra: AsComponents | Iterable[DescribedComponentBatch],
    static: bool = False,
    recording: RecordingStream | None = None,
    strict: bool | None = None,
) -> None:
    """Logs one row to the active recording, or to ``recording``; see :meth:`RecordingStream.log`.

    Without any recording nothing happens.
    """
    stream = _face.choose(recording)
    if stream is not None:
        stream.log(entity_path, entity, *extra, static=static, strict=strict)


def flush(
    *, timeout_sec: float = 1e38, recording: RecordingStream | None = None, acknowledged: bool = False
) -> None:
    """Waits until everything logged before has left the process; see :meth:`RecordingStream.flush`."""
    check_timeout(timeout_sec)
    stream = _face.choose(recording)
    if stream is not None:
        stream.flush(timeout_sec=timeout_sec, acknowledged=acknowledged)


def save(
    path: str | os.PathLike[str],
    default_blueprint: BlueprintLike | None = None,
    recording: RecordingStream | None = None,
    *,
    write_footer: bool = True,
) -> None:
    """Writes the active recording to a file from now on; see :meth:`RecordingStream.save`."""
    stream = _face.choose_for_sink("save", recording)
    if stream is not None:
        stream.save(path, default_blueprint, write_footer=write_footer)


def send_recording(rrd: BaseRecording, recording: RecordingStream | None = None) -> None:
    """Sends a loaded recording to the active one; see :meth:`RecordingStream.send_recording`.

    Raises:
        ValueError: No recording is active.
    """
    stream = _face.choose(recording)
    if stream is None:
        raise ValueError("send_recording: no recording is active; call init() first, or pass recording=")
    stream.send_recording(rrd)


def send_chunks(chunks: ChunksLike, *, recording: RecordingStream | None = None) -> None:
    """Sends chunks to the active recording; see :meth:`RecordingStream.send_chunks`.

    Without any recording nothing happens.
    """
    stream = _face.choose(recording)
    if stream is not None:
        stream.send_chunks(chunks)


def stdout(
    default_blueprint: BlueprintLike | None = None,
    recording: RecordingStream | None = None,
    *,
    write_footer: bool = True,
) -> None:
    """Writes the active recording to standard output; see :meth:`RecordingStream.stdout`."""
    stream = _face.choose_for_sink("stdout", recording)
    if stream is not None:
        stream.stdout(default_blueprint, write_footer=write_footer)


def binary_stream(recording: RecordingStream | None = None) -> BinaryStream:
    """Keeps the active recording for a reader in this process; see :meth:`RecordingStream.binary_stream`.

    Raises:
        RuntimeError: No recording is active.
    """
    stream = _face.choose(recording)
    if stream is None:
        raise RuntimeError("binary_stream: no recording is active; call init() first, or pass recording=")
    return stream.binary_stream()


def memory_recording(recording: RecordingStream | None = None) -> MemoryRecording:
    """Keeps the active recording in memory; see :meth:`RecordingStream.memory_recording`.

    Raises:
        RuntimeError: No recording is active.
    """
    stream = _face.choose(recording)
    if stream is None:
        raise RuntimeError("memory_recording: no recording is active; call init() first, or pass recording=")
    return stream.memory_recording()


def set_sinks(
    *sinks: LogSinkLike,
    default_blueprint: BlueprintLike | None = None,
    recording: RecordingStream | None = None,
) -> None:
    """Replaces the sinks of the active recording; see :meth:`RecordingStream.set_sinks`."""
    stream = _face.choose_for_sink("set_sinks", recording)
    if stream is not None:
        stream.set_sinks(*sinks, default_blueprint=default_blueprint)


def disconnect(recording: RecordingStream | None = None) -> None:
    """Flushes and closes the sinks of the active recording; later rows wait in a buffer."""
    stream = _face.choose(recording)
    if stream is not None:
        stream.disconnect()
