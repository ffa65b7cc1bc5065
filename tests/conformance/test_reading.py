"""Files of the official SDK, read back: complete, cut off, joined, without a footer, from a pipe."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

import aiorerun as rr
from aiorerun.codec.chunk_arrow import decode_ipc
from aiorerun.codec.decode_messages import ArrowMsg, decode_message
from aiorerun.codec.decoder import iter_messages, read_chunks
from aiorerun.codec.forward import forwarded_message
from aiorerun.sync import recording as blocking
from tests.reading import rerun_cli

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Sized

pytest.importorskip("rerun")

OFFICIAL = """
import sys
import numpy as np
import rerun as rr
import rerun.blueprint as rrb

folder, big = sys.argv[1], int(sys.argv[2])


def fill(rec, frames, size):
    rec.log("s", rr.TextLog("static"), static=True)
    for frame in range(frames):
        rec.set_time("frame", sequence=frame)
        rec.set_time("d", duration=float(-frame))
        rec.set_time("t", timestamp=1.7e9 + frame)
        points = rr.Points3D(np.random.default_rng(frame).random((frame * size, 3)), colors=[1, 2, 3])
        rec.log("p/q", points, rr.AnyValues(x=["a"] * frame))
        rec.log("i", rr.Image(np.zeros((frame + 1, 5, 3), np.uint8)))
        if frame % 3 == 0:
            rec.log(f"many/{frame}", rr.Scalars(frame))
            rec.flush()
    rec.send_columns("c", [rr.TimeColumn("frame", sequence=[3, 1, 2])], rr.Scalars.columns(scalars=[1, 2, 3]))
    rec.log("c", rr.Clear(recursive=True))
    rec.send_property("foo/bar baz", rr.AnyValues(y=1))


def recording(name):
    return rr.RecordingStream("app", recording_id=name)


rec = recording("saved")
rec.save(f"{folder}/saved.rrd", default_blueprint=rrb.Blueprint(rrb.Spatial3DView(origin="p")))
fill(rec, 12, 1)
rec.disconnect()

rec = recording("small")
rec.save(f"{folder}/small.rrd")
rec.log("a", rr.Scalars(1))
rec.log("b", rr.TextLog("x"), static=True)
rec.disconnect()

rec = recording("large")
rec.save(f"{folder}/large.rrd")
fill(rec, big, 20)
rec.disconnect()

rec = recording("unfinished")
rec.save(f"{folder}/unfinished.rrd", write_footer=False)
fill(rec, 5, 1)
rec.disconnect()

rec = recording("memory")
memory = rec.memory_recording()
fill(rec, 5, 1)
open(f"{folder}/memory.rrd", "wb").write(memory.drain_as_bytes())

rrb.Blueprint(rrb.TimeSeriesView(origin="c"), rrb.Spatial3DView()).save("app", f"{folder}/blueprint.rbl")
"""

STDOUT = """
import rerun as rr
rec = rr.RecordingStream("app", recording_id="piped")
rec.stdout()
for frame in range(20):
    rec.set_time("frame", sequence=frame)
    rec.log("a", rr.Scalars(frame))
