"""The rows of an entity, one by one, for people and for programs."""

from __future__ import annotations

import contextlib
import json
import math
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from aiorerun.codec.chunk_arrow import fixed_width_values, row_id_numbers
from aiorerun.codec.decode_messages import ArrowMsg, Footer, decode_message
from aiorerun.codec.errors import RrdError
from aiorerun.files.passing import Passing
from aiorerun.files.progress import Stage, ignore
from aiorerun.files.reading import FileReader, Note, no_note
from aiorerun.files.summary import MAX_FOOTER_BYTES
from aiorerun.recording.archive import indexes_by_footer
from aiorerun.recording.chunk import Chunk
from aiorerun.recording.tables import as_lists
from aiorerun.types.timeline import Timeline, TimelineKind
from aiorerun.types.tuid import Tuid

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Iterable, Iterator

    from aiorerun.codec.decoder import RawMessage
    from aiorerun.files.progress import OnProgress
    from aiorerun.recording.follow import Tail
    from aiorerun.types.store import StoreId

_SHOWN_ITEMS: Final = 4
_SHOWN_CHARS: Final = 200


class Row(NamedTuple):
    """A row of an entity.

    Attributes:
        store: The recording.
        row_id: Its id.
        times: The timelines it is on, with its times; none if it is static.
        components: Of each that it has, a list of instances as an Arrow array.
    """

    store: StoreId
    row_id: Tuid
    times: list[tuple[Timeline, int]]
    components: dict[str, pa.Array[Any]]


def chunks_of(
    path: str | os.PathLike[str],
    entity_path: str,
    *,
    on_note: Callable[[Note], object] = no_note,
    on_progress: OnProgress = ignore,
) -> Iterator[Chunk]:
    """The chunks of an entity of all recordings of a file, in the order of the file.

    With a footer only they are read, otherwise the whole file.

    Args:
        path: The file, a pipe, or ``-`` for the standard input.
        entity_path: The entity, in normal form.
        on_note: Is told of what is incomplete or damaged, and left out.
        on_progress: Is told how far it is.

    Raises:
        RrdError: It is no RRD file.
        OSError: It cannot be read.
    """
    with FileReader(path, on_note, skip_damage=True) as reader:
        passing = Passing(validate=True)
        indexes = indexes_by_footer(reader.source, MAX_FOOTER_BYTES)
        if indexes is None:
            for _, chunk in reader.messages(
                lambda raw: _chunk_of(passing, raw, entity_path), Stage(on_progress, 0, reader.size)
            ):
                if chunk is not None:
                    yield chunk
            return
        places: list[tuple[int, int]] = []
        for index in indexes:
            chosen = index.select(entity_path, None, None)
            places += zip(index.offsets[chosen].tolist(), index.sizes[chosen].tolist(), strict=True)
        for number, (place, size) in enumerate(sorted(places)):
            try:
                chunk = _chunk_of(passing, reader.read(place, size), entity_path)
            except RrdError as error:
                on_note(Note(reader.source.name, place, f"left out: {error}"))
                continue
            if chunk is not None:
                yield chunk
            on_progress(number, len(places))


def _chunk_of(passing: Passing, raw: RawMessage, entity_path: str) -> Chunk | None:
    decoded = decode_message(raw.kind, raw.payload)
    if isinstance(decoded, Footer):
        return None
    passing.store(decoded)
    if not isinstance(decoded, ArrowMsg):
        return None
    found = passing.chunk(raw)
    if found.facts.entity_path != entity_path:
        return None
    chunk = Chunk(lambda: (found.batch, found.facts), found.store)
    chunk._loaded()
    return chunk


def new_chunks_of(
    tail: Tail, entity_path: str, on_note: Callable[[Note], object], name: str = ""
) -> list[Chunk] | None:
    """The chunks of an entity that have come to a file that grows, since the last look.

    Args:
        tail: The file.
        entity_path: The entity, in normal form.
        on_note: Is told of what is damaged, and left out.
        name: What notes call the file.

    Returns:
        The chunks; ``None`` if nothing at all has come.

    Raises:
        OSError: It cannot be read.
    """
    items = tail.read()
    found: list[Chunk] = []
    for item in items:
        if isinstance(item, RrdError):
            on_note(Note(name, 0, str(item)))
        elif item.entity_path == entity_path:
            found.append(item)
    return found if items else None


def rows_of(chunk: Chunk, component: str | None = None, recording_id: str | None = None) -> Iterator[Row]:
    """The rows of a chunk.

    Args:
        chunk: The chunk.
        component: Only rows with this component, and only it.
        recording_id: Only of this recording.
    """
    store = chunk.store
    assert store is not None
    if recording_id not in (None, store.recording_id):
        return
    ids = row_id_numbers(chunk.row_ids).tolist()
    times = [(each, fixed_width_values(chunk.column(each.name)).tolist()) for each in chunk.timelines]
    columns = [
        (each.component, as_lists(chunk._component_column(each.component)))
        for each in chunk.components
        if component in (None, each.component)
    ]
    for position, row_id in enumerate(ids):
        values = {name: column[position].values for name, column in columns if column[position].is_valid}
        if values or component is None:
            row_times = [(timeline, numbers[position]) for timeline, numbers in times]
            yield Row(store, Tuid(*row_id), row_times, values)


