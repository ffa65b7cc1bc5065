"""The names of the module of the same name in ``rerun``: recordings, and which one is active."""

from __future__ import annotations

from aiorerun.config import (
    ChunkBatcherConfig,
)
from aiorerun.sync.api import (
    binary_stream,
    get_application_id,
    get_data_recording,
    get_global_data_recording,
    get_recording_id,
    get_thread_local_data_recording,
    is_enabled,
    recording_stream_generator_ctx,
    set_global_data_recording,
    set_thread_local_data_recording,
    thread_local_stream,
)
from aiorerun.sync.binary import (
    BinaryStream,
)
from aiorerun.sync.stream import (
    RecordingStream,
)

__all__ = [
    "BinaryStream",
    "ChunkBatcherConfig",
    "RecordingStream",
    "binary_stream",
    "get_application_id",
    "get_data_recording",
    "get_global_data_recording",
    "get_recording_id",
    "get_thread_local_data_recording",
    "is_enabled",
    "recording_stream_generator_ctx",
    "set_global_data_recording",
    "set_thread_local_data_recording",
    "thread_local_stream",
]
