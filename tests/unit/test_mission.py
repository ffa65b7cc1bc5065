"""Every name that is promised: parameters, their order, kinds and defaults, in both APIs.

The table is the contract, written down by hand. All of it is there.
"""

from __future__ import annotations

import functools
import inspect
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

import aiorerun
import aiorerun.sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

FACES: Final[dict[str, ModuleType]] = {"asyncio": aiorerun, "blocking": aiorerun.sync}

CO: Final = "co"
"""A coroutine function in the asyncio API, a plain one in the blocking API."""
FN: Final = "fn"
"""A plain function in both."""

OURS: Final = {
    "FileSink": {"overflow", "max_queued_bytes"},
    "GrpcServerSink": {"token", "tls", "insecure"},
    "GrpcSink": {
        "replay_bytes",
        "spill_dir",
        "spill_bytes",
        "overflow",
        "max_queued_bytes",
        "on_state",
    },
    "RecordingStream.flush": {"acknowledged"},
    "RecordingStream.spawn": {"server_memory_limit", "executable_name", "executable_path"},
    "flush": {"acknowledged"},
    "serve_web_viewer": {"bind_ip"},
    "RecordingStream": {
        "max_bytes_in_flight",
        "max_wait",
        "close_timeout",
        "make_context_default",
        "overflow",
    },
    "recording.load_archive": {"on_error"},
    "recording.load_recording": {"on_error"},
}
"""Additions of this SDK, keyword-only, beside what is promised."""


class Row(NamedTuple):
    """A promise.

    Attributes:
        name: The name, dotted for methods; ``RecordingStream.`` stands for the class of each API.
        kind: ``CO`` or ``FN``.
        parameters: As in a ``def``, defaults as source code.
    """

    name: str
    kind: str
    parameters: str


TIME = "timeline, *, sequence=None, duration=None, timestamp=None"
GRPC = "url=None, *, default_blueprint=None, tls=None, token=None"
SERVE = (
    "*, grpc_port=None, default_blueprint=None, server_memory_limit='25%', newest_first=False, "
    "cors_allow_origin=None, bind_ip='127.0.0.1', token=None, tls=None, insecure=False"
)
FILE = "*, entity_path_prefix=None, static=False"

# As methods without `recording`, as functions with it: where it stands, and of which kind it is.
BOTH = [
    # sinks
    (CO, "set_sinks", "*sinks, default_blueprint=None", "*sinks, default_blueprint=None, recording=None"),
    (CO, "connect_grpc", GRPC, GRPC + ", recording=None"),
    (
        CO,
        "save",
        "path, default_blueprint=None, *, write_footer=True",
        "path, default_blueprint=None, recording=None, *, write_footer=True",
    ),
    (
        CO,
        "stdout",
        "default_blueprint=None, *, write_footer=True",
        "default_blueprint=None, recording=None, *, write_footer=True",
    ),
    (CO, "memory_recording", "", "recording=None"),
    (CO, "binary_stream", "", "recording=None"),
    (CO, "serve_grpc", SERVE, SERVE + ", recording=None"),
    (CO, "disconnect", "", "recording=None"),
    (CO, "flush", "*, timeout_sec=1e38", "*, timeout_sec=1e38, recording=None"),
    (
        CO,
        "send_blueprint",
        "blueprint, *, make_active=True, make_default=True",
        "blueprint, *, make_active=True, make_default=True, recording=None",
    ),
    (
        CO,
        "notebook_show",
        "*, width=None, height=None, blueprint=None",
        "*, width=None, height=None, blueprint=None, recording=None",
    ),
    # logging
    (
        CO,
        "log",
        "entity_path, entity, *extra, static=False, strict=None",
        "entity_path, entity, *extra, static=False, recording=None, strict=None",
    ),
    (
        FN,
        "log_nowait",
        "entity_path, entity, *extra, static=False, strict=None",
        "entity_path, entity, *extra, static=False, recording=None, strict=None",
    ),
    (CO, "log_file_from_path", "file_path, " + FILE, "file_path, " + FILE + ", recording=None"),
    (
        CO,
        "log_file_from_contents",
        "file_path, file_contents, " + FILE,
        "file_path, file_contents, " + FILE + ", recording=None",
    ),
    (
        CO,
        "send_columns",
        "entity_path, indexes, columns, *, strict=None",
        "entity_path, indexes, columns, *, recording=None, strict=None",
    ),
    (CO, "send_chunks", "chunks", "chunks, *, recording=None"),
    (CO, "send_recording", "recording", "rrd, recording=None"),
    (CO, "send_property", "name, values", "name, values, recording=None"),
    (CO, "send_recording_name", "name", "name, recording=None"),
    (CO, "send_recording_start_time_nanos", "nanos", "nanos, recording=None"),
    (FN, "get_recording_id", "", "recording=None"),
    (FN, "get_application_id", "", "recording=None"),
    (FN, "is_enabled", "", "recording=None"),
    # time
    (FN, "set_time", TIME, TIME + ", recording=None"),
    (FN, "at", TIME, TIME + ", recording=None"),
    (FN, "disable_timeline", "timeline", "timeline, recording=None"),
    (FN, "reset_time", "", "recording=None"),
    (FN, "set_log_tick_enabled", "enabled", "enabled, recording=None"),
    (FN, "set_log_time_enabled", "enabled", "enabled, recording=None"),
]

