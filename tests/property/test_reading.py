"""Whatever is recorded comes back: by the footer, by scanning, cut off, joined, sent on."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings, strategies as st

from aiorerun.codec.chunk_arrow import to_record_batch
from aiorerun.codec.decode_messages import ArrowMsg, decode_message
from aiorerun.codec.decoder import iter_messages
from aiorerun.codec.forward import forwarded_message
from aiorerun.sync import recording as reading
from aiorerun.types.store import StoreId, StoreKind
from aiorerun.types.timeline import Timeline, TimelineKind
from tests.unit.codec.building import chunk, component, index, messages_of, stream_of

if TYPE_CHECKING:
    from aiorerun.pipeline.chunk import Chunk

PATHS = ("/a", "/a/b", "/__properties", "/sp\\ ace")
TIMELINES = tuple(
    Timeline(name, kind) for name, kind in zip(("frame", "a time", "clock"), TimelineKind, strict=True)
)
COMPONENTS = (("x", pa.int64()), ("y", pa.string()), ("Arch:z", pa.list_(pa.float32(), 2)))
STORES = (
    StoreId(StoreKind.RECORDING, "app", "one"),
    StoreId(StoreKind.RECORDING, "app", "two"),
    StoreId(StoreKind.BLUEPRINT, "app", "three"),
)
VALUES: dict[str, Any] = {
    "x": st.integers(-(1 << 63), (1 << 63) - 1),
    "y": st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    "Arch:z": st.lists(st.floats(width=32, allow_nan=False), min_size=2, max_size=2),
}


@st.composite
def chunks(draw: st.DrawFn) -> Chunk:
    rows = draw(st.integers(1, 5))
    timelines = draw(st.sets(st.sampled_from(TIMELINES)))
    named = draw(st.sets(st.sampled_from(COMPONENTS), min_size=1))
    times = st.lists(st.integers(-(1 << 62), 1 << 62), min_size=rows, max_size=rows)
    return chunk(
        draw(st.sampled_from(PATHS)),
        rows,
        [index(timeline, draw(times)) for timeline in sorted(timelines)],
        [
            component(
                name,
                draw(st.lists(st.none() | st.lists(VALUES[name], max_size=3), min_size=rows, max_size=rows)),
                kind,
            )
            for name, kind in sorted(named, key=str)
        ],
    )


STREAMS = st.lists(st.tuples(st.sampled_from(STORES), st.lists(chunks(), max_size=4)), max_size=4)


def made(parts: list[tuple[StoreId, list[Chunk]]], *, write_footer: bool = True) -> bytes:
    messages = [message for store, some in parts for message in messages_of(*some, store=store)]
    return stream_of(messages, write_footer=write_footer)


def read(data: bytes) -> dict[StoreId, list[reading.Chunk]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.bin"
        path.write_bytes(data)
        with reading.load_archive(path) as archive:
            stores = [*archive.all_recordings(), *archive.all_blueprints()]
            found = {}
            for store in stores:
                found[store._index.store] = list(store.chunks())
                for each in found[store._index.store]:
                    each.to_record_batch()
            return found


@given(STREAMS)
@settings(max_examples=60)
def test_everything_comes_back_with_and_without_a_footer(parts: list[tuple[StoreId, list[Chunk]]]) -> None:
    expected: dict[StoreId, list[Chunk]] = {}
    for store, some in parts:
        expected.setdefault(store, []).extend(some)
    for data in (made(parts), made(parts, write_footer=False)):
        found = read(data)
        assert list(found) == sorted(expected, key=lambda store: (store.kind, list(expected).index(store)))
        for store, some in expected.items():
            for ours, theirs in zip(found[store], some, strict=True):
                assert ours.to_record_batch().equals(to_record_batch(theirs), check_metadata=True)
                assert ours.store == store


@given(STREAMS, STREAMS, st.integers(0, 1 << 16))
@settings(max_examples=60)
def test_cut_and_joined_streams_give_the_complete_messages(
    first: list[tuple[StoreId, list[Chunk]]], second: list[tuple[StoreId, list[Chunk]]], cut: int
) -> None:
    data = made(first) + made(second)
    data = data[: cut % (len(data) + 1)]
    expected = sum(isinstance(decode_message(raw.kind, raw.payload), ArrowMsg) for raw in iter_messages(data))
    assert sum(map(len, read(data).values())) == expected


@given(STREAMS)
@settings(max_examples=40)
def test_the_table_has_every_row_and_value(parts: list[tuple[StoreId, list[Chunk]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.bin"
        path.write_bytes(made(parts))
        with reading.load_archive(path) as archive:
            for recording in (*archive.all_recordings(), *archive.all_blueprints()):
                some = [each for store, these in parts if store == recording._index.store for each in these]
                table = recording.to_table()
                assert table.num_rows == sum(each.num_rows for each in some) == recording.num_rows
                for column in recording.schema().component_columns():
                    values = [
                        value
                        for each in some
                        for value in _values(each, column.entity_path, column.component)
                    ]
                    assert table.column(column.name).to_pylist() == values
                    rows = recording.rows(column.entity_path, component=column.component)
                    assert len(rows) == sum(value is not None for value in values)
                    ids = np.array(rows.column("rerun.controls.RowId").to_pylist())
                    assert (ids[1:] >= ids[:-1]).all()


def _values(made_chunk: Chunk, path: str, name: str) -> list[Any]:
    if made_chunk.entity_path == path:
        batch = to_record_batch(made_chunk)
        if name in batch.schema.names:
            values: list[Any] = batch.column(name).to_pylist()
            return values
    return [None] * made_chunk.num_rows


@given(chunks())
@settings(max_examples=60)
def test_chunks_that_are_sent_on_stay_as_they_are(each: Chunk) -> None:
    batch = to_record_batch(each)
    message = forwarded_message(STORES[1], batch)
    decoded = decode_message(message.kind, memoryview(b"".join(message.segments)))
    assert isinstance(decoded, ArrowMsg)
    assert decoded.store == STORES[1]
    assert decoded.batch(1 << 20).equals(batch, check_metadata=True)
