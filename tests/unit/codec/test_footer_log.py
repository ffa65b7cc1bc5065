"""The bookkeeping of footers: flat memory, the same footer from disk as from memory, and its limits."""

from __future__ import annotations

import errno
import os
import random
import tempfile
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pytest

import aiorerun as rr
from aiorerun.codec import footer_log, manifest
from aiorerun.codec.messages import chunk_message
from aiorerun.codec.rrd import RrdEncoder
from aiorerun.codec.scratch import Scratch
from tests.reading import assert_verified, scalars_of
from tests.unit.codec.building import (
    BLUEPRINT,
    FRAME,
    STORE,
    announcement,
    chunk,
    component,
    index,
    scalar_chunk,
)
from tests.unit.codec.test_manifest import footer_of, schema_of, table_of

if TYPE_CHECKING:
    from pathlib import Path

    from aiorerun.codec.messages import Message


def scratch_file() -> BinaryIO:
    return tempfile.TemporaryFile(buffering=0)


def many_messages(count: int) -> list[Message]:
    generator = random.Random(3)
    messages = [announcement(), announcement(BLUEPRINT)]
    for number in range(count):
        path = f"/é{generator.randrange(30)}"
        frames = range(number, number + generator.randrange(1, 4))
        if generator.random() < 0.1:
            made = chunk(path, 1, [], [component("x", [[1]], pa.int8())])
        elif generator.random() < 0.2:
            made = chunk(path, 2, [index(FRAME, [1, 2])], [component("y", [None, [1]], pa.int8())])
        else:
            made = scalar_chunk(path, frames)
        messages.append(chunk_message(BLUEPRINT if generator.random() < 0.1 else STORE, made))
    return messages


def written(messages: list[Message], *, scratch: Any, at_once: int) -> bytes:
    """A stream of these; some are undone before they are written, as on a full disk."""
    encoder = RrdEncoder(scratch)
    pieces = [*encoder.start()]
    for start in range(0, len(messages), at_once):
        part = messages[start : start + at_once]
        for message in part:
            encoder.encode(message)
        encoder.undo(len(part))
        for message in part:
            pieces += encoder.encode(message)
        encoder.settle()
    pieces += encoder.finish()
    data = b"".join(memoryview(piece).cast("B") for piece in pieces)
    assert encoder.nbytes == len(data)
    encoder.release()
    return data


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_the_footer_is_the_same_from_disk(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footer_log, "SPILL_BYTES", 3000)
    monkeypatch.setattr(manifest, "_BLOCK_ROWS", 100)
    messages = many_messages(500)
    expected = footer_of(written(messages, scratch=None, at_once=at_once)).manifests
    found = footer_of(written(messages, scratch=scratch_file, at_once=at_once)).manifests
    assert len(found) == len(expected) == 2
    for one, other in zip(found, expected, strict=True):
        assert one.store_id == other.store_id
        assert schema_of(one).equals(schema_of(other), check_metadata=True)
        assert table_of(one).equals(table_of(other), check_metadata=True)
        assert one.data is not None
        assert other.data is not None
        assert one.data.uncompressed_size == other.data.uncompressed_size


def test_memory_stays_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footer_log, "SPILL_BYTES", 10_000)
    encoder = RrdEncoder(scratch_file)
    message = chunk_message(STORE, scalar_chunk())
    for _ in range(5000):
        encoder.encode(message)
        encoder.settle()
        log = encoder._log
        kept = sum(len(group.records) for group in log.groups) + 8 * len(log._ends) + 8 * len(log._which)
        assert kept < 11_000
    encoder.release()


async def test_the_official_program_accepts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footer_log, "SPILL_BYTES", 2000)
    path = tmp_path / "spilled.rrd"
    rec = rr.AsyncRecordingStream(
        "footer", recording_id="f", batcher_config=rr.ChunkBatcherConfig.ALWAYS(), max_wait=30
    )
    await rec.save(path)
    for number in range(300):
        rec.set_time("frame", sequence=number)
        await rec.log(f"e{number % 5}", rr.Scalars(float(number)))
        if number % 50 == 0:
            await rec.flush()
    await rec.disconnect()
    assert sorted(value for number in range(5) for value in scalars_of(path, f"/e{number}")) == list(
        range(300)
    )
    assert_verified([path])
    assert os.listdir(tmp_path) == ["spilled.rrd"], "the scratch file has no name"


@pytest.mark.parametrize("limit", ["MAX_CHUNKS", "MAX_GROUPS"])
async def test_beyond_the_limit_there_is_no_footer_and_one_warning(
    limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(footer_log, limit, 20)
    path = tmp_path / "endless.rrd"
    rec = rr.AsyncRecordingStream(
        "footer", recording_id="f", batcher_config=rr.ChunkBatcherConfig.ALWAYS(), max_wait=30
    )
    await rec.save(path)
    for number in range(60):
        await rec.log(f"e{number}", rr.Scalars(float(number)))
        await rec.flush()
    log = rec._engine.conveyor.sinks.runners[0].sink._file._encoder._log  # type: ignore[attr-defined]
    assert log.is_closed
    assert log.groups == []
    assert len(log._ends) == 0
    await rec.disconnect()
    assert caplog.text.count("gets no footer, it has too many chunks") == 1
    assert scalars_of(path, "/e59") == [59.0]
    assert_verified([path], footers=False)


def test_a_footer_that_nothing_could_read_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "_MAX_FOOTER_BYTES", 5000)
    messages = many_messages(50)
    encoder = RrdEncoder()
    encoder.start()
    for message in messages:
        encoder.encode(message)
    assert encoder.finish() == []
    assert encoder.is_too_large


def test_a_full_disk_is_tried_again_and_at_last_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footer_log, "SPILL_BYTES", 1000)
    monkeypatch.setattr(footer_log, "GIVE_UP_BYTES", 5000)
    full = True

    def fitful() -> BinaryIO:
        if full:
            raise OSError(errno.ENOSPC, "full")
        return scratch_file()

    messages = many_messages(30)
    encoder = RrdEncoder(fitful)
    for message in messages:
        encoder.encode(message)
        encoder.settle()
    assert not encoder.is_too_large
    full = False
    encoder.settle()
    assert encoder._log.scratch is not None
    assert len(encoder._log._ends) == 0
    full = True
    stuck = RrdEncoder(fitful)
    for message in many_messages(200):
        stuck.encode(message)
        stuck.settle()
    assert stuck.is_too_large
    encoder.release()
    stuck.release()


def test_scratch_space() -> None:
    scratch = Scratch(scratch_file())
    scratch.append(b"abc")
    numbers = scratch.array("<i8", 1000)
    assert not numbers.any()
    numbers[:] = np.arange(1000)
    scratch.append(b"def")
    assert scratch.read(0, 3) == b"abc"
    assert scratch.read(scratch.end - 3, 3) == b"def"
    start = scratch.start_page()
    scratch.append(b"x" * 5000)
    assert bytes(scratch.view(start)) == b"x" * 5000
    assert numbers.sum() == 499_500
    assert len(scratch.array("V16", 0)) == 0
    scratch.close()