ALONE = [
    Row(
        "RecordingStream",
        FN,
        "application_id, *, recording_id=None, make_default=False, make_thread_default=False, "
        "default_enabled=True, send_properties=True, batcher_config=None",
    ),
    Row(
        "RecordingStream.spawn",
        CO,
        "*, port=9876, connect=True, memory_limit='75%', hide_welcome_screen=False, detach_process=True, "
        "default_blueprint=None",
    ),
    Row(
        "spawn",
        CO,
        "*, port=9876, connect=True, memory_limit='75%', server_memory_limit='0B', "
        "hide_welcome_screen=False, detach_process=True, executable_name='rerun', executable_path=None, "
        "default_blueprint=None, recording=None",
    ),
    # `recording` is a parameter of the batch functions that comes first among the keywords or last.
    Row("RecordingStream.send_dataframe", CO, "df, *, index=AUTO_INDEX, entity_path=None"),
    Row("RecordingStream.send_record_batch", CO, "batch, *, index=AUTO_INDEX, entity_path=None"),
    Row("send_dataframe", CO, "df, recording=None, *, index=AUTO_INDEX, entity_path=None"),
    Row("send_record_batch", CO, "batch, recording=None, *, index=AUTO_INDEX, entity_path=None"),
    Row("serve_web_viewer", CO, "*, web_port=None, open_browser=True, connect_to=None"),
    Row(
        "legacy_notebook_show",
        CO,
        "*, width=950, height=712, app_url=None, timeout_ms=2000, blueprint=None, recording=None",
    ),
    Row(
        "init",
        CO,
        "application_id, *, recording_id=None, spawn=False, init_logging=True, default_enabled=True, "
        "strict=None, default_blueprint=None, send_properties=True",
    ),
    Row(
        "ChunkBatcherConfig",
        FN,
        "flush_tick=None, flush_num_bytes=None, flush_num_rows=None, chunk_max_rows_if_unsorted=None",
    ),
    Row("ChunkBatcherConfig.DEFAULT", FN, ""),
    Row("ChunkBatcherConfig.LOW_LATENCY", FN, ""),
    Row("ChunkBatcherConfig.ALWAYS", FN, ""),
    Row("ChunkBatcherConfig.ALWAYS_TEST_ONLY", FN, ""),
    Row("ChunkBatcherConfig.NEVER", FN, ""),
    Row("DescribedComponentBatch", FN, "batch, descriptor"),
    Row("DescribedComponentBatch.as_arrow_array", FN, ""),
    Row("DescribedComponentBatch.component_descriptor", FN, ""),
    Row("DescribedComponentBatch.partition", FN, "lengths=None"),
    # active recording
    Row("get_data_recording", FN, "recording=None"),
    Row("get_global_data_recording", FN, ""),
    Row("set_global_data_recording", FN, "recording"),
    Row("get_thread_local_data_recording", FN, ""),
    Row("set_thread_local_data_recording", FN, "recording"),
    Row("get_context_local_data_recording", FN, ""),
    Row("set_context_local_data_recording", FN, "recording"),
    Row("thread_local_stream", FN, "application_id"),
    Row("context_local_stream", FN, "application_id"),
    Row("recording_stream_generator_ctx", FN, "func"),
    Row("set_strict_mode", FN, "mode"),
    Row("strict_mode", FN, ""),
    Row("rerun_shutdown", FN, ""),
    Row("unregister_shutdown", FN, ""),
    Row("shutdown_at_exit", FN, "func"),
    Row("cleanup_if_forked_child", FN, ""),
    Row("version", FN, ""),
    Row("script_add_args", FN, "parser"),
    Row("script_setup", CO, "args, application_id, *, recording_id=None, default_blueprint=None"),
    Row("script_teardown", CO, "args"),
    Row("LoggingHandler", FN, "path_prefix=None"),
    Row("LoggingHandler.emit", FN, "record"),
    Row("escape_entity_path_part", FN, "part"),
    Row("new_entity_path", FN, "parts"),
    Row("start_web_viewer_server", CO, "port=0"),
    # sinks and what is read back
    Row("GrpcSink", FN, "url=None, *, tls=None, token=None"),
    Row("FileSink", FN, "path, *, write_footer=True"),
    Row(
        "GrpcServerSink",
        FN,
        "bind_ip='127.0.0.1', port=9876, *, server_memory_limit='25%', newest_first=False, "
        "cors_allow_origin=None",
    ),
    Row("MemoryRecording.num_msgs", CO, ""),
    Row("MemoryRecording.drain_as_bytes", CO, ""),
    Row("BinaryStream.read", CO, "*, flush=True, flush_timeout_sec=inf"),
    Row("BinaryStream.flush", CO, "timeout_sec=inf"),
    Row("recording.load_recording", CO, "path"),
    Row("recording.load_archive", CO, "path"),
    # columns and components
    Row("TimeColumn", FN, "timeline, *, sequence=None, duration=None, timestamp=None"),
    Row("TimeColumn.timeline_name", FN, ""),
    Row("TimeColumn.as_arrow_array", FN, ""),
    Row("TimeColumnLike.timeline_name", FN, ""),
    Row("TimeColumnLike.as_arrow_array", FN, ""),
    Row("ComponentColumn", FN, "descriptor, component_batch, *, lengths=None, offsets=None"),
    Row("ComponentColumn.as_arrow_array", FN, ""),
    Row("ComponentColumn.component_descriptor", FN, ""),
    Row("ComponentColumn.partition", FN, "lengths"),
    Row("ComponentColumnList", FN, "columns"),
    Row("ComponentColumnList.partition", FN, "lengths"),
    Row("ComponentBatchLike.as_arrow_array", FN, ""),
    Row("AsComponents.as_component_batches", FN, ""),
    Row("ComponentBatchMixin.component_type", FN, ""),
    Row("ComponentBatchMixin.described", FN, "descriptor"),
    Row("ComponentBatchMixin.partition", FN, "lengths=None"),
    Row("ComponentMixin.arrow_type", FN, ""),
    Row("ComponentMixin.component_type", FN, ""),
    Row("ComponentDescriptor", FN, "component, archetype=None, component_type=None"),
    Row("ComponentDescriptor.with_overrides", FN, "archetype=None, component_type=None"),
    Row("ComponentDescriptor.or_with_overrides", FN, "archetype=None, component_type=None"),
    Row("ComponentDescriptor.with_builtin_archetype", FN, "archetype"),
    Row("AnyValues", FN, "drop_untyped_nones=True, **kwargs"),
    Row("AnyValues.with_component_from_data", FN, "descriptor, value, *, drop_untyped_nones=True"),
    Row("AnyValues.columns", FN, "drop_untyped_nones=True, **kwargs"),
    Row("DynamicArchetype", FN, "archetype, drop_untyped_nones=True, components=None"),
    Row("AnyBatchValue", FN, "descriptor, value, *, drop_untyped_nones=True, expect_column=False"),
    Row("AnyBatchValue.column", FN, "descriptor, value, drop_untyped_nones=True"),
    Row("AnyBatchValue.is_valid", FN, ""),
]

