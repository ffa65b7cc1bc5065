"""aiorerun: an asyncio-native SDK that logs multimodal data in Rerun's own formats.

``import aiorerun as rr`` is the asyncio API; ``import aiorerun.sync as rr`` the blocking one. Names are
loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiorerun import _vocabulary
from aiorerun._lazy import lazy

if TYPE_CHECKING:
    from aiorerun import (
        archetypes as archetypes,
        components as components,
        datatypes as datatypes,
        encodings as encodings,
    )
    from aiorerun._vocabulary import *  # noqa: F403
    from aiorerun.api import (
        at as at,
        disable_timeline as disable_timeline,
        disconnect as disconnect,
        flush as flush,
        get_application_id as get_application_id,
        get_context_local_data_recording as get_context_local_data_recording,
        get_data_recording as get_data_recording,
        get_global_data_recording as get_global_data_recording,
        get_recording_id as get_recording_id,
        get_thread_local_data_recording as get_thread_local_data_recording,
        init as init,
        is_enabled as is_enabled,
        log as log,
        log_nowait as log_nowait,
        memory_recording as memory_recording,
        recording_stream_generator_ctx as recording_stream_generator_ctx,
        reset_time as reset_time,
        save as save,
        set_context_local_data_recording as set_context_local_data_recording,
        set_global_data_recording as set_global_data_recording,
        set_log_tick_enabled as set_log_tick_enabled,
        set_log_time_enabled as set_log_time_enabled,
        set_sinks as set_sinks,
        set_thread_local_data_recording as set_thread_local_data_recording,
        set_time as set_time,
    )
    from aiorerun.config import (
        ChunkBatcherConfig as ChunkBatcherConfig,
    )
    from aiorerun.errors import (
        FlushTimeoutError as FlushTimeoutError,
        QueueFullError as QueueFullError,
        RerunWarning as RerunWarning,
        SinkOpenError as SinkOpenError,
        StreamClosedError as StreamClosedError,
        set_strict_mode as set_strict_mode,
        strict_mode as strict_mode,
    )
    from aiorerun.pipeline.ledger import (
        SinkStats as SinkStats,
        StreamStats as StreamStats,
    )
    from aiorerun.sending_api import (
        send_columns as send_columns,
    )
    from aiorerun.sinks.base import (
        Sink as Sink,
        SinkContext as SinkContext,
    )
    from aiorerun.sinks.file import (
        FileSink as FileSink,
    )
    from aiorerun.stream import (
        AsyncRecordingStream as AsyncRecordingStream,
        AsyncRecordingStream as RecordingStream,
        MemoryRecording as MemoryRecording,
    )
    from aiorerun.types.any_values import (
        AnyBatchValue as AnyBatchValue,
        AnyValues as AnyValues,
        DynamicArchetype as DynamicArchetype,
    )
    from aiorerun.types.batches import (
        AsComponents as AsComponents,
        ComponentBatchLike as ComponentBatchLike,
        ComponentBatchMixin as ComponentBatchMixin,
        ComponentColumn as ComponentColumn,
        ComponentColumnList as ComponentColumnList,
        ComponentMixin as ComponentMixin,
        DescribedComponentBatch as DescribedComponentBatch,
    )
    from aiorerun.types.descriptors import (
        ComponentDescriptor as ComponentDescriptor,
    )
    from aiorerun.types.entity_path import (
        escape_entity_path_part as escape_entity_path_part,
        new_entity_path as new_entity_path,
    )
    from aiorerun.types.time_column import (
        TimeColumn as TimeColumn,
        TimeColumnLike as TimeColumnLike,
    )

__version__: Final = "0.1.0"

_HOMES: Final[dict[str, str]] = {
    **_vocabulary.HOMES,
    "AnyBatchValue": "aiorerun.types.any_values",
    "AnyValues": "aiorerun.types.any_values",
    "AsComponents": "aiorerun.types.batches",
    "AsyncRecordingStream": "aiorerun.stream",
    "ChunkBatcherConfig": "aiorerun.config",
    "ComponentBatchLike": "aiorerun.types.batches",
    "ComponentBatchMixin": "aiorerun.types.batches",
    "ComponentColumn": "aiorerun.types.batches",
    "ComponentColumnList": "aiorerun.types.batches",
    "ComponentDescriptor": "aiorerun.types.descriptors",
    "ComponentMixin": "aiorerun.types.batches",
    "DescribedComponentBatch": "aiorerun.types.batches",
    "DynamicArchetype": "aiorerun.types.any_values",
    "FileSink": "aiorerun.sinks.file",
    "FlushTimeoutError": "aiorerun.errors",
    "MemoryRecording": "aiorerun.stream",
    "QueueFullError": "aiorerun.errors",
    "RerunWarning": "aiorerun.errors",
    "RecordingStream": "aiorerun.stream:AsyncRecordingStream",
    "Sink": "aiorerun.sinks.base",
    "SinkContext": "aiorerun.sinks.base",
    "SinkOpenError": "aiorerun.errors",
    "SinkStats": "aiorerun.pipeline.ledger",
    "StreamClosedError": "aiorerun.errors",
    "StreamStats": "aiorerun.pipeline.ledger",
    "TimeColumn": "aiorerun.types.time_column",
    "TimeColumnLike": "aiorerun.types.time_column",
    "archetypes": "aiorerun.archetypes",
    "at": "aiorerun.api",
    "components": "aiorerun.components",
    "datatypes": "aiorerun.datatypes",
    "encodings": "aiorerun.encodings",
    "disable_timeline": "aiorerun.api",
    "disconnect": "aiorerun.api",
    "escape_entity_path_part": "aiorerun.types.entity_path",
    "flush": "aiorerun.api",
    "get_application_id": "aiorerun.api",
    "get_context_local_data_recording": "aiorerun.api",
    "get_data_recording": "aiorerun.api",
    "get_global_data_recording": "aiorerun.api",
    "get_recording_id": "aiorerun.api",
    "get_thread_local_data_recording": "aiorerun.api",
    "init": "aiorerun.api",
    "is_enabled": "aiorerun.api",
    "log": "aiorerun.api",
    "log_nowait": "aiorerun.api",
    "memory_recording": "aiorerun.api",
    "new_entity_path": "aiorerun.types.entity_path",
    "recording_stream_generator_ctx": "aiorerun.api",
    "reset_time": "aiorerun.api",
    "save": "aiorerun.api",
    "send_columns": "aiorerun.sending_api",
    "set_context_local_data_recording": "aiorerun.api",
    "set_global_data_recording": "aiorerun.api",
    "set_log_tick_enabled": "aiorerun.api",
    "set_log_time_enabled": "aiorerun.api",
    "set_sinks": "aiorerun.api",
    "set_strict_mode": "aiorerun.errors",
    "set_thread_local_data_recording": "aiorerun.api",
    "set_time": "aiorerun.api",
    "strict_mode": "aiorerun.errors",
}

__all__ = [
    "AnyBatchValue",
    "AnyValues",
    "AsComponents",
    "AsyncRecordingStream",
    "ChunkBatcherConfig",
    "ComponentBatchLike",
    "ComponentBatchMixin",
    "ComponentColumn",
    "ComponentColumnList",
    "ComponentDescriptor",
    "ComponentMixin",
    "DescribedComponentBatch",
    "DynamicArchetype",
    "FileSink",
    "FlushTimeoutError",
    "MemoryRecording",
    "QueueFullError",
    "RecordingStream",
    "RerunWarning",
    "Sink",
    "SinkContext",
    "SinkOpenError",
    "SinkStats",
    "StreamClosedError",
    "StreamStats",
    "TimeColumn",
    "TimeColumnLike",
    "__version__",
    "archetypes",
    "at",
    "components",
    "datatypes",
    "encodings",
    "disable_timeline",
    "disconnect",
    "escape_entity_path_part",
    "flush",
    "get_application_id",
    "get_context_local_data_recording",
    "get_data_recording",
    "get_global_data_recording",
    "get_recording_id",
    "get_thread_local_data_recording",
    "init",
    "is_enabled",
    "log",
    "log_nowait",
    "memory_recording",
    "new_entity_path",
    "recording_stream_generator_ctx",
    "reset_time",
    "save",
    "send_columns",
    "set_context_local_data_recording",
    "set_global_data_recording",
    "set_log_tick_enabled",
    "set_log_time_enabled",
    "set_sinks",
    "set_strict_mode",
    "set_thread_local_data_recording",
    "set_time",
    "strict_mode",
]
__all__ += _vocabulary.__all__

__getattr__, __dir__ = lazy(__name__, _HOMES)
