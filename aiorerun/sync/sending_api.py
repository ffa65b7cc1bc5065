"""The module-level functions of the blocking API that send many rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun.sync.stream import active

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorerun.pipeline.columns import ComponentColumnLike
    from aiorerun.sync.stream import RecordingStream
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