ROWS: Final = {
    row.name: row
    for row in [
        *ALONE,
        *(Row(name, kind, function) for kind, name, _, function in BOTH),
        *(Row(f"RecordingStream.{name}", kind, method) for kind, name, method, _ in BOTH),
    ]
}

VALUES: Final = {
    "EXTERNAL_DATA_LOADER_INCOMPATIBLE_EXIT_CODE": 66,
    "EXTERNAL_IMPORTER_INCOMPATIBLE_EXIT_CODE": 66,
    "__version__": aiorerun.__version__,
    "SORBET_INDEX_NAME": b"rerun:index_name",
    "SORBET_ENTITY_PATH": b"rerun:entity_path",
    "SORBET_ARCHETYPE_NAME": b"rerun:archetype",
    "SORBET_COMPONENT": b"rerun:component",
    "SORBET_COMPONENT_TYPE": b"rerun:component_type",
    "SORBET_IS_TABLE_INDEX": b"rerun:is_table_index",
    "RERUN_KIND": b"rerun:kind",
    "RERUN_KIND_CONTROL": b"control",
    "RERUN_KIND_INDEX": b"index",
    "RECORDING_PROPERTIES_PATH": "/__properties",
}

OTHER_NAMES: Final = {
    "RerunWarning", "LogSinkLike", "MemoryRecording", "BinaryStream", "archetypes", "components",
    "datatypes", "encodings", "AUTO_INDEX", "FlushTimeoutError", "SinkOpenError", "InvalidUrlError",
    "BadMemoryLimitError", "recording",
}  # fmt: skip
"""Names that are promised without a signature."""

