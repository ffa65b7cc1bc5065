"""What the official programs make of streams from the codec, and the codec of theirs."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from aiorerun.codec.chunk_arrow import from_record_batch, to_record_batch
from aiorerun.codec.decode_messages import StoreInfo, decode_message
from aiorerun.codec.decoder import iter_messages, read_chunks
from aiorerun.codec.framing import MessageKind
from aiorerun.codec.messages import blueprint_activation_message, store_info_message
from aiorerun.codec.protobuf import fields
from aiorerun.pipeline.chunk import Chunk, ComponentData
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.flat_arrow import flatten
from aiorerun.types.timeline import Timeline
from tests.reading import assert_verified, rerun_cli
from tests.unit.codec.building import (
    BLUEPRINT,
    DURATION,
    FRAME,
    POSITION_TYPE,
    POSITIONS,
    SCALARS,
    SEQUENCE,
    TIMESTAMP,
    chunk,
    component,
    index,
    messages_of,
    scalar_chunk,
    stream_of,
)

if TYPE_CHECKING:
    from pathlib import Path

STRUCT = pa.struct([pa.field("a", pa.int32(), nullable=False), pa.field("b", pa.list_(pa.string()))])


def varied_chunks() -> list[Chunk]:
    """Two entities and more, static and temporal, all kinds of timelines, sparse and nested columns."""
    generator = np.random.default_rng(3)
    return [
        chunk(
            "/a",
            4,
            [
                index(FRAME, [1, 2, 3, 4]),
                index(Timeline("t", TIMESTAMP), [40, 30, 20, 10]),
                index(Timeline("d", DURATION), [0, 0, 5, 5]),
            ],
            [
                component(POSITIONS, [[[1, 2, 3]], None, [], [[1, 2, 3], [4, 5, 6]]], POSITION_TYPE),
                component("my.Custom:fi eld", [["x"], ["y", None], None, None], pa.string()),
            ],
        ),
        chunk(
            "/a/b\\ c",
            2,
            [index(Timeline("_my time-line.x\\y,z", SEQUENCE), [1, 2])],
            [component(SCALARS, [[1.0], [2.0]], pa.float64())],
        ),
        chunk("/a/b\\ c", 1, [], [component("some.comp", [[{"a": 1, "b": ["x", None]}]], STRUCT)]),
        chunk("/empty", 1, [index(FRAME, [9])], [component("some.comp", [[]], pa.int8())]),
        chunk("/", 1, [], [component("at.root", [[True]], pa.bool_())]),
        chunk(
            "/__properties",
            1,
            [],
            [
                component(
                    ComponentDescriptor(
                        "RecordingInfo:start_time",
                        "rerun.archetypes.RecordingInfo",
                        "rerun.components.Timestamp",
                    ),
                    [[5]],
                    pa.int64(),
                )
            ],
        ),
        chunk("/__properties/foo\\/bar", 1, [], [component("a", [[5]], pa.int64())]),
        chunk(
            "/big",
            20_000,
            [index(FRAME, range(20_000))],
            [component("noise", [[each] for each in generator.random(20_000)], pa.float64())],
        ),
        chunk(
            "/dictionary",
            1,
            [index(FRAME, [1])],
            [
                ComponentData(
                    ComponentDescriptor("d"),
                    np.array([0, 2], np.int32),
                    flatten(pa.array(["x", "y"]).dictionary_encode()),
                )
            ],
        ),
    ]


def with_blueprint(chunks: list[Chunk]) -> bytes:
    view = chunk(
        "/view", 1, [index(Timeline("blueprint", SEQUENCE), [0])], [component("x", [[1]], pa.int8())]
    )
    return stream_of(
        [
            *messages_of(*chunks),
            *messages_of(view, store=BLUEPRINT),
            blueprint_activation_message(BLUEPRINT, make_active=True, make_default=True),
        ]
    )


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with everything."""
    path = tmp_path_factory.mktemp("codec") / "varied.rrd"
    path.write_bytes(with_blueprint(varied_chunks()))
    return path


