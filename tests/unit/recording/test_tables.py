"""Rows and tables: what they hold, in which order, and who takes them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

import aiorerun as rr
from aiorerun.codec.chunk_arrow import to_record_batch
from aiorerun.codec.forward import forwarded_message
from aiorerun.recording import tables
from aiorerun.sync import recording as blocking
from aiorerun.types.timeline import Timeline
from tests.unit.codec.building import (
    FRAME,
    POSITION_TYPE,
    SEQUENCE,
    STORE,
    TIMESTAMP,
    chunk,
    component,
    index,
    messages_of,
    scalar_chunk,
    stream_of,
)
from tests.unit.recording.making import chunks, one_recording

if TYPE_CHECKING:
    from pathlib import Path

BOTH = pytest.mark.parametrize("write_footer", [True, False], ids=["footer", "no footer"])
ROW_ID = "rerun.controls.RowId"


@pytest.fixture
def recording(tmp_path: Path) -> blocking.Recording:
    return blocking.load_recording(one_recording(tmp_path / "one.bin"))


def saved(tmp_path: Path, *made: Any, write_footer: bool = True) -> blocking.Recording:
    path = tmp_path / "made.bin"
    path.write_bytes(stream_of(messages_of(*made), write_footer=write_footer))
    return blocking.load_recording(path)


def test_rows_on_a_timeline_are_sorted_by_it(recording: blocking.Recording) -> None:
    rows = recording.rows("points", component="label", timeline="frame")
    assert rows.column_names == [ROW_ID, "frame", "label"]
    assert rows.column("frame").to_pylist() == [None, 0, 1, 2]
    assert rows.column("label").to_pylist() == [["always"], ["z"], ["a"], ["b"]]
    by_clock = recording.rows("points", component="label", timeline="clock")
    assert by_clock.column("label").to_pylist() == [["always"], ["b"], ["a"]]


def test_rows_on_all_timelines_are_in_the_order_of_logging(recording: blocking.Recording) -> None:
    rows = recording.rows("points", component="label")
    assert rows.column_names == [ROW_ID, "clock", "frame", "label"]
    # Their ids were made by a clock that began anew with each chunk.
    assert rows.column("label").to_pylist() == [["a"], ["z"], ["always"], ["b"]]
    assert rows.column("frame").to_pylist() == [1, 0, None, 2]
    ids = rows.column(ROW_ID).to_pylist()
    assert ids == sorted(ids)


def test_types_are_kept(recording: blocking.Recording) -> None:
    rows = recording.rows("points", component="Points3D:positions", timeline="frame")
    assert rows.schema.field("Points3D:positions").type == pa.list_(POSITION_TYPE)
    assert rows.column("Points3D:positions").to_pylist() == [[[1, 2, 3]], []]
    assert rows.schema.field("frame").type == pa.int64()
    assert recording.rows("points", component="label").schema.field("clock").type == pa.timestamp("ns")


def test_rows_of_nothing(recording: blocking.Recording) -> None:
    assert recording.rows("nowhere", component="label").num_rows == 0
    assert recording.rows("points", component="nothing", timeline="frame").num_rows == 0
    empty = recording.rows("points", component="Points3D:positions", timeline="since")
    assert (empty.num_rows, empty.schema.field("Points3D:positions").type) == (0, pa.list_(POSITION_TYPE))


@BOTH
def test_the_table_of_everything(tmp_path: Path, write_footer: bool) -> None:
    recording = blocking.load_recording(one_recording(tmp_path / "one.bin", write_footer=write_footer))
    table = recording.to_table()
    assert table.column_names == [
        ROW_ID,
        "clock",
        "frame",
        "since",
        "property:name",
        "/points:Points3D:positions",
        "/points:label",
        "/wave:Scalars:scalars",
    ]
    assert table.num_rows == 8
    assert table.column("/wave:Scalars:scalars").to_pylist() == [*[None] * 5, [0.5], [1.5], None]
    assert table.column("frame").to_pylist() == [1, 2, 3, 0, *[None] * 4]
    table.validate(full=True)


def test_tables_of_a_part(recording: blocking.Recording) -> None:
    part = recording.to_table(entity_path="points", component="label", timeline="frame")
    assert part.column_names == [ROW_ID, "frame", "/points:label"]
    assert part.column("/points:label").to_pylist() == [["a"], ["b"], ["z"], ["always"]]
    reader = recording.to_reader(entity_path="wave")
    assert [batch.num_rows for batch in reader] == [2]


async def test_the_asyncio_api_gives_the_same(tmp_path: Path) -> None:
    path = one_recording(tmp_path / "one.bin")
    ours, other = await rr.recording.load_recording(path), blocking.load_recording(path)
    assert (await ours.to_table()).equals(other.to_table(), check_metadata=True)
    assert (await ours.to_table(entity_path="wave")).equals(other.to_table(entity_path="wave"))
    rows = await ours.rows("points", component="label", timeline="frame")
    assert rows.equals(other.rows("points", component="label", timeline="frame"), check_metadata=True)
    assert (await asyncio.to_thread(pa.table, ours)).equals(other.to_table())


def test_small_chunks_become_one_batch_and_large_ones_are_not_joined(tmp_path: Path) -> None:
    small = saved(tmp_path, *(scalar_chunk(f"/{number % 7}", [number]) for number in range(300)))
    (batch,) = small.to_reader()
    assert (batch.num_rows, batch.num_columns) == (300, 9)
    assert pa.Table.from_batches([batch]).equals(small.to_table())
    large = saved(tmp_path, *(scalar_chunk("/a", range(70_000)) for _ in range(3)))
    assert [each.num_rows for each in large.to_reader()] == [70_000] * 3


def test_what_chunks_lack_costs_nothing(tmp_path: Path) -> None:
    """Many entities, many chunks: there is one piece per chunk and column, and one of nulls between two."""
    count = 400
    table = saved(tmp_path, *(scalar_chunk(f"/{number}", [number]) for number in range(count))).to_table()
    assert table.num_rows == count
    assert sum(column.num_chunks for column in table.columns) <= 4 * count + count
    table.validate(full=True)


OTHER_TYPES = [
    ([[7]], pa.int64(), [["8"]], pa.string()),
    ([[7]], pa.int64(), [[9.0]], pa.float64()),
    ([[1]], pa.int16(), [[2]], pa.int64()),
    ([["text"]], pa.string(), [[1.5]], pa.float64()),
    ([[1.5]], pa.float64(), [[[1.5]]], pa.list_(pa.float64())),
    ([[{"a": 1}]], pa.struct({"a": pa.int8()}), [[{"b": 1}]], pa.struct({"b": pa.int8()})),
    ([[[1.0]]], pa.list_(pa.float32(), 1), [[[1.0, 2.0]]], pa.list_(pa.float32(), 2)),
]


@pytest.mark.parametrize(("first", "kind", "second", "other"), OTHER_TYPES)
def test_columns_that_change_their_type(
    tmp_path: Path, first: Any, kind: pa.DataType, second: Any, other: pa.DataType
) -> None:
    one = [index(FRAME, [1])]
    recording = saved(
        tmp_path,
        chunk("/b", 1, one, [component("x", first, kind)]),
        chunk("/b", 1, one, [component("x", second, other)]),
    )
    with pytest.raises(rr.RrdError, match=r"values of type list<item: .*read its chunks"):
        recording.rows("b", component="x")
    with pytest.raises(rr.RrdError, match="read its chunks instead"):
        recording.to_table()
    with pytest.raises(rr.RrdError, match="read its chunks instead"):
        recording.to_reader().read_all()
    assert len(list(recording.chunks(entity_path="b"))) == 2


def test_columns_that_change_what_is_said_about_their_type(tmp_path: Path) -> None:
    one = [index(FRAME, [1])]
    point = pa.struct({"at": pa.list_(pa.field("item", pa.float32(), nullable=False), 2)})
    named = pa.struct([pa.field("at", pa.list_(pa.field("number", pa.float32()), 2), metadata={"m": "x"})])
    recording = saved(
        tmp_path,
        *(chunk("/a", 1, one, [component("x", [[{"at": [1, 2]}]], kind)]) for kind in (named, point)),
        chunk("/a", 1, one, [component("x", [[None]], pa.null())]),
    )
    expected = [[{"at": [1.0, 2.0]}], [{"at": [1.0, 2.0]}], [None]]
    assert recording.rows("a", component="x").column("x").to_pylist() == expected
    assert recording.to_table().column("/a:x").to_pylist() == expected


def test_runs_that_other_rows_lack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = to_record_batch(chunk("/r", 1, [index(FRAME, [1])], [component("x", [[1]], pa.int8())]))
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2], pa.int32()), pa.array(["a"]))
    lists = pa.ListArray.from_arrays(pa.array([0, 2], pa.int32()), runs)
    batch = batch.set_column(2, batch.schema.field(2).with_type(lists.type), lists)
    path = tmp_path / "runs.bin"
    path.write_bytes(
        stream_of(
            [*messages_of(scalar_chunk()), forwarded_message(STORE, batch), *messages_of(scalar_chunk())]
        )
    )
    recording = blocking.load_recording(path)
    table = recording.to_table()
    table.validate(full=True)
    assert table.column("/r:x").to_pylist() == [None, ["a", "a"], None]
    assert recording.to_reader().read_all().column("/r:x").to_pylist() == [None, ["a", "a"], None]
    assert recording.rows("r", component="x").column("x").to_pylist() == [["a", "a"]]
    nothing = recording.rows("r", component="x", timeline="nothing")
    assert (nothing.num_rows, nothing.schema.field("x").type) == (0, lists.type)
    # What Arrow refuses is an error of ours.
    monkeypatch.setattr(tables, "_nulls", pa.nulls)
    with pytest.raises(rr.RrdError, match="do not make a table"):
        recording.to_table()


def test_a_timeline_that_changes_its_kind(tmp_path: Path) -> None:
    made = [
        chunk("/a", 1, [index(Timeline("t", kind), [1])], [component("x", [[1]], pa.int8())])
        for kind in (SEQUENCE, TIMESTAMP)
    ]
    recording = saved(tmp_path, *made, write_footer=False)
    with pytest.raises(rr.RrdError, match="read its chunks instead"):
        recording.to_table()


@BOTH
def test_chunks_without_rows_add_nothing(tmp_path: Path, write_footer: bool) -> None:
    other = [index(Timeline("other", SEQUENCE), [])]
    recording = saved(
        tmp_path,
        chunk("/e", 0, other, [component("x", [], pa.int8())]),
        scalar_chunk("/a"),
        chunk("/e", 0, other, [component("y", [], pa.int8())]),
        write_footer=write_footer,
    )
    assert list(recording.timelines()) == ["frame"]
    assert (recording.num_chunks, recording.num_rows) == (3, 1)
    assert recording.to_table().column("frame").to_pylist() == [1]
    assert recording.to_reader().read_all().equals(recording.to_table())
    assert recording.rows("e", component="x").num_rows == 0
    assert recording.to_table(timeline="other").num_rows == 0


@BOTH
def test_columns_that_are_called_the_same(tmp_path: Path, write_footer: bool) -> None:
    called = ["/e:C", "C", "component:/e:C", ROW_ID, "timeline:C"]
    times = [index(Timeline(name, SEQUENCE), [number]) for number, name in enumerate(called)]
    made = chunk("/e", 1, times, [component("C", [[7]], pa.int8())])
    recording = saved(tmp_path, made, write_footer=write_footer)
    table = recording.to_table()
    assert table.column_names == [
        ROW_ID,
        "/e:C",
        "C",
        "component:/e:C",
        f"timeline:{ROW_ID}",
        "timeline:C",
        "component:component:/e:C",
    ]
    assert table.to_pylist()[0] == dict(
        zip(table.column_names, [table.column(ROW_ID)[0].as_py(), 0, 1, 2, 3, 4, [7]], strict=True)
    )
    assert recording.to_reader().read_all().equals(table)
    rows = recording.rows("e", component="C")
    assert rows.select([1, 2, 3, 4, 5, 6]).to_pylist() == [
        {
            "/e:C": 0,
            "timeline:timeline:C": 1,
            "component:/e:C": 2,
            f"timeline:{ROW_ID}": 3,
            "timeline:C": 4,
            "C": [7],
        }
    ]
    rows = recording.rows("e", component="C", timeline="C")
    assert rows.select([1, 2]).to_pylist() == [{"timeline:C": 1, "C": [7]}]


@BOTH
def test_timelines_that_the_footer_cannot_tell_apart(tmp_path: Path, write_footer: bool) -> None:
    """Files can list one of them; nothing is lost in the table."""
    both = [index(Timeline("a.b", SEQUENCE), [1]), index(Timeline("a_b", SEQUENCE), [2])]
    made = chunk("/x", 1, both, [component("v", [[7]], pa.int8())])
    recording = saved(tmp_path, made, write_footer=write_footer)
    if write_footer:
        assert list(recording.timelines()) == ["a.b"]
        with pytest.raises(rr.RrdError, match="use to_table"):
            list(recording.to_reader())
    table = recording.to_table()
    assert table.column("a.b").to_pylist() == [1]
    assert table.column("a_b").to_pylist() == [2]
    assert list(recording.timelines()) == ["a.b", "a_b"]


def test_values_that_pyarrow_cannot_move(tmp_path: Path) -> None:
    def made(frames: list[int], rows: list[list[str] | None]) -> Any:
        return chunk("/v", len(rows), [index(FRAME, frames)], [component("x", rows, pa.string_view())])

    ordered = saved(tmp_path, made([1, 2], [["a"], ["b"]]))
    assert ordered.rows("v", component="x", timeline="frame").column("x").to_pylist() == [["a"], ["b"]]
    sparse = saved(tmp_path, made([1, 2], [["a"], None]))
    try:
        assert sparse.rows("v", component="x").column("x").to_pylist() == [["a"]]
    except rr.RrdError as error:
        assert "read the chunks instead" in str(error)  # noqa: PT017 - either is right, as pyarrow can


# --- who takes a recording as it is -----------------------------------------------------------------


def test_pandas_takes_it(recording: blocking.Recording) -> None:
    pd: Any = pytest.importorskip("pandas")
    frame = pa.table(recording).to_pandas() if not hasattr(pd.DataFrame, "from_arrow") else (
        pd.DataFrame.from_arrow(recording)
    )  # fmt: skip
    assert len(frame) == 8
    assert frame["frame"].dropna().tolist() == [1, 2, 3, 0]


def test_polars_takes_it(recording: blocking.Recording) -> None:
    pl: Any = pytest.importorskip("polars")
    frame = pl.DataFrame(recording)
    assert frame.shape == (8, 8)
    assert frame["frame"].drop_nulls().to_list() == [1, 2, 3, 0]
    assert frame["/points:label"].drop_nulls().to_list() == [["a"], ["b"], ["z"], ["always"]]
    chunk_frame = pl.DataFrame(next(recording.chunks(entity_path="wave")))
    assert chunk_frame["Scalars:scalars"].to_list() == [[0.5], [1.5]]


def test_duckdb_takes_it(recording: blocking.Recording) -> None:
    duckdb: Any = pytest.importorskip("duckdb")
    query = 'select sum(frame), count("/points:label") from recording'
    with duckdb.connect() as database:
        # It finds the variable by its name.
        assert database.sql(query).fetchall() == [(6, 4)]
        database.register("recording", recording.to_reader(entity_path="points"))
        assert database.sql(query).fetchall() == [(6, 4)]


def test_pyarrow_takes_a_chunk(recording: blocking.Recording) -> None:
    first = next(recording.chunks())
    assert pa.record_batch(first).equals(first.to_record_batch())


def test_chunks_say_what_they_are(recording: blocking.Recording) -> None:
    made = chunks()
    for found, expected in zip(recording.chunks(), made, strict=True):
        assert found.entity_path == expected.entity_path
        assert found.num_rows == expected.num_rows == len(found.row_ids)
        assert found.is_static == expected.is_static
        assert found.timelines == [each.timeline for each in expected.indexes]
        assert found.components == [each.descriptor for each in expected.components]
        assert found.nbytes > 0
        assert found.store is not None
        assert found.store.recording_id == "demo"
        assert found.entity_path in repr(found)
        with pytest.raises(KeyError, match="no timeline or component 'zz'"):
            found.column("zz")


def test_chunks_are_made_of_record_batches() -> None:
    from aiorerun.codec.chunk_arrow import to_record_batch

    made = scalar_chunk("/a", [1, 2])
    found = rr.recording.Chunk.from_record_batch(to_record_batch(made))
    assert (found.id, found.num_rows, found.store, found.is_read) == (f"chunk_{made.id}", 2, None, True)
    with pytest.raises(rr.RrdError, match="does not say which chunk"):
        rr.recording.Chunk.from_record_batch(pa.record_batch({"x": [1]}))


def test_a_component_and_a_timeline_of_one_name(tmp_path: Path) -> None:
    made = chunk("/a", 1, [index(FRAME, [7])], [component("frame", [["x"]], pa.string())])
    recording = blocking.load_recording(one_recording(tmp_path / "one.bin", [made]))
    assert recording.to_table().column("/a:frame").to_pylist() == [["x"]]
    assert recording.to_table().column("frame").to_pylist() == [7]