CALLED_BY_OTHERS: Final = {"LoggingHandler.emit"}
"""What tests reach through another library only."""

MODULE: Final = r"(?:rr|aiorerun|sync|rerun|face)"
"""What tests call the module they test."""

TESTS: Final = Path(__file__).parents[1]


@functools.cache
def text_of_tests() -> str:
    """All other tests that run something."""
    files = (path for path in TESTS.rglob("*.py") if "typing" not in path.parts and path != Path(__file__))
    return "\n".join(path.read_text() for path in files)


def find(face: ModuleType, name: str) -> Any:
    """What a promised name stands for in one of the APIs; ``None`` if it is not there."""
    found: Any = face
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def text_of(parameter: inspect.Parameter) -> str:
    """A parameter as in a ``def``."""
    default = parameter.default
    if default is inspect.Parameter.empty:
        return parameter.name
    shown = "inf" if default == math.inf else repr(default)
    return f"{parameter.name}={'1e38' if shown == '1e+38' else shown}"


def parameters_of(function: Callable[..., Any], left_out: set[str]) -> str:
    """The parameters of a function as source code, without ``self``."""
    texts: list[str] = []
    star = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in left_out | {"self", "cls"}:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            texts.append(f"*{parameter.name}")
            star = True
        elif parameter.kind is parameter.VAR_KEYWORD:
            texts.append(f"**{parameter.name}")
        else:
            if parameter.kind is parameter.KEYWORD_ONLY and not star:
                texts.append("*")
                star = True
            texts.append(text_of(parameter))
    return ", ".join(texts)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("name", sorted(ROWS))
def test_what_is_promised_is_there(name: str, face: str) -> None:
    row = ROWS[name]
    found = find(FACES[face], name)

    assert found is not None
    assert parameters_of(found, OURS.get(name, set())) == row.parameters
    assert inspect.iscoroutinefunction(found) == (row.kind == CO and face == "asyncio")


@pytest.mark.parametrize("name", sorted(ROWS.keys() - CALLED_BY_OTHERS))
def test_what_is_promised_is_used_by_another_test(name: str) -> None:
    owner, _, last = name.rpartition(".")
    used = rf"\b(?<!rr)(?<!aiorerun)\.{last}\b" if owner else rf"\b{MODULE}\.{last}\b|\b(?<!\.){last}\("
    assert re.search(used, text_of_tests()), f"no test uses {name}"


@pytest.mark.parametrize("face", FACES)
def test_additions_are_keywords(face: str) -> None:
    for name, additions in OURS.items():
        parameters = inspect.signature(find(FACES[face], name)).parameters
        for addition in additions:
            assert parameters[addition].kind is inspect.Parameter.KEYWORD_ONLY
            assert parameters[addition].default is not inspect.Parameter.empty


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("name", sorted(VALUES))
def test_constants(name: str, face: str) -> None:
    assert find(FACES[face], name) == VALUES[name]


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("name", sorted(OTHER_NAMES))
def test_other_names(name: str, face: str) -> None:
    assert find(FACES[face], name) is not None
    assert name in FACES[face].__all__


def test_names_of_the_class() -> None:
    assert aiorerun.RecordingStream is aiorerun.AsyncRecordingStream
    for face in FACES.values():
        assert face.thread_local_stream is face.context_local_stream
        assert face.get_thread_local_data_recording == face.get_context_local_data_recording
        assert face.set_thread_local_data_recording == face.set_context_local_data_recording
