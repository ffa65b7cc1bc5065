"""Chunks and streams for tests, made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from aiorerun.codec.messages import chunk_message, store_info_message
from aiorerun.codec.rrd import RrdEncoder
from aiorerun.pipeline.chunk import Chunk, ComponentData, IndexColumn
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.flat_arrow import flatten
from aiorerun.types.store import StoreId, StoreKind
from aiorerun.types.timeline import Timeline, TimelineKind
from aiorerun.types.tuid import Tuid, TuidSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aiorerun.codec.messages import Message

SEQUENCE, DURATION, TIMESTAMP = TimelineKind
FRAME = Timeline("frame", SEQUENCE)
STORE = StoreId(StoreKind.RECORDING, "app", "demo")
BLUEPRINT = StoreId(StoreKind.BLUEPRINT, "app", "rec_0")
SCALARS = ComponentDescriptor("Scalars:scalars", "rerun.archetypes.Scalars", "rerun.components.Scalar")
POSITIONS = ComponentDescriptor(
    "Points3D:positions", "rerun.archetypes.Points3D", "rerun.components.Position3D"
)
POSITION_TYPE = pa.list_(pa.field("item", pa.float32(), nullable=False), 3)

ids = TuidSource()


def index(timeline: Timeline, times: Sequence[int]) -> IndexColumn:
    """A time column."""
    values = np.array(times, np.int64)
    return IndexColumn(timeline, values, bool((values[1:] >= values[:-1]).all()))


def component(
    descriptor: ComponentDescriptor | str, rows: Sequence[Sequence[Any] | None], kind: pa.DataType
) -> ComponentData:
    """A component column of Python values; ``None`` stands for a row that left it out."""
    if isinstance(descriptor, str):
        descriptor = ComponentDescriptor(descriptor)
    values = pa.array([value for row in rows if row is not None for value in row], kind)
    lengths = [0 if row is None else len(row) for row in rows]
    present = np.array([row is not None for row in rows], np.bool_)
    offsets = np.cumsum([0, *lengths]).astype(np.int32)
    return ComponentData(descriptor, offsets, flatten(values), None if present.all() else present)


def chunk(
    path: str, num_rows: int, indexes: Iterable[IndexColumn], components: Iterable[ComponentData]
) -> Chunk:
    """A chunk with fresh ids, its columns in the order in which they are written."""
    return Chunk(
        id=ids.next(),
        entity_path=path,
        row_ids=ids.row_ids(np.arange(num_rows, dtype=np.int64)),
        indexes=tuple(sorted(indexes, key=_timeline_name)),
        components=tuple(sorted(components, key=_order)),
    )


def _timeline_name(column: IndexColumn) -> bytes:
    return column.timeline.name.encode()


def _order(column: ComponentData) -> tuple[str, str, str]:
    descriptor = column.descriptor
    return (descriptor.archetype or "", descriptor.component, descriptor.component_type or "")


def scalar_chunk(path: str = "/a", frames: Sequence[int] = (1,)) -> Chunk:
    """One scalar per frame."""
    rows = [[float(frame)] for frame in frames]
    return chunk(path, len(frames), [index(FRAME, frames)], [component(SCALARS, rows, pa.float64())])


def announcement(store: StoreId = STORE) -> Message:
    """A message that announces a store."""
    return store_info_message(store, Tuid(1, 2), (3, 11, 7))


def messages_of(*chunks: Chunk, store: StoreId = STORE) -> list[Message]:
    """The messages of a recording: its announcement, then chunks."""
    return [announcement(store), *(chunk_message(store, each) for each in chunks)]


def stream_of(messages: Iterable[Message], *, write_footer: bool = True) -> bytes:
    """A complete RRD stream."""
    encoder = RrdEncoder(write_footer=write_footer)
    segments = [*encoder.start()]
    for message in messages:
        segments += encoder.encode(message)
    segments += encoder.finish()
    data = b"".join(segments)
    assert encoder.nbytes == len(data)
    return data