rec.disconnect()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of the official SDK."""
    path = tmp_path_factory.mktemp("official")
    subprocess.run([sys.executable, "-c", OFFICIAL, str(path), "60"], check=True, capture_output=True)
    with (path / "piped.rrd").open("wb") as file:
        subprocess.run([sys.executable, "-c", STDOUT], check=True, stdout=file)
    # Not .rrd: joined streams have no footer that the official program would verify.
    joined = (path / "saved.rrd").read_bytes() + (path / "unfinished.rrd").read_bytes()
    (path / "joined.bin").write_bytes(joined + (path / "small.rrd").read_bytes())
    return path


ALL = ("saved.rrd", "small.rrd", "large.rrd", "unfinished.rrd", "memory.rrd", "piped.rrd", "blueprint.rbl",
       "joined.bin")  # fmt: skip


class Stats(NamedTuple):
    """What is counted in a file."""

    chunks: int
    rows: int
    entities: int
    static: int


def official_stats(path: Path) -> Stats:
    done = rerun_cli("rrd", "stats", path)
    assert done.returncode == 0, done.stderr
    numbers = dict(re.findall(r"^(num_\w+) = ([\d \u2009\u202f\u00a0]+)", done.stdout, re.MULTILINE))
    found = {name: int(re.sub(r"\D", "", text)) for name, text in numbers.items()}
    return Stats(
        found.get("num_chunks", 0),
        found.get("num_rows", 0),
        found.get("num_entity_paths", 0),
        found.get("num_static", 0),
    )


def our_stats(path: Path) -> Stats:
    with blocking.load_archive(path) as archive:
        stores = [*archive.all_recordings(), *archive.all_blueprints()]
        chunks = [chunk for store in stores for chunk in store.chunks()]
        return Stats(
            len(chunks),
            sum(chunk.num_rows for chunk in chunks),
            len({chunk.entity_path for chunk in chunks}),
            sum(chunk.is_static for chunk in chunks),
        )


def stores_of(path: Path) -> list[blocking.Recording]:
    archive = blocking.load_archive(path)
    return [*archive.all_recordings(), *archive.all_blueprints()]


@pytest.mark.parametrize("name", ALL)
def test_counts_agree_with_the_official_program(folder: Path, name: str) -> None:
    assert our_stats(folder / name) == official_stats(folder / name)


@pytest.mark.parametrize("name", ALL)
def test_all_chunks_come_back(folder: Path, name: str) -> None:
    """What the index leads to is what a plain read from front to back finds."""
    expected = {
        each.batch.schema.metadata[b"rerun:id"]: each for each in read_chunks((folder / name).read_bytes())
    }
    found = [chunk for store in stores_of(folder / name) for chunk in store.chunks()]
    assert len(found) == len(expected)
    for chunk in found:
        wanted = expected[chunk.id.encode()]
        assert chunk.store == wanted.store
        assert chunk.to_record_batch().equals(wanted.batch, check_metadata=True)


@pytest.mark.parametrize("name", ALL)
async def test_the_asyncio_api_reads_the_same(folder: Path, name: str) -> None:
    async with await rr.recording.load_archive(folder / name) as archive:
        for ours in [*archive.all_recordings(), *archive.all_blueprints()]:
            (other,) = [each for each in stores_of(folder / name) if each._index.store == ours._index.store]
            found = [chunk async for chunk in ours.chunks()]
            assert all(chunk.is_read for chunk in found)
            assert [chunk.id for chunk in found] == [chunk.id for chunk in other.chunks()]
            assert ours.timelines() == other.timelines()
            assert [(each.name, str(each.type)) for each in ours.schema().component_columns()] == [
                (each.name, str(each.type)) for each in other.schema().component_columns()
            ]


@pytest.mark.parametrize("name", ["saved.rrd", "large.rrd", "memory.rrd", "piped.rrd", "blueprint.rbl"])
def test_the_footer_says_what_is_found_without_it(folder: Path, name: str, tmp_path: Path) -> None:
    data = (folder / name).read_bytes()
    end = int.from_bytes(data[-32:-24], "little") - 16
    cut = tmp_path / "cut.bin"
    cut.write_bytes(data[:end])
    for with_footer, without in zip(stores_of(folder / name), stores_of(cut), strict=True):
        one, other = with_footer._index, without._index
        assert one.store == other.store
        assert one.info == other.info
        assert one.timelines == other.timelines
        assert set(one.paths) == set(other.paths)
        for key, column in other.columns.items():
            assert one.columns[key].descriptor == column.descriptor
            assert one.columns[key].type == column.type
            assert one.columns[key].is_static == column.is_static
        for attribute in ("ids", "num_rows", "is_static", "offsets", "sizes", "uncompressed"):
            np.testing.assert_array_equal(getattr(one, attribute), getattr(other, attribute))
        for masks in ("on_timeline", "with_component"):
            ours, theirs = getattr(one, masks), getattr(other, masks)
            for key in {*ours, *theirs}:
                # Components without any value need not be listed.
                np.testing.assert_array_equal(
                    ours.get(key, np.zeros(len(one.offsets), bool)),
                    theirs.get(key, np.zeros(len(one.offsets), bool)),
                )


def complete_messages(data: bytes) -> list[tuple[int, int]]:
    """Where the chunks of a stream begin and end."""
    spans = []
    for raw in iter_messages(data):
        message = decode_message(raw.kind, raw.payload)
        if isinstance(message, ArrowMsg):
            spans.append((raw.offset, raw.offset + len(raw.payload)))
    return spans


def offsets_in(path: Path) -> list[int]:
    return sorted(int(offset) for store in stores_of(path) for offset in store._index.offsets.tolist())


def test_a_small_file_cut_at_every_byte(folder: Path, tmp_path: Path) -> None:
    data = (folder / "small.rrd").read_bytes()
    spans = complete_messages(data)
    path = tmp_path / "cut.bin"
    path.write_bytes(data)
    for cut in reversed(range(len(data))):
        with path.open("r+b") as file:
            file.truncate(cut)
        assert offsets_in(path) == [start for start, end in spans if end <= cut]


def test_a_large_file_cut_anywhere(folder: Path, tmp_path: Path, sized: Sized) -> None:
    data = (folder / "large.rrd").read_bytes()
    spans = complete_messages(data)
    chooser = random.Random(7)
    cuts = sorted((chooser.randrange(len(data)) for _ in range(sized(150, 10_000))), reverse=True)
    judged = set(chooser.sample(cuts, sized(4, 50)))
    path = tmp_path / "cut.bin"
    path.write_bytes(data)
    for cut in cuts:
        with path.open("r+b") as file:
            file.truncate(cut)
        expected = [start for start, end in spans if end <= cut]
        assert offsets_in(path) == expected
        if cut in judged:
            assert our_stats(path) == official_stats(path)
            assert our_stats(path).chunks == len(expected)


@pytest.mark.parametrize("name", ALL)
def test_encoding_what_was_decoded_gives_an_equal_batch(folder: Path, name: str) -> None:
    for store in stores_of(folder / name):
        for chunk in store.chunks():
            batch = chunk.to_record_batch()
            message = forwarded_message(store._index.store, batch)
            payload = memoryview(b"".join(message.segments))
            decoded = decode_message(message.kind, payload)
            assert isinstance(decoded, ArrowMsg)
            again = decoded.batch(1 << 30)
            assert again.schema.equals(batch.schema, check_metadata=True)
            assert again.equals(batch, check_metadata=True)
            assert decoded.is_static == chunk.is_static


async def test_what_is_sent_on_is_the_same_to_the_official_program(folder: Path, tmp_path: Path) -> None:
    recording = await rr.recording.load_recording(folder / "large.rrd")
    copy = tmp_path / "copy.rrd"
    async with rr.AsyncRecordingStream("app", recording_id="large", send_properties=False) as rec:
        await rec.save(copy)
        await rec.send_recording(recording)
    done = rerun_cli("rrd", "compare", "--unordered", folder / "large.rrd", copy)
    assert done.returncode == 0, done.stdout + done.stderr
    again = await rr.recording.load_recording(copy)
    assert {chunk.id async for chunk in again.chunks()} == {chunk.id async for chunk in recording.chunks()}


def official_chunks(path: Path) -> Any:
    import rerun.chunk

    return rerun.chunk.RrdReader(path)


@pytest.mark.parametrize("form", ["chunk", "list", "stream", "store", "reader", "batches"])
async def test_chunks_of_the_official_sdk_are_taken(folder: Path, tmp_path: Path, form: str) -> None:
    reader = official_chunks(folder / "small.rrd")
    given: Any = {
        "chunk": lambda: next(iter(reader.stream())),
        "list": lambda: list(reader.stream()),
        "stream": reader.stream,
        "store": reader.store,
        "reader": lambda: reader,
        "batches": lambda: [chunk.to_record_batch() for chunk in reader.stream()],
    }[form]()
    expected = {chunk.id: chunk.num_rows for chunk in ([given] if form == "chunk" else reader.stream())}
    for face in ("asyncio", "blocking"):
        path = tmp_path / f"{face}.rrd"
        if face == "asyncio":
            async with rr.AsyncRecordingStream("other", recording_id="new", send_properties=False) as rec:
                await rec.save(path)
                await rec.send_chunks(given)
                await rec.flush()
                assert rec.stats().rows_delivered == sum(expected.values())
        else:
            await _send_blocking(path, given)
        recording = await rr.recording.load_recording(path)
        assert (recording.application_id(), recording.recording_id()) == ("other", "new")
        assert {chunk.id: chunk.num_rows async for chunk in recording.chunks()} == expected


async def _send_blocking(path: Path, chunks: Any) -> None:
    import asyncio

    import aiorerun.sync as blocking_rr

    def send() -> None:
        rec = blocking_rr.RecordingStream("other", recording_id="new", send_properties=False)
        rec.save(path)
        rec.send_chunks(chunks)
        rec.disconnect()

    await asyncio.to_thread(send)


def test_the_official_sdk_takes_our_chunks(folder: Path) -> None:
    import rerun.chunk

    for chunk in blocking.load_recording(folder / "saved.rrd").chunks():
        (theirs,) = rerun.chunk.Chunk.from_record_batch(chunk.to_record_batch())
        assert (theirs.id, theirs.entity_path, theirs.num_rows) == (
            chunk.id,
            chunk.entity_path,
            chunk.num_rows,
        )
        assert sorted(theirs.timeline_names) == sorted(chunk.timeline_names)
        assert theirs.is_static == chunk.is_static


def test_the_schema_is_that_of_the_official_reader(folder: Path) -> None:
    theirs = official_chunks(folder / "saved.rrd").store().schema()
    ours = blocking.load_recording(folder / "saved.rrd").schema()
    assert {each.name for each in ours.index_columns()} == {each.name for each in theirs.index_columns()}
    assert {
        (each.entity_path, each.component, each.archetype, each.component_type, each.is_static, each.name)
        for each in ours.component_columns()
    } == {
        (each.entity_path, each.component, each.archetype, each.component_type, each.is_static, each.name)
        for each in theirs.component_columns()
    }


def test_from_the_standard_input(folder: Path) -> None:
    code = (
        "import aiorerun.sync as rr\n"
        "recording = rr.recording.load_recording('-')\n"
        "print(recording.recording_id(), recording.num_rows, sum(c.num_rows for c in recording.chunks()))"
    )
    with subprocess.Popen([sys.executable, "-c", STDOUT], stdout=subprocess.PIPE) as writer:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code], stdin=writer.stdout, capture_output=True, text=True
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["piped", "21", "21"]


def ipc_streams(data: bytes) -> Iterator[pa.RecordBatch]:
    for each in read_chunks(data):
        yield each.batch


def test_streams_that_arrow_itself_compressed_are_read(folder: Path) -> None:
    for codec in ("lz4", "zstd"):
        for batch in ipc_streams((folder / "saved.rrd").read_bytes()):
            sink = pa.BufferOutputStream()
            options = pa.ipc.IpcWriteOptions(compression=codec)
            with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
                writer.write_batch(batch)
            assert decode_ipc(sink.getvalue()).equals(batch, check_metadata=True)