def test_files_are_verified(varied: Path, tmp_path: Path) -> None:
    """Each of these is judged by the official program, the footer's content included."""
    x = ComponentDescriptor("x")
    one = [index(FRAME, [1])]
    cases: dict[str, list[Chunk]] = {
        "one row": [scalar_chunk()],
        "timeline changes kind": [
            scalar_chunk(),
            chunk(
                "/a",
                1,
                [index(Timeline("frame", TIMESTAMP), [7])],
                [component(x.component, [[1]], pa.int8())],
            ),
        ],
        "component changes type": [
            chunk("/a", 1, one, [component("x", [[1]], pa.int64())]),
            chunk("/a", 1, one, [component("x", [["s"]], pa.string())]),
        ],
        "component changes archetype": [
            chunk("/a", 1, one, [component(ComponentDescriptor("x", "A"), [[1]], pa.int64())]),
            chunk("/a", 1, one, [component(ComponentDescriptor("x", "B", "C"), [[1]], pa.int64())]),
        ],
        "timelines look alike": [
            chunk(
                "/a",
                1,
                [index(Timeline("a.b", SEQUENCE), [1]), index(Timeline("a_b", TIMESTAMP), [2])],
                [component("x", [[1]], pa.int64())],
            )
        ],
        "components look alike": [
            chunk("/a", 1, one, [component("x.y", [[1]], pa.int64()), component("x_y", [[1]], pa.int64())])
        ],
        "timeline looks like a component": [
            chunk(
                "/a",
                1,
                [index(Timeline("t", SEQUENCE), [1]), index(Timeline("t:a", SEQUENCE), [1])],
                [component("a", [[1]], pa.int64()), component("b", [[1]], pa.int64())],
            )
        ],
        "no rows, no components": [
            chunk("/a", 0, [index(FRAME, [])], [component("x", [], pa.int64())]),
            chunk("/a", 1, one, []),
        ],
        "nothing but nulls": [
            chunk("/a", 2, [index(FRAME, [1, 2])], [component("x", [None, None], pa.int8())])
        ],
        "static and temporal": [
            chunk("/a", 1, one, [component("x", [[1]], pa.int64())]),
            chunk("/a", 2, [], [component("x", [[1], [2]], pa.int64())]),
        ],
        "names of columns": [
            chunk(
                "/a",
                1,
                [index(Timeline(name, SEQUENCE), [1]) for name in ("chunk_id", "日本", "start", ":")],
                [component("num_rows", [[1]], pa.int64()), component("-", [[1]], pa.int64())],
            )
        ],
        "shared offsets": [
            chunk("/a", 100, [index(FRAME, range(100))], list(columns_with_shared_offsets(np.arange(101))))
        ],
    }
    files = [varied]
    for name, chunks in cases.items():
        files.append(tmp_path / f"{name}.rrd")
        files[-1].write_bytes(stream_of(messages_of(*chunks)))
    assert_verified(files)
    unfinished = tmp_path / "unfinished.rrd"
    unfinished.write_bytes(stream_of(messages_of(*varied_chunks()), write_footer=False))
    assert_verified([unfinished], footers=False)


def columns_with_shared_offsets(offsets: np.ndarray) -> list[ComponentData]:
    shared = offsets.astype(np.int32)
    values = flatten(pa.array(range(int(shared[-1])), pa.int16()))
    return [ComponentData(ComponentDescriptor(name), shared, values) for name in ("one", "other", "third")]


def test_shared_offsets_read_like_separate_ones(tmp_path: Path) -> None:
    columns = columns_with_shared_offsets(np.arange(1001) * 3)
    separate = [ComponentData(each.descriptor, each.offsets.copy(), each.values) for each in columns]
    files = [tmp_path / "shared.rrd", tmp_path / "separate.rrd"]
    for path, each in zip(files, (columns, separate), strict=True):
        path.write_bytes(stream_of(messages_of(chunk("/a", 1000, [index(FRAME, range(1000))], each))))
    assert files[0].stat().st_size < files[1].stat().st_size
    done = rerun_cli("rrd", "compare", *files)
    assert done.returncode == 0, done.stdout + done.stderr


