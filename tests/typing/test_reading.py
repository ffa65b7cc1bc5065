"""What type checkers make of reading and sending on, in both faces."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

import aiorerun as rr
import aiorerun.sync as blocking
from aiorerun.types.descriptors import ComponentDescriptor
from aiorerun.types.store import StoreKind
from aiorerun.types.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


async def the_asyncio_face(path: Path) -> None:
    recording = await rr.recording.load_recording(path)
    assert_type(recording, rr.recording.Recording)
    assert_type(recording.recording_id(), str)
    assert_type(recording.kind, StoreKind)
    assert_type(recording.entities(), list[str])
    assert_type(recording.timelines(), dict[str, rr.recording.TimelineRange])
    assert_type(recording.schema(), rr.recording.Schema)
    assert_type(recording.schema().component_columns(), list[rr.recording.ComponentColumnDescriptor])
    chunks: AsyncIterator[rr.recording.Chunk] = recording.chunks(entity_path="a", timeline="frame")
    async for chunk in chunks:
        assert_type(chunk, rr.recording.Chunk)
        assert_type(chunk.timelines, list[Timeline])
        assert_type(chunk.components, list[ComponentDescriptor])
    async with await rr.recording.load_archive(str(path), on_error=print) as archive:
        assert_type(archive, rr.recording.RRDArchive)
        assert_type(archive.all_recordings(), list[rr.recording.Recording])
    async with rr.recording.follow(path, poll_interval=1) as following:
        async for chunk in following:
            assert_type(chunk, rr.recording.Chunk)
    rec = rr.AsyncRecordingStream("app")
    assert_type(await rec.send_recording(recording), None)
    assert_type(await rec.send_chunks(recording), None)
    chunk = await anext(chunks)
    await rec.send_chunks(chunk)
    await rec.send_chunks([chunk])
    await rec.send_chunks(recording.chunks())
    await rr.send_recording(recording, rec)
    await rr.send_chunks(chunk, recording=rec)
    await rec.send_recording([chunk])  # type: ignore[arg-type]
    await rec.send_chunks(3)  # type: ignore[arg-type]
    await rr.send_chunks(chunk, rec)  # type: ignore[call-arg]


def the_blocking_face(path: Path) -> None:
    recording = blocking.recording.load_recording(path)
    assert_type(recording, blocking.recording.Recording)
    chunks: Iterator[blocking.recording.Chunk] = recording.chunks()
    for chunk in chunks:
        assert_type(chunk, blocking.recording.Chunk)
    with blocking.recording.load_archive(path) as archive:
        assert_type(archive.num_recordings(), int)
        assert_type(archive.all_blueprints(), list[blocking.recording.Recording])
    with blocking.recording.follow(path) as following:
        assert_type(next(following), blocking.recording.Chunk)
    rec = blocking.RecordingStream("app")
    assert_type(rec.send_recording(recording), None)
    rec.send_chunks(recording)
    rec.send_chunks(chunk for chunk in recording.chunks())
    chunk = next(chunks)
    blocking.send_recording(recording)
    blocking.send_chunks([chunk])
    rec.send_chunks(following.close)  # type: ignore[arg-type]
    error: ValueError = blocking.RrdError("x")
    assert str(error)


def test_both_faces_have_the_same_chunks() -> None:
    assert rr.recording.Chunk is blocking.recording.Chunk
    assert rr.RrdError is blocking.RrdError
    assert issubclass(rr.RrdError, ValueError)
