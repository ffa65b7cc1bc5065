"""Rows as Parquet files: what is in them, and where they are."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aiorerun.codec.chunk_arrow import to_record_batch
from aiorerun.codec.errors import RrdError
from aiorerun.codec.forward import forwarded_message
from aiorerun.files import parquet
from aiorerun.files.parquet import to_parquet
from aiorerun.types.timeline import Timeline, TimelineKind
from tests.unit.codec.building import (
    FRAME,
    SCALARS,
    STORE,
    announcement,
    chunk,
    component,
    index,
    messages_of,
    stream_of,
)
from tests.unit.files.making import scalars
from tests.unit.recording.making import OTHER, chunks, everything, one_recording

if TYPE_CHECKING:
    from pathlib import Path

    from aiorerun.files.reading import Note


def stored(path: Path, batch: pa.RecordBatch) -> None:
    """Writes a file with one chunk."""
    path.write_bytes(stream_of([announcement(), forwarded_message(STORE, batch)]))


def files(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def test_a_file_per_entity_of_each_recording(tmp_path: Path) -> None:
    path, folder = tmp_path / "all.bin", tmp_path / "out"
    path.write_bytes(everything())
    made = to_parquet(path, folder)
    expected = [
        "app/demo/__properties.parquet",
        "app/demo/points.parquet",
        "app/demo/wave.parquet",
        "app/other/only.parquet",
    ]
    assert files(folder) == expected
    assert sorted((str(each.path.relative_to(folder)), each.entity_path, each.rows) for each in made) == list(
        zip(expected, ["/__properties", "/points", "/wave", "/only"], [1, 5, 2, 1], strict=True)
    )
    assert {each.store for each in made if each.entity_path == "/only"} == {OTHER}


def test_columns_and_rows(tmp_path: Path) -> None:
    one_recording(tmp_path / "one.bin", made := chunks())
    to_parquet(tmp_path / "one.bin", tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "app" / "demo" / "points.parquet")
    assert table.column_names == ["row_id", "clock", "frame", "Points3D:positions", "label"]
    assert table.column("frame").to_pylist() == [1, 2, 3, 0, None]
    assert table.column("clock").cast(pa.int64()).to_pylist() == [30, 10, 20, None, None]
    assert table.column("label").to_pylist() == [["a"], ["b"], None, ["z"], ["always"]]
    assert table.column("Points3D:positions").to_pylist() == [[[1, 2, 3]], None, [], None, None]
    ids = [row.tobytes() for each in made if each.entity_path == "/points" for row in each.row_ids]
    assert table.column("row_id").to_pylist() == ids
    assert table.schema.metadata[b"rerun:entity_path"] == b"/points"
    assert table.schema.field("label").metadata[b"rerun:component"] == b"label"
    wave = pq.read_table(tmp_path / "out" / "app" / "demo" / "wave.parquet")
    assert wave.schema.field("since").type == pa.duration("ns")


def test_other_types_of_a_component_have_files_of_their_own(tmp_path: Path) -> None:
    duration = Timeline("frame", TimelineKind.DURATION)
    made = [
        scalars("/a", [1]),
        chunk("/a", 1, [index(FRAME, [2])], [component(SCALARS, [["x"]], pa.string())]),
        scalars("/a", [3]),
        chunk("/a", 1, [index(duration, [4])], [component(SCALARS, [[4.0]], pa.float64())]),
        chunk("/a", 1, [index(FRAME, [5])], [component("more", [["y"]], pa.string())]),
    ]
    one_recording(tmp_path / "one.bin", made)
    found = to_parquet(tmp_path / "one.bin", tmp_path / "out")
    assert [(each.path.name, each.rows) for each in found] == [
        ("a.parquet", 3),
        ("a@2.parquet", 1),
        ("a@3.parquet", 1),
    ]
    assert pq.read_table(found[0].path).column("more").to_pylist() == [None, None, ["y"]]


def test_names_that_are_taken(tmp_path: Path) -> None:
    made = chunk(
        "/a",
        1,
        [
            index(Timeline("row_id", TimelineKind.SEQUENCE), [1]),
            index(Timeline("x", TimelineKind.SEQUENCE), [2]),
        ],
        [component("x", [[3]], pa.int8()), component("row_id", [[4]], pa.int8())],
    )
    one_recording(tmp_path / "one.bin", [made])
    (file,) = to_parquet(tmp_path / "one.bin", tmp_path / "out")
    table = pq.read_table(file.path)
    assert table.column_names == ["row_id", "timeline:row_id", "x", "component:row_id", "component:x"]
    assert [table.column(name)[0].as_py() for name in table.column_names[1:]] == [1, 2, [4], [3]]


def test_names_are_looked_for_until_one_is_free(tmp_path: Path) -> None:
    times = [index(Timeline(name, TimelineKind.SEQUENCE), [1]) for name in ("C", "component:C")]
    one_recording(tmp_path / "one.bin", [chunk("/a", 1, times, [component("C", [[3]], pa.int8())])])
    (file,) = to_parquet(tmp_path / "one.bin", tmp_path / "out")
    table = pq.read_table(file.path)
    assert table.column_names == ["row_id", "C", "component:C", "component:component:C"]
    assert [table.column(name)[0].as_py() for name in table.column_names[1:]] == [1, 1, [3]]


def test_types_that_parquet_lacks(tmp_path: Path) -> None:
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([1], pa.int32()), pa.array(["a"]))
    lengths = pa.array([(1, 2, 3)], pa.month_day_nano_interval())
    rows = {"runs": runs, "lengths": lengths, "nothing": pa.array([b""], pa.binary(0))}
    offsets = pa.array([0, 1], pa.int32())
    made = to_record_batch(
        chunk("/a", 1, [index(FRAME, [1])], [component(name, [[1]], pa.int8()) for name in rows])
    )
    for name, values in rows.items():
        at = made.schema.get_field_index(name)
        field = made.schema.field(at).with_type(pa.list_(values.type))
        made = made.set_column(at, field, pa.ListArray.from_arrays(offsets, values))
    stored(tmp_path / "one.bin", made)
    (file,) = to_parquet(tmp_path / "one.bin", tmp_path / "out")
    table = pq.read_table(file.path)
    assert {name: table.column(name)[0].as_py() for name in rows} == {
        "runs": ["a"],
        "lengths": [{"months": 1, "days": 2, "nanoseconds": 3}],
        "nothing": [b""],
    }
    stored(tmp_path / "none.bin", made.slice(0, 0))
    (file,) = to_parquet(tmp_path / "none.bin", tmp_path / "none")
    assert pq.read_table(file.path).schema.types == table.schema.types


def test_an_entity_that_parquet_cannot_have_is_left_out(tmp_path: Path) -> None:
    kind = pa.map_(pa.string(), pa.month_day_nano_interval())
    made = chunk("/a", 1, [index(FRAME, [1])], [component("x", [[[("k", (1, 2, 3))]]], kind)])
    path = one_recording(tmp_path / "one.bin", [scalars("/0", [1]), made, scalars("/b", [1])])
    with pytest.raises(RrdError, match="rows of /a cannot be stored as Parquet"):
        to_parquet(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    notes: list[Note] = []
    found = to_parquet(path, tmp_path / "out", continue_on_error=True, on_note=notes.append)
    assert [each.entity_path for each in found] == ["/0", "/b"]
    assert files(tmp_path / "out") == ["app/demo/0.parquet", "app/demo/b.parquet"]
    assert len(notes) == 1
    assert "/a is left out" in str(notes[0])


def test_large_recordings_become_several_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_ROW_GROUP_COST", 1)
    monkeypatch.setattr("aiorerun.recording.tables._BATCH_ROWS", 10)
    one_recording(tmp_path / "one.bin", [scalars("/a", list(range(at, at + 10))) for at in range(0, 100, 10)])
    (file,) = to_parquet(tmp_path / "one.bin", tmp_path / "out")
    assert pq.ParquetFile(file.path).num_row_groups == 100
    assert pq.read_table(file.path).column("frame").to_pylist() == list(range(100))


def test_only_some_entities(tmp_path: Path) -> None:
    one_recording(tmp_path / "one.bin", [scalars(path, [1]) for path in ("/a", "/a/b", "/ab", "/c")])
    to_parquet(tmp_path / "one.bin", tmp_path / "out", entity_path="/a")
    assert files(tmp_path / "out") == ["app/demo/a.parquet", "app/demo/a/b.parquet"]
    assert len(to_parquet(tmp_path / "one.bin", tmp_path / "whole", entity_path="/")) == 4


def test_unions_can_be_stored(tmp_path: Path) -> None:
    import aiorerun.sync as rr

    rec = rr.RecordingStream("rerun_example_tensor", recording_id="x", send_properties=False)
    rec.save(tmp_path / "tensor.bin")
    rec.log("t", rr.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    rec.disconnect()
    (file,) = to_parquet(tmp_path / "tensor.bin", tmp_path / "out")
    (row,) = pq.read_table(file.path).column("Tensor:data").to_pylist()
    assert row[0]["buffer"]["F64"] == [1.0, 2.0, 3.0, 4.0]


def test_nothing_is_replaced_by_accident_and_errors_leave_nothing(tmp_path: Path) -> None:
    path = one_recording(tmp_path / "one.bin")
    to_parquet(path, tmp_path / "out")
    before = files(tmp_path / "out")
    with pytest.raises(FileExistsError):
        to_parquet(path, tmp_path / "out")
    assert files(tmp_path / "out") == before
    to_parquet(path, tmp_path / "out", force=True)
    data = bytearray(path.read_bytes())
    data[600:700] = bytes(100)
    path.write_bytes(bytes(data))
    with pytest.raises(RrdError):
        to_parquet(path, tmp_path / "other")
    assert not (tmp_path / "other").exists()
    notes: list[Any] = []
    to_parquet(path, tmp_path / "other", continue_on_error=True, on_note=notes.append)
    assert len(notes) == 1
    assert len(files(tmp_path / "other")) in (2, 3)


def test_an_entity_without_rows(tmp_path: Path) -> None:
    made = chunk("/a", 0, [index(FRAME, [])], [component(SCALARS, [], pa.float64())])
    path = tmp_path / "one.bin"
    path.write_bytes(stream_of(messages_of(made)))
    (file,) = to_parquet(path, tmp_path / "out")
    assert (file.rows, pq.read_table(file.path).num_rows) == (0, 0)


@pytest.mark.parametrize("library", ["pandas", "polars", "duckdb"])
def test_other_libraries_read_it(tmp_path: Path, library: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module: Any = pytest.importorskip(library)
        one_recording(tmp_path / "one.bin", [scalars("/a", [1, 2]), scalars("/a", [3])])
        (file,) = to_parquet(tmp_path / "one.bin", tmp_path / "out")
        if library == "duckdb":
            assert module.sql(f"SELECT sum(frame) FROM '{file.path}'").fetchall() == [(6,)]
        else:
            table = module.read_parquet(file.path)
            assert list(table["frame"]) == [1, 2, 3]
            assert [list(each) for each in table["Scalars:scalars"]] == [[1.0], [2.0], [3.0]]
