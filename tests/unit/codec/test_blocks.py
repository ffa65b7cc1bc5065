"""Messages of blocks: whatever a stamp makes of them, the rows are those that were given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import aiorerun as rr
from aiorerun.codec import blocks as module, stamp as stamp_module
from aiorerun.codec.blocks import block_messages
from aiorerun.codec.cache import GenerationCache
from aiorerun.codec.decoder import read_chunks
from aiorerun.codec.messages import Message, chunk_message
from aiorerun.codec.stamp import FRUITLESS, MAX_ROWS, TRIED, Stamp
from aiorerun.pipeline.column_chunks import chunks_of
from aiorerun.pipeline.columns import ColumnBlock, capture_columns
from aiorerun.sinks.memory import encode_stream
from aiorerun.types.ids import ids
from aiorerun.types.store import StoreId, StoreKind
from aiorerun.types.tuid import Tuid

RANDOM = np.random.default_rng(3)
STORE = StoreId(StoreKind.RECORDING, "app", "recording")
ROWS = 300
SMALL = 5000
"""More bytes than this a message of so many rows has only if its values are not compressed."""


@pytest.fixture(autouse=True)
def no_stamps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_stamps", GenerationCache(8))


def noise(rows: int = ROWS) -> Any:
    return RANDOM.standard_normal(rows)


def frames(first: int, rows: int = ROWS) -> rr.TimeColumn:
    return rr.TimeColumn("frame", sequence=np.arange(first, first + rows))


def stamps() -> list[Stamp]:
    cache = module._stamps
    return [each for each in (cache._new | cache._old).values() if type(each) is Stamp]


def rows_of(message: Message) -> pa.RecordBatch:
    (chunk,) = read_chunks(encode_stream([message]))
    chunk.batch.validate(full=True)
    return chunk.batch


def messages(block: ColumnBlock, store: StoreId = STORE) -> list[Message]:
    return block_messages(store, block, ids, 5, lambda: None)


def check(path: str, indexes: Any, columns: Any) -> Message:
    """Encodes a block, and looks whether the message says the same as the one made the usual way."""
    columns = list(columns)
    (message,) = messages(capture_columns(path, indexes, columns))
    (chunk,) = chunks_of(capture_columns(path, indexes, columns), ids, 5)
    expected = chunk_message(STORE, chunk)
    got, usual = rows_of(message), rows_of(expected)
    assert got.schema.remove_metadata().equals(usual.schema.remove_metadata(), check_metadata=True)
    metadata, usual_metadata = dict(got.schema.metadata), dict(usual.schema.metadata)
    assert metadata.pop(b"rerun:id") != usual_metadata.pop(b"rerun:id")
    assert metadata == usual_metadata
    for name in got.schema.names[1:]:
        assert got.column(name).equals(usual.column(name)), name
    row_ids = [value.as_py() for value in got.column(0)]
    assert row_ids == sorted(set(row_ids))
    assert message.index is not None
    assert expected.index is not None
    assert message.index.group == expected.index.group
    # All but the id: rows, bytes and times.
    assert message.index.record[16:] == expected.index.record[16:]
    assert (message.rows, message.kind, message.store) == (expected.rows, expected.kind, STORE)
    assert message.nbytes == sum(map(len, message.segments))
    assert message.nbytes <= 1.02 * expected.nbytes + 64
    return message


def kinds(first: int, rows: int = ROWS) -> dict[str, tuple[list[Any], list[Any]]]:
    """Indexes and columns of all kinds that get a stamp."""
    nanos = 1_700_000_000_000_000_000 + np.cumsum(RANDOM.integers(0, 10**7, rows))
    stamps = rr.TimeColumn("at", timestamp=nanos.astype("M8[ns]"))
    values = noise(rows)
    return {
        "scalars": ([frames(first)], [*rr.Scalars.columns(scalars=values)]),
        "quiet": ([frames(first)], [*rr.Scalars.columns(scalars=np.round(values))]),
        "static": ([], [*rr.Scalars.columns(scalars=values)]),
        "timestamps": ([stamps], [*rr.Scalars.columns(scalars=values)]),
        "both": ([frames(first), stamps], [*rr.Scalars.columns(scalars=values)]),
        "runs": (
            [frames(first), rr.TimeColumn("tick", sequence=range(first + 7, first + 7 + rows))],
            [*rr.Scalars.columns(scalars=values)],
        ),
        "carry": ([frames((1 << 32) - 100)], [*rr.Scalars.columns(scalars=values)]),
        "points": (
            [frames(first)],
            [
                *rr.Points3D.columns(
                    positions=RANDOM.standard_normal((rows, 3)),
                    radii=values,
                    class_ids=RANDOM.integers(0, 9, rows),
                )
            ],
        ),
    }


@pytest.mark.parametrize("kind", list(kinds(0)))
def test_a_stamp_says_the_same(kind: str) -> None:
    for call in range(5):
        check("a/path", *kinds(1000 * call)[kind])
        assert len(stamps()) == (call > 0)


@given(st.lists(st.tuples(st.sampled_from(list(kinds(0))), st.integers(-(1 << 40), 1 << 40)), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_kinds_that_alternate(calls: list[tuple[str, int]]) -> None:
    for kind, first in calls:
        check("a", *kinds(first)[kind])


@pytest.mark.parametrize("first", [0, 65_500, (1 << 24) - 5, -100, -(1 << 50)])
@pytest.mark.parametrize("rows", [256, 257, 511, 1000, MAX_ROWS])
def test_any_number_of_rows(first: int, rows: int) -> None:
    for call in range(4):
        start = first + call * rows
        check("a", [frames(start, rows)], rr.Scalars.columns(scalars=noise(rows)))
    assert len(stamps()) == 1


@pytest.mark.parametrize("rows", [2, 255, MAX_ROWS + 1])
def test_few_and_many_rows_get_no_stamp(rows: int) -> None:
    for _ in range(3):
        check("a", [frames(0, rows)], rr.Scalars.columns(scalars=noise(rows)))
    assert not module._stamps._new


@pytest.mark.parametrize(
    "columns",
    [
        rr.TextLog.columns(text=["text"] * ROWS),
        rr.SeriesLines.columns(visible_series=[True] * ROWS),
        rr.Scalars.columns(scalars=np.arange(2.0 * ROWS)).partition([2] * ROWS),
        rr.Scalars.columns(scalars=pa.array(np.arange(1.0 * ROWS))),
    ],
)
def test_other_kinds_of_values_get_no_stamp(columns: Any) -> None:
    for _ in range(4):
        check("a", [frames(0)], columns)
    assert not stamps()


def test_times_that_go_backwards_get_no_stamp_and_are_sorted() -> None:
    for call in range(4):
        times = np.arange(ROWS)
        values = noise()
        check("a", [rr.TimeColumn("frame", sequence=times)], rr.Scalars.columns(scalars=values))
        times[5] = 200
        check("a", [rr.TimeColumn("frame", sequence=times)], rr.Scalars.columns(scalars=values))
        check("a", [rr.TimeColumn("frame", sequence=times[::-1])], rr.Scalars.columns(scalars=values))
        assert call == 0 or len(stamps()) <= 1


def test_recordings_and_entities_have_stamps_of_their_own() -> None:
    other = StoreId(StoreKind.RECORDING, "app", "other")
    for call in range(4):
        for store in (STORE, other):
            for path in ("a", "b"):
                block = capture_columns(path, [frames(call)], rr.Scalars.columns(scalars=noise()))
                (message,) = messages(block, store)
                assert message.store == store
                assert rows_of(message).schema.metadata[b"rerun:entity_path"] == b"/" + path.encode()
    assert len(stamps()) == 4


def test_ids_are_never_used_twice() -> None:
    seen: set[bytes] = set()
    for _ in range(6):
        (message,) = messages(capture_columns("a", [frames(0)], rr.Scalars.columns(scalars=noise())))
        batch = rows_of(message)
        chunk_id = Tuid.parse(batch.schema.metadata[b"rerun:id"].decode()).to_bytes()
        fresh = {chunk_id, *batch.column(0).to_pylist()}
        assert len(fresh) == ROWS + 1
        assert not fresh & seen
        seen |= fresh


class TestTrying:
    """Values that gain nothing are passed on as they are, and tried again now and then."""

    @pytest.fixture
    def tried(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        sizes: list[int] = []
        codec = stamp_module._codec

        class Codec:
            def compress(self, data: bytes, *, asbytes: bool) -> Any:
                sizes.append(len(data))
                return codec.compress(data, asbytes=asbytes)

        monkeypatch.setattr(stamp_module, "_codec", Codec())
        return sizes

    def send(self, values: Any) -> int:
        (message,) = messages(capture_columns("a", [frames(0)], rr.Scalars.columns(scalars=values)))
        assert rows_of(message).column("Scalars:scalars").flatten().to_numpy().tobytes() == values.tobytes()
        return message.nbytes

    def test_noise_is_tried_seldom(self, tried: list[int]) -> None:
        for _ in range(2 + 10 * TRIED):
            self.send(noise())
        assert FRUITLESS <= len(tried) <= FRUITLESS + 10

    def test_what_gains_is_compressed_each_time(self, tried: list[int]) -> None:
        sizes = {self.send(np.zeros(ROWS)) for _ in range(2 + 3 * TRIED)}
        assert len(tried) == 3 * TRIED
        assert max(sizes) < SMALL

    def test_what_begins_to_gain_is_noticed(self) -> None:
        for _ in range(50):
            self.send(noise())
        sizes = [self.send(np.zeros(ROWS)) for _ in range(2 * TRIED)]
        assert sum(size > SMALL for size in sizes) < TRIED
        assert max(sizes[TRIED:]) < SMALL

    def test_kinds_that_alternate_are_tried_each_time(self, tried: list[int]) -> None:
        for call in range(2 + 4 * TRIED):
            size = self.send(noise() if call % 2 else np.zeros(ROWS))
            assert call % 2 or size < SMALL
        assert len(tried) == 4 * TRIED
