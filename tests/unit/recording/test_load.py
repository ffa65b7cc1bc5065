"""Opening files: by the footer or by reading everything, and what is known then."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
from aiorerun.codec.decoder import iter_messages
from aiorerun.codec.framing import MESSAGE_HEADER, stream_footer
from aiorerun.recording import archive as archives
from aiorerun.recording.archive import indexes_by_footer
from aiorerun.recording.source import Source, open_source
from aiorerun.sync import recording as blocking
from aiorerun.types.store import StoreKind
from aiorerun.types.timeline import TimelineKind
from tests.unit.codec.building import announcement, messages_of, scalar_chunk, stream_of
from tests.unit.recording.making import chunks, everything, one_recording

if TYPE_CHECKING:
    from pathlib import Path

    from aiorerun.codec.errors import RrdError

BOTH = pytest.mark.parametrize("write_footer", [True, False], ids=["footer", "no footer"])


@BOTH
def test_what_is_in_an_archive(tmp_path: Path, write_footer: bool) -> None:
    path = tmp_path / "all.bin"
    path.write_bytes(everything(write_footer=write_footer))
    with blocking.load_archive(path) as archive:
        assert (archive.num_recordings(), archive.num_blueprints()) == (2, 1)
        assert [each.recording_id() for each in archive.all_recordings()] == ["demo", "other"]
        (blueprint,) = archive.all_blueprints()
        assert (blueprint.kind, blueprint.recording_id()) == (StoreKind.BLUEPRINT, "rec_0")
        assert "all.bin" in repr(archive)


@BOTH
def test_what_is_known_without_reading(
    tmp_path: Path, write_footer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = blocking.load_recording(one_recording(tmp_path / "one.bin", write_footer=write_footer))
    monkeypatch.setattr(Source, "read", None)
    assert (recording.application_id(), recording.recording_id()) == ("app", "demo")
    assert recording.kind is StoreKind.RECORDING
    assert recording.entities() == ["/__properties", "/points", "/wave"]
    assert (recording.num_chunks, recording.num_rows) == (5, 8)
    timelines = recording.timelines()
    assert list(timelines) == ["clock", "frame", "since"]
    assert timelines["frame"] == rr.recording.TimelineRange("frame", TimelineKind.SEQUENCE, 0, 3)
    assert timelines["clock"] == rr.recording.TimelineRange("clock", TimelineKind.TIMESTAMP, 10, 30)
    assert timelines["since"].kind is TimelineKind.DURATION
    schema = recording.schema()
    assert [each.name for each in schema.index_columns()] == ["clock", "frame", "since"]
    assert [(each.name, each.is_static, each.is_property) for each in schema.component_columns()] == [
        ("property:name", True, True),
        ("/points:Points3D:positions", False, False),
        ("/points:label", True, False),
        ("/wave:Scalars:scalars", False, False),
    ]
    assert schema.column_for("/points", "nothing") is None
    assert len(schema) == len(list(schema)) == 7
    assert "/wave:Scalars:scalars" in repr(schema)
    assert "5 chunks, 8 rows" in repr(recording)


@BOTH
async def test_both_apis_find_the_same(tmp_path: Path, write_footer: bool) -> None:
    path = one_recording(tmp_path / "one.bin", write_footer=write_footer)
    ours = await rr.recording.load_recording(path)
    other = blocking.load_recording(path)
    assert ours.timelines() == other.timelines()
    assert ours.schema().to_arrow().equals(other.schema().to_arrow(), check_metadata=True)
    assert [each.id async for each in ours.chunks()] == [each.id for each in other.chunks()]
    made = [f"chunk_{each.id}" for each in chunks()]
    assert len(made) == len([each.id for each in other.chunks()])


@BOTH
def test_only_what_is_asked_for_is_read(
    tmp_path: Path, write_footer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = blocking.load_recording(one_recording(tmp_path / "one.bin", write_footer=write_footer))
    read: list[tuple[int, int]] = []
    original = Source.read

    def note(self: Source, offset: int, size: int) -> bytes:
        read.append((offset, size))
        return original(self, offset, size)

    monkeypatch.setattr(Source, "read", note)

    def count(**filters: Any) -> int:
        read.clear()
        found = [chunk.num_rows for chunk in recording.chunks(**filters)]
        assert len(read) == len(found)
        return len(found)

    assert count() == 5
    assert count(entity_path="points") == count(entity_path=["points"]) == 3
    assert count(entity_path="/points", component="Points3D:positions") == 1
    assert count(component="label") == 3
    assert count(timeline="frame") == 4  # two are static
    assert count(timeline="since", entity_path="wave") == 1
    assert count(entity_path="/nowhere") == count(component="nothing") == 0
    assert count(timeline="nowhen") == 2


def test_a_chunk_that_is_not_used_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = blocking.load_recording(one_recording(tmp_path / "one.bin"))
    monkeypatch.setattr(Source, "read", None)
    found = list(recording.chunks())
    assert len(found) == 5
    assert not any(chunk.is_read for chunk in found)
    assert repr(found[0]) == "Chunk(not read yet)"


async def test_not_exactly_one_recording(tmp_path: Path) -> None:
    path = tmp_path / "all.bin"
    path.write_bytes(everything())
    nothing = tmp_path / "nothing.bin"
    nothing.write_bytes(stream_of([]))
    for file, count in ((path, 2), (nothing, 0)):
        with pytest.raises(ValueError, match=f"holds {count} recordings instead of one; use load_archive"):
            await rr.recording.load_recording(file)
        with pytest.raises(ValueError, match=f"holds {count} recordings"):
            blocking.load_recording(file)


def test_a_recording_that_was_only_announced_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.bin"
    for write_footer in (True, False):
        path.write_bytes(stream_of([announcement()], write_footer=write_footer))
        recording = blocking.load_recording(path)
        assert (recording.num_chunks, recording.num_rows) == (0, 0)
        assert recording.to_table().num_rows == 0
        assert list(recording.chunks()) == []


def test_empty_files_and_other_files(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"")
    assert blocking.load_archive(path).num_recordings() == 0
    path.write_bytes(b"\x89PNG" + bytes(100))
    with pytest.raises(rr.RrdError, match="not an RRD stream"):
        blocking.load_archive(path)
    with pytest.raises(FileNotFoundError):
        blocking.load_archive(tmp_path / "missing.rrd")


# --- footers that cannot be relied on ---------------------------------------------------------------


def uses_footer(path: Path) -> bool:
    source = open_source(path)
    try:
        return indexes_by_footer(source) is not None
    finally:
        source.close()


def test_which_footers_are_used(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    whole = stream_of(messages_of(*chunks()))

    def used(data: bytes) -> bool:
        path.write_bytes(data)
        assert blocking.load_archive(path).all_recordings()[0].num_chunks >= 5
        return uses_footer(path)

    assert used(whole)
    assert used(everything())
    # Joined, cut, followed by something, with a wrong checksum.
    assert not used(whole + whole)
    assert not used(whole[:-1])
    assert not used(whole + b"more")
    damaged = bytearray(whole)
    damaged[-40] ^= 1
    assert not used(bytes(damaged))
    assert not used(stream_of(messages_of(*chunks()), write_footer=False))


def with_footer_of(data: bytes, footer: bytes) -> bytes:
    """A stream without a footer, with that of another one."""
    start = int.from_bytes(footer[-32:-24], "little")
    payload = footer[start:-32]
    header = MESSAGE_HEADER.pack(0, len(payload))
    return data + header + payload + stream_footer(len(data) + len(header), payload)


def test_a_footer_that_leaves_out_chunks_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    made = messages_of(*chunks())
    longer = stream_of(made, write_footer=False)
    path.write_bytes(with_footer_of(longer, stream_of(made[:-1])))
    assert not uses_footer(path)
    assert blocking.load_recording(path).num_chunks == 5


def test_a_footer_that_lists_what_is_not_there_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    made = messages_of(*chunks())
    shorter = stream_of(made[:-1], write_footer=False)
    path.write_bytes(with_footer_of(shorter, stream_of(made)))
    assert not uses_footer(path)
    assert blocking.load_recording(path).num_chunks == 4


def test_a_footer_that_describes_other_chunks_is_noticed(tmp_path: Path) -> None:
    """Every offset and size is right, the ids are not."""
    path = tmp_path / "x.bin"
    first = stream_of(messages_of(scalar_chunk("/a")))
    start = int.from_bytes(first[-32:-24], "little")
    # Compressed, not all ids take equally many bytes.
    others = (stream_of(messages_of(scalar_chunk("/a"))) for _ in range(1000))
    second = next(each for each in others if int.from_bytes(each[-32:-24], "little") == start)
    path.write_bytes(with_footer_of(first[: start - 16], second))
    assert uses_footer(path)
    (chunk,) = blocking.load_recording(path).chunks()
    with pytest.raises(rr.RrdError, match="but the footer says") as caught:
        chunk.to_record_batch()
    assert "x.bin" in caught.value.__notes__[0]


def test_a_file_that_became_shorter(tmp_path: Path) -> None:
    path = one_recording(tmp_path / "one.bin")
    recording = blocking.load_recording(path)
    os.truncate(path, 200)
    with pytest.raises(rr.RrdError, match="has become shorter"):
        [chunk.num_rows for chunk in recording.chunks()]


def test_a_file_that_was_overwritten(tmp_path: Path) -> None:
    path = one_recording(tmp_path / "one.bin")
    recording = blocking.load_recording(path)
    with path.open("r+b") as file:
        file.write(b"\0" * 4000)
    with pytest.raises(rr.RrdError, match="no such chunk"):
        [chunk.num_rows for chunk in recording.chunks()]


# --- damage inside ----------------------------------------------------------------------------------


def damaged_chunk(path: Path) -> None:
    data = bytearray(stream_of(messages_of(scalar_chunk("/a"), scalar_chunk("/b")), write_footer=False))
    at = [raw.offset for raw in iter_messages(bytes(data))][1]
    data[at : at + 12] = b"\xff" * 12
    path.write_bytes(data)


async def test_damaged_messages_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    damaged_chunk(path)
    with pytest.raises(rr.RrdError) as caught:
        blocking.load_archive(path)
    assert "in the message at byte" in caught.value.__notes__[0]
    with pytest.raises(rr.RrdError):
        await rr.recording.load_archive(path)
    errors: list[RrdError] = []
    assert blocking.load_recording(path, on_error=errors.append).entities() == ["/b"]
    recording = await rr.recording.load_recording(path, on_error=errors.append)
    assert recording.entities() == ["/b"]
    assert len(errors) == 2


async def test_framing_that_is_lost_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    whole = stream_of(messages_of(scalar_chunk("/a")), write_footer=False)
    path.write_bytes(whole + b"\xff" * 40)
    with pytest.raises(rr.RrdError, match="bytes long"):
        blocking.load_archive(path)
    errors: list[RrdError] = []
    assert (await rr.recording.load_recording(path, on_error=errors.append)).entities() == ["/a"]
    assert [str(len(whole)) in error.__notes__[0] for error in errors] == [True]


# --- pipes, closing, cancelling ---------------------------------------------------------------------


def test_a_named_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = everything()

    def write() -> None:
        with pipe.open("wb") as file:
            for start in range(0, len(data), 1000):
                file.write(data[start : start + 1000])

    writer = threading.Thread(target=write)
    writer.start()
    archive = blocking.load_archive(pipe)
    writer.join()
    assert [each.num_rows for each in archive.all_recordings()] == [8, 1]
    assert sum(chunk.num_rows for chunk in archive.all_recordings()[0].chunks()) == 8


async def test_cancelling_stops_waiting_for_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    loading = asyncio.create_task(rr.recording.load_archive(pipe))
    await asyncio.sleep(0.1)
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    # The thread is let go as well, or this would wait for ever.
    await asyncio.wait_for(asyncio.get_running_loop().shutdown_default_executor(), 5)


async def test_closing(tmp_path: Path) -> None:
    path = one_recording(tmp_path / "one.bin")
    async with await rr.recording.load_archive(path) as archive:
        (recording,) = archive.all_recordings()
    with pytest.raises(ValueError, match="is closed; load it again"):
        [chunk async for chunk in recording.chunks()]
    await archive.aclose()
    with blocking.load_archive(path) as other:
        pass
    with pytest.raises(ValueError, match="is closed"):
        other.all_recordings()[0].to_table()


def test_files_are_closed_with_the_last_thing_that_uses_them(tmp_path: Path) -> None:
    path = one_recording(tmp_path / "one.bin")
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recording: Any = blocking.load_recording(path)
        chunk = next(iter(recording.chunks()))
        del recording
        gc.collect()
        assert chunk.num_rows == 3
        del chunk
        gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_footer_with_more_gaps_than_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_MAX_GAPS", 0)
    path = one_recording(tmp_path / "one.bin")
    assert not uses_footer(path)
    assert blocking.load_recording(path).num_chunks == 5
