"""Rows of an entity, for people and for programs."""

from __future__ import annotations

import importlib.util
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from aiorerun.codec.errors import RrdError
from aiorerun.files.rows import (
    Row,
    chunks_of,
    instances_text,
    last_rows,
    row_json,
    row_text,
    rows_of,
    time_text,
)
from aiorerun.types.timeline import TimelineKind
from aiorerun.types.tuid import Tuid
from tests.unit.codec.building import FRAME, STORE, chunk, component, index
from tests.unit.files.making import scalars
from tests.unit.recording.making import CLOCK, SINCE, everything, one_recording

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEQUENCE, DURATION, TIMESTAMP = TimelineKind


def rows_in(path: Path, entity: str, component: str | None = None, recording: str | None = None) -> list[Row]:
    return [row for each in chunks_of(path, entity) for row in rows_of(each, component, recording)]


@pytest.mark.parametrize("write_footer", [True, False])
def test_rows_come_in_the_order_of_the_file(tmp_path: Path, write_footer: bool) -> None:
    path = tmp_path / "all.bin"
    path.write_bytes(everything(write_footer=write_footer))
    rows = rows_in(path, "/points")
    assert [[time for timeline, time in row.times if timeline.name == "frame"] for row in rows] == [
        [1],
        [2],
        [3],
        [0],
        [],
    ]
    assert [list(row.components) for row in rows] == [
        ["label", "Points3D:positions"], ["label"], ["Points3D:positions"], ["label"], ["label"],
    ]  # fmt: skip
    labels = rows_in(path, "/points", "label")
    assert [row.components["label"].to_pylist() for row in labels] == [["a"], ["b"], ["z"], ["always"]]
    assert rows_in(path, "/points", None, "other") == []
    assert rows_in(path, "/nothing") == []
    assert [row.store.recording_id for row in rows_in(path, "/only")] == ["other"]


def test_damage_and_cuts_are_noted(tmp_path: Path) -> None:
    path = one_recording(tmp_path / "one.bin", [scalars("/a", [1]), scalars("/a", [2]), scalars("/b", [3])])
    data = bytearray(path.read_bytes())
    data[400:500] = bytes(100)
    for damaged in (bytes(data), bytes(data[: len(data) // 2 + 300])):
        path.write_bytes(damaged)
        notes: list[Any] = []
        for _ in chunks_of(path, "/a", on_note=notes.append):
            pass
        assert notes


@pytest.mark.parametrize(
    ("kind", "time", "text"),
    [
        (SEQUENCE, -5, "-5"),
        (DURATION, 1_500_000_000, "1.5s"),
        (DURATION, -1, "-0.000000001s"),
        (DURATION, 0, "0s"),
        (TIMESTAMP, 0, "1970-01-01T00:00:00.000000000Z"),
        (TIMESTAMP, 1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456789Z"),
    ],
)
def test_times_for_people(kind: TimelineKind, time: int, text: str) -> None:
    assert time_text(kind, time) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (pa.array([1.5]), "1.5"),
        (pa.array([1, 2]), "[1, 2]"),
        (pa.array(list(range(1000))), "[0, 1, 2, 3, … 996 more]"),
        (pa.array([], pa.int8()), "[]"),
        (pa.array([None], pa.int8()), "null"),
        (pa.array([[1, 2, 3]]), "[1, 2, 3]"),
        (pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2)), "[1, 2]"),
        (pa.array([bytes(10)]), "<10 bytes>"),
        (pa.array([list(bytes(5000))], pa.list_(pa.uint8())), "<5,000 bytes>"),
        (pa.array(["a\nb"]), '"a\\nb"'),
        (pa.array(["x" * 500]), '"' + "x" * 200 + '…"'),
        (pa.array([{"a": 1, "b": [True]}]), "{a: 1, b: [True]}"),
        (pa.array([1], pa.timestamp("ns")), "1970-01-01 00:00:00.000000001"),
        (pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([7])], ["x"]), "7"),
    ],
)
def test_values_for_people(values: Any, text: str) -> None:
    assert instances_text(values) == text


def row(**components: Any) -> Row:
    made = chunk(
        "/a",
        1,
        [index(FRAME, [7]), index(CLOCK, [1]), index(SINCE, [2])],
        [component(name, [array.to_pylist()], array.type) for name, array in components.items()],
    )
    from aiorerun.codec.chunk_arrow import to_record_batch
    from aiorerun.recording.chunk import Chunk
    from tests.unit.codec.building import STORE

    found = Chunk.from_record_batch(to_record_batch(made))
    found.store = STORE
    (one,) = rows_of(found)
    return one


def test_lines_for_people() -> None:
    one = row(x=pa.array([1.5]))
    times = "clock=1970-01-01T00:00:00.000000001Z  frame=7  since=0.000000002s"
    assert row_text(one) == f"{times}  x=1.5"
    assert row_text(one, with_recording=True) == f"[demo]  {times}  x=1.5"
    assert row_text(one._replace(times=[])) == "static  x=1.5"


def test_lines_for_programs() -> None:
    one = row(x=pa.array([1.5, float("nan"), float("inf")]), y=pa.array([b"ab"]), z=pa.array(["é"]))
    found = json.loads(row_json(one), parse_constant=pytest.fail)
    assert found == {
        "application_id": "app",
        "recording_id": "demo",
        "row_id": str(one.row_id),
        "times": {"clock": 1, "frame": 7, "since": 2},
        "components": {"x": [1.5, None, None], "y": ["6162"], "z": ["é"]},
    }
    assert "\n" not in row_json(row(x=pa.array(["a\nb"])))
    nanos = one._replace(components={"x": pa.array([1], pa.timestamp("ns"))})
    assert json.loads(row_json(nanos))["components"]["x"] == ["1970-01-01 00:00:00.000000001"]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (pa.array([1], pa.duration("ns")), ["1"]),
        (pa.array([[1]], pa.list_(pa.timestamp("ns"))), [["1970-01-01 00:00:00.000000001"]]),
        (
            pa.array([{"a": 1, "b": 2}], pa.struct({"a": pa.duration("ns"), "b": pa.int8()})),
            [{"a": "1", "b": 2}],
        ),
    ],
)
def test_nanoseconds_need_no_pandas(values: Any, text: Any) -> None:
    found = json.loads(row_json(row(x=pa.array([1]))._replace(components={"x": values})))["components"]["x"]
    if importlib.util.find_spec("pandas") is None:
        assert found == text
    else:
        assert found


def test_the_last_rows() -> None:
    one = row(x=pa.array([1]))
    assert last_rows(iter([one] * 5), 2) == [one, one]
    assert last_rows([one], 0) == []


@pytest.mark.parametrize("text_of", [row_text, row_json])
def test_texts_that_are_damaged_are_errors_of_ours(text_of: Callable[[Row], str]) -> None:
    texts = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xbd"]).buffers())
    with pytest.raises(RrdError, match="not UTF-8"):
        text_of(Row(STORE, Tuid(1, 2), [], {"x": texts}))