def test_print_shows_every_chunk_without_complaint(varied: Path) -> None:
    done = rerun_cli("rrd", "print", "-vvv", varied)
    assert done.returncode == 0
    output = done.stdout + done.stderr
    assert not re.search(r"WARN|ERROR", output)
    assert output.count("version: 0.1.4") == len(varied_chunks()) + 1
    for expected in (
        "kind: control",
        "kind: index",
        "kind: data",
        "is_sorted: true",
        "archetype: Points3D",
        "component_type: Position3D",
        "Duration(ns)",
        "Timestamp(ns)",
        "make_active: true, make_default: true",
    ):
        assert expected in output


def test_stats_count_what_was_written(varied: Path) -> None:
    done = rerun_cli("rrd", "stats", varied)
    chunks = varied_chunks()
    numbers = dict(re.findall(r"^(num_\w+) = ([\d \u2009\u202f\u00a0]+)", done.stdout, re.MULTILINE))
    found = {name: int(re.sub(r"\D", "", text)) for name, text in numbers.items()}
    assert found["num_chunks"] == len(chunks) + 1
    assert found["num_rows"] == sum(each.num_rows for each in chunks) + 1
    assert found["num_entity_paths"] == len({each.entity_path for each in chunks}) + 1
    assert found["num_static"] == sum(each.is_static for each in chunks)
    assert found["num_chunks_without_components"] == 0


def test_the_footer_is_shown(varied: Path) -> None:
    done = rerun_cli("rrd", "print", "--footers", "true", "--footers-lod", "2", varied)
    assert done.returncode == 0
    for name in (
        "my_time_line_x_y_z:Scalars:scalars:start",
        "frame:my_Custom:fi_eld:num_rows",
        "some_comp:has_static_data",
        "d:Points3D:positions:end",
    ):
        assert name in done.stdout


def test_random_access_finds_everything(varied: Path) -> None:
    import rerun.chunk

    store = rerun.chunk.RrdReader(varied).store()
    assert len(list(store.stream())) == len(varied_chunks())
    schema = store.schema()
    assert {each.name for each in schema.index_columns()} == {"frame", "t", "d", "_my time-line.x\\y,z"}
    assert {(each.entity_path, each.component) for each in schema.component_columns()} >= {
        ("/a", "Points3D:positions"),
        ("/a", "my.Custom:fi eld"),
        ("/a/b\\ c", "Scalars:scalars"),
        ("/empty", "some.comp"),
    }


def test_merge_and_optimize_take_it_and_their_output_is_read(varied: Path, tmp_path: Path) -> None:
    merged, optimized = tmp_path / "merged.rrd", tmp_path / "optimized.rrd"
    for arguments in (("merge", varied, "-o", merged), ("optimize", varied, "-o", optimized)):
        done = rerun_cli("rrd", *arguments)
        assert done.returncode == 0, done.stderr
    rows = sum(each.num_rows for each in varied_chunks()) + 1
    for path in (merged, optimized):
        assert sum(each.batch.num_rows for each in read_chunks(path.read_bytes())) == rows


def test_cut_and_joined_streams_are_read_by_the_official_program(varied: Path, tmp_path: Path) -> None:
    data = stream_of(messages_of(scalar_chunk("/a"), scalar_chunk("/b")))
    ends = [each.offset + len(each.payload) for each in iter_messages(data)]
    files = []
    for cut in (ends[0], ends[1] - 1, ends[1], ends[1] + 5, ends[2] + 16, len(data) - 3):
        files.append(tmp_path / f"{cut}.rrd")
        files[-1].write_bytes(data[:cut])
    joined = tmp_path / "joined.rrd"
    joined.write_bytes(data + data[: ends[2]] + data)
    assert_verified([*files, joined], footers=False)
    # With a manifest per stream it is no finished file, as what tests leave behind has to be.
    joined.unlink()


