"""The module-level functions of the blocking API that send many rows, or whole files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.sync.stream import active
from aiorerun.types.sorbet import AUTO_INDEX

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    import pyarrow as pa

    from aiorerun.pipeline.columns import ComponentColumnLike
    from aiorerun.pipeline.dataframes import Index
    from aiorerun.sync.stream import RecordingStream
    from aiorerun.types.batches import AsComponents, DescribedComponentBatch
    from aiorerun.types.time_column import TimeColumnLike


def send_columns(
    entity_path: str | list[object],
    indexes: Iterable[TimeColumnLike],
    columns: Iterable[ComponentColumnLike],
    *,
    recording: RecordingStream | None = None,
    strict: bool | None = None,
) -> None:
    """Sends many rows to the active recording; see :meth:`RecordingStream.send_columns`.

    Without any recording nothing happens.
    """
    stream = recording if recording is not None else active.get()
    if stream is not None:
        stream.send_columns(entity_path, indexes, columns, strict=strict)


def send_dataframe(
    df: Any,
    recording: RecordingStream | None = None,
    *,
    index: Index = AUTO_INDEX,
    entity_path: str | list[object] | None = None,
) -> None:
    """Sends the rows of a table to the active recording.

    See :meth:`RecordingStream.send_dataframe`.
    """
    stream = recording if recording is not None else active.get()
    if stream is not None:
        stream.send_dataframe(df, index=index, entity_path=entity_path)


def send_record_batch(
    batch: pa.RecordBatch,
    recording: RecordingStream | None = None,
    *,
    index: Index = AUTO_INDEX,
    entity_path: str | list[object] | None = None,
) -> None:
    """Sends the rows of an Arrow record batch to the active recording.

    See :meth:`RecordingStream.send_record_batch`.
    """
    stream = recording if recording is not None else active.get()
    if stream is not None:
        stream.send_record_batch(batch, index=index, entity_path=entity_path)


def send_property(
    name: str,
    values: AsComponents | Iterable[DescribedComponentBatch],
    recording: RecordingStream | None = None,
) -> None:
    """Records a property of the active recording.

    See :meth:`RecordingStream.send_property`.
    """
    stream = recording if recording is not None else active.get()
    if stream is not None:
        stream.send_property(name, values)


def send_recording_name(
    name: str,
    recording: RecordingStream | None = None,
) -> None:
    """Records the name of the active recording.

    See :meth:`RecordingStream.send_recording_name`.
    """
    stream = recording if recording is not None else active.get()
    if stream is not None:
        stream.send_recording_name(name)


def send_recording_start_time_nanos(
    nanos: int,
    recording: RecordingStream | None = None,
) -> None:
    """Records when the active recording began.

    See :meth:`RecordingStream.send_recording_start_time_nanos`.
    """
    stream = recording if recording is not None else active.get()
    if stream is not None:
        stream.send_recording_start_time_nanos(nanos)


def log_file_from_path(
    file_path: str | os.PathLike[str],
    *,
    entity_path_prefix: str | list[object] | None = None,
    static: bool = False,
    recording: RecordingStream | None = None,
) -> None:
    """Logs what is in a file to the active recording; see :meth:`RecordingStream.log_file_from_path`.

    Without any recording nothing happens.
    """
    stream = recording if recording is not None else active.get()
    if stream is not None:
        stream.log_file_from_path(file_path, entity_path_prefix=entity_path_prefix, static=static)


def log_file_from_contents(
    file_path: str | os.PathLike[str],
    file_contents: bytes | bytearray | memoryview,
    *,
    entity_path_prefix: str | list[object] | None = None,
    static: bool = False,
    recording: RecordingStream | None = None,
) -> None:
    """Logs the contents of a file to the active recording.

    See :meth:`RecordingStream.log_file_from_contents`. Without any recording nothing happens.
    """
    stream = recording if recording is not None else active.get()
    if stream is not None:
        stream.log_file_from_contents(
            file_path, file_contents, entity_path_prefix=entity_path_prefix, static=static
        )