# --- for people -------------------------------------------------------------------------------------


def time_text(kind: TimelineKind, time: int) -> str:
    """A time for people: a number, seconds, or a date with time in UTC."""
    if kind is TimelineKind.TIMESTAMP:
        text = str(np.datetime64(time, "ns"))
        return f"{text}Z"
    if kind is TimelineKind.DURATION:
        sign = "-" if time < 0 else ""
        seconds, rest = divmod(abs(time), 1_000_000_000)
        return f"{sign}{seconds}{f'.{rest:09d}'.rstrip('0') if rest else ''}s"
    return str(time)


def row_text(row: Row, *, with_recording: bool = False) -> str:
    """A row as one line; long values are shortened.

    Raises:
        RrdError: A text in it is damaged.
    """
    parts = [f"[{row.store.recording_id}]"] if with_recording else []
    parts += [f"{timeline.name}={time_text(timeline.kind, time)}" for timeline, time in row.times]
    if not row.times:
        parts.append("static")
    with _damaged_texts():
        parts += [f"{name}={instances_text(array)}" for name, array in row.components.items()]
    return "  ".join(parts)


@contextlib.contextmanager
def _damaged_texts() -> Generator[None]:
    """Arrow does not check all texts that are in runs."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise RrdError("a text in a chunk is not UTF-8") from error


def instances_text(array: pa.Array[Any]) -> str:
    """The instances of a component; one alone stands without brackets."""
    return value_text(array[0]) if len(array) == 1 else _list_text(array)


def _list_text(array: pa.Array[Any]) -> str:
    if pa.types.is_uint8(array.type) and len(array) > _SHOWN_ITEMS:
        return f"<{len(array):,} bytes>"
    shown = [value_text(array[position]) for position in range(min(len(array), _SHOWN_ITEMS))]
    if len(array) > _SHOWN_ITEMS:
        shown.append(f"… {len(array) - _SHOWN_ITEMS:,} more")
    return f"[{', '.join(shown)}]"


def value_text(value: pa.Scalar[Any]) -> str:
    """A value, shortened if it is long."""
    types, kind = pa.types, value.type
    if not value.is_valid:
        return "null"
    if types.is_list(kind) or types.is_fixed_size_list(kind) or types.is_large_list(kind):
        return _list_text(value.values)
    if types.is_struct(kind):
        fields = (f"{kind.field(at).name}: {value_text(value[at])}" for at in range(kind.num_fields))
        return f"{{{', '.join(fields)}}}"
    if types.is_union(kind):
        return value_text(value.value)
    if types.is_floating(kind):
        return f"{value.as_py():.6g}"
    if types.is_string(kind) or types.is_large_string(kind):
        text: str = value.as_py()
        text = text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
        return json.dumps(text, ensure_ascii=False)
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return f"<{len(value.as_buffer()):,} bytes>"
    return str(_plain(value))


# --- for programs -----------------------------------------------------------------------------------


def row_json(row: Row, *, ascii_only: bool = False) -> str:
    """A row as one line of JSON, with everything that is in it.

    Times are integers, of durations and timestamps nanoseconds. Numbers that JSON does not have (NaN,
    infinity) become null, bytes hexadecimal text.

    Args:
        row: The row.
        ascii_only: Whether all other characters are written as escapes.

    Raises:
        RrdError: A text in it is damaged.
    """
    with _damaged_texts():
        components = {name: _items(array) for name, array in row.components.items()}
    content = {
        "application_id": row.store.application_id,
        "recording_id": row.store.recording_id,
        "row_id": str(row.row_id),
        "times": {timeline.name: time for timeline, time in row.times},
        "components": components,
    }
    try:
        return json.dumps(content, ensure_ascii=ascii_only, allow_nan=False, default=_other)
    except ValueError:
        return json.dumps(_without_nan(content), ensure_ascii=ascii_only, default=_other)


def _items(array: pa.Array[Any]) -> list[Any]:
    try:
        items: list[Any] = array.to_pylist()
        return items
    except (ValueError, OverflowError, pa.ArrowException):
        # Times in nanoseconds, which Python's own do not have.
        return [_plain(value) for value in array]


def _plain(value: pa.Scalar[Any]) -> Any:
    try:
        return value.as_py()
    except UnicodeDecodeError:
        raise
    except (ValueError, OverflowError, pa.ArrowException):
        return _exact(value)


def _exact(value: pa.Scalar[Any]) -> Any:
    """What holds times in nanoseconds, which only pandas could make a value of."""
    types, kind = pa.types, value.type
    if types.is_list(kind) or types.is_fixed_size_list(kind) or types.is_large_list(kind):
        return [_plain(each) for each in value.values]
    if types.is_struct(kind):
        return {kind.field(at).name: _plain(value[at]) for at in range(kind.num_fields)}
    if types.is_union(kind):
        return _plain(value.value)
    if types.is_timestamp(kind):
        return value.cast(pa.string()).as_py()
    return str(value.value)


def _other(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def last_rows(rows: Iterable[Row], count: int) -> list[Row]:
    """The last so many rows."""
    return list(deque(rows, count))