OFFICIAL = """
import sys
import numpy as np
import rerun as rr

path = sys.argv[1]
with rr.RecordingStream("app", recording_id="r") as rec:
    rec.save(path, write_footer=sys.argv[2] == "True")
    rr.log("s", rr.TextLog("static"), static=True)
    for frame in range(20):
        rr.set_time("frame", sequence=frame)
        rr.set_time("d", duration=float(-frame))
        rr.set_time("t", timestamp=1.7e9 + frame)
        points = rr.Points3D(np.random.rand(frame, 3), colors=[1, 2, 3] * frame)
        rr.log("p/q", points, rr.AnyValues(x=["a"] * frame))
        rr.log("i", rr.Image(np.zeros((frame + 1, 5, 3), np.uint8)))
        rr.log("o", rr.AnnotationContext([(1, "x", (255, 0, 0))]))
    rr.send_columns("c", [rr.TimeColumn("frame", sequence=[3, 1, 2])], rr.Scalars.columns(scalars=[1, 2, 3]))
    rr.log("c", rr.Clear(recursive=True))
    rr.send_property("foo/bar baz", rr.AnyValues(y=1))
"""


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two files of the official SDK, with and without a footer."""
    directory = tmp_path_factory.mktemp("official")
    paths = []
    for footer in (True, False):
        paths.append(directory / f"{footer}.rrd")
        subprocess.run([sys.executable, "-c", OFFICIAL, str(paths[-1]), str(footer)], check=True)
    return paths


def test_official_files_are_read_and_encode_to_the_same_batches(official: list[Path]) -> None:
    for path in official:
        found = read_chunks(path.read_bytes())
        assert len(found) > 5
        for store, batch in found:
            assert (store.application_id, store.recording_id) == ("app", "r")
            again = to_record_batch(from_record_batch(batch))
            assert again.equals(batch, check_metadata=True)
            assert again.schema.equals(batch.schema, check_metadata=True)


def test_official_files_written_again_are_the_same_to_the_official_program(
    official: list[Path], tmp_path: Path
) -> None:
    copies = []
    for path in official:
        store = read_chunks(path.read_bytes())[0].store
        chunks = [from_record_batch(each.batch) for each in read_chunks(path.read_bytes())]
        copies.append(tmp_path / path.name)
        copies[-1].write_bytes(stream_of(messages_of(*chunks, store=store)))
        done = rerun_cli("rrd", "compare", "--unordered", path, copies[-1])
        assert done.returncode == 0, done.stdout + done.stderr
    assert_verified(copies)


def footer_facts(data: bytes) -> list[dict[str, Any]]:
    """Schema and table of each manifest as plain values, where they do not depend on the writer."""
    (*_, end) = iter_messages(data)
    assert end.kind is MessageKind.END
    facts = []
    for _, _, manifest in fields(memoryview(end.payload)):
        assert isinstance(manifest, memoryview)
        parts = {number: value for number, _, value in fields(manifest)}
        schema = pa.ipc.open_stream(dict_of(parts[2])[1]).schema
        table = dict_of(parts[4])
        raw = pa.Codec("lz4_raw").decompress(table[2], decompressed_size=table[4])
        (batch,) = pa.ipc.open_stream(raw)
        facts.append(
            {
                "schema": {field.name: described(field) for field in schema},
                "fields": {field.name: described(field) for field in batch.schema},
                "order": batch.schema.names[:7],
                "values": {
                    name: as_numbers(column).to_pylist()
                    for name, column in zip(batch.schema.names, batch.columns, strict=True)
                    if not name.startswith("chunk_byte")
                },
            }
        )
    return facts


def as_numbers(column: pa.Array[Any]) -> pa.Array[Any]:
    return column.cast(pa.int64()) if pa.types.is_temporal(column.type) else column


def dict_of(message: Any) -> dict[int, Any]:
    return {number: value for number, _, value in fields(message)}


def described(field: pa.Field[Any]) -> tuple[str, bool, dict[bytes, bytes]]:
    return (str(field.type), field.nullable, dict(field.metadata or {}))


def test_the_footer_says_what_the_official_one_says(official: list[Path]) -> None:
    data = official[0].read_bytes()
    found = read_chunks(data)
    copy = stream_of(messages_of(*(from_record_batch(each.batch) for each in found), store=found[0].store))
    assert footer_facts(copy) == footer_facts(data)


def test_announcements_are_those_of_the_official_sdk(official: list[Path]) -> None:
    data = official[0].read_bytes()
    first = next(iter(iter_messages(data)))
    theirs = decode_message(first.kind, first.payload)
    assert isinstance(theirs, StoreInfo)
    ours = store_info_message(theirs.store, theirs.row_id, sys.version_info[:3])
    assert b"".join(ours.segments) == first.payload
