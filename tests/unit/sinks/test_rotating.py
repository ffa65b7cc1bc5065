"""The rotating file sink: parts that are complete, names that are never reused, limits that hold."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
import aiorerun.blueprint as rrb
import aiorerun.sync as blocking
from aiorerun.sinks.rrd_file import RrdFile
from tests.reading import assert_verified, rerun_cli, rows_of, scalars_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from aiorerun.codec.messages import Message

PART = 30_000
"""Bytes of a part that holds several chunks."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


async def log_rows(rec: rr.AsyncRecordingStream, count: int, first: int = 0, every: int = 20) -> None:
    """Rows that are a chunk of each entity every so many."""
    for number in range(first, first + count):
        rec.set_time("row", sequence=number)
        await rec.log(f"e{number % 2}", rr.Scalars(float(number)))
        if number % every == every - 1:
            await rec.flush()
    await rec.flush()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - what is waited for happens in files
            await asyncio.sleep(0.005)


def temporal(files: Sequence[Path]) -> list[Any]:
    """The rows of the recording with times. What else there is comes in every part."""
    rows = [row for file in files for row in rows_of(file) if row.times and row.recording == "r"]
    return sorted((row.row_id, row.path, repr(row.times), repr(row.values)) for row in rows)


async def test_parts_begin_with_what_is_static_and_end_with_a_footer(tmp_path: Path) -> None:
    sink = rr.RotatingFileSink(tmp_path / "run.rrd", max_bytes=PART)
    rec = rr.AsyncRecordingStream("rotating", recording_id="r")
    await rec.set_sinks(sink, rr.FileSink(tmp_path / "whole.rrd"))
    await rec.send_recording_name("a name")
    await rec.log("mesh", rr.Points3D([[1, 2, 3]]), static=True)
    await rec.send_blueprint(rrb.Blueprint(rrb.TimeSeriesView(origin="/")))
    await log_rows(rec, 500)
    await rec.log("mesh", rr.Points3D([[4, 5, 6]]), static=True)
    await log_rows(rec, 500, 500)
    await rec.disconnect()

    assert len(sink.parts) >= 5
    assert [part.name for part in sink.parts] == [f"run-{n:06}.rrd" for n in range(1, len(sink.parts) + 1)]
    assert names(tmp_path) == [*(part.name for part in sink.parts), "whole.rrd"]
    assert_verified(sink.parts)
    for number, part in enumerate(sink.parts):
        archive = await rr.recording.load_archive(part)
        (recording,) = archive.all_recordings()
        assert recording.recording_id() == "r"
        (blueprint,) = archive.all_blueprints()
        assert blueprint.entities()
        printed = rerun_cli("rrd", "print", "-v", part).stdout
        assert "RecordingInfo:name" in printed
        assert "RecordingInfo:start_time" in printed
        positions = [row.values["Points3D:positions"] for row in rows_of(part) if row.path == "/mesh"]
        assert positions[0] == ([[1.0, 2.0, 3.0]] if number < 4 else positions[0])
        assert positions
    last = [row for row in rows_of(sink.parts[-1]) if row.path == "/mesh"]
    assert [row.values["Points3D:positions"] for row in last] == [[[4.0, 5.0, 6.0]]]
    assert temporal(sink.parts) == temporal([tmp_path / "whole.rrd"])


async def test_no_part_is_larger_than_it_may_be(tmp_path: Path) -> None:
    sink = rr.RotatingFileSink(tmp_path / "run.rrd", max_bytes=PART, write_footer=False)
    async with rr.AsyncRecordingStream("rotating", recording_id="r") as rec:
        await rec.set_sinks(sink)
        await log_rows(rec, 1000)
    sizes = [part.stat().st_size for part in sink.parts]
    assert len(sizes) > 3
    assert max(sizes) <= PART
    assert min(sizes[:-1]) > PART * 0.8
    assert b"FOOT" not in sink.parts[0].read_bytes()


async def test_one_write_may_fill_many_parts(tmp_path: Path) -> None:
    config = rr.ChunkBatcherConfig(flush_tick=1e9, flush_num_rows=10)
    sink = rr.RotatingFileSink(tmp_path / "run.rrd", max_bytes=10_000)
    rec = rr.AsyncRecordingStream("rotating", recording_id="r", batcher_config=config)
    for number in range(400):
        await rec.log("a", rr.Scalars(float(number)))
    await rec.set_sinks(sink)
    await rec.disconnect()
    assert len(sink.parts) > 3
    assert [value for part in sink.parts for value in scalars_of(part, "/a")] == list(range(400))
    assert_verified(sink.parts)


async def test_a_chunk_that_is_too_large_gets_a_part_of_its_own(tmp_path: Path) -> None:
    sink = rr.RotatingFileSink(tmp_path / "run.rrd", max_bytes=PART)
    async with rr.AsyncRecordingStream("rotating", recording_id="r") as rec:
        await rec.set_sinks(sink)
        for number in range(3):
            await rec.log("blob", rr.AnyValues(data=os.urandom(50_000), number=number))
            await rec.flush()
    assert len(sink.parts) == 3
    assert [len(rows_of(part)) for part in sink.parts] == [1, 1, 1]
    assert_verified(sink.parts)


async def test_what_parts_begin_with_never_takes_more_than_half(tmp_path: Path) -> None:
    sink = rr.RotatingFileSink(tmp_path / "run.rrd", max_bytes=PART, write_footer=False)
    async with rr.AsyncRecordingStream("rotating", recording_id="r") as rec:
        await rec.set_sinks(sink)
        await rec.log("map", rr.AnyValues(data=os.urandom(100_000)), static=True)
        await log_rows(rec, 3000)
    sizes = [part.stat().st_size for part in sink.parts]
    assert 3 <= len(sizes) <= 8
    assert max(sizes) <= 210_000
    assert all(any(row.path == "/map" for row in rows_of(part)) for part in sink.parts)


async def test_old_static_data_goes_over_the_limit_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = rr.RotatingFileSink(tmp_path / "run.rrd", max_bytes=PART, max_static_bytes=25_000)
    async with rr.AsyncRecordingStream("rotating", recording_id="r") as rec:
        await rec.set_sinks(sink)
        for number in range(4):
            await rec.log(f"map{number}", rr.AnyValues(data=os.urandom(10_000)), static=True)
            await rec.flush()
        await log_rows(rec, 600)
    last = {row.path for row in rows_of(sink.parts[-1])}
    assert "/map3" in last
    assert "/map0" not in last
    assert caplog.text.count("new parts begin with what was logged last") == 1


async def test_parts_end_in_time_even_if_nothing_more_comes(tmp_path: Path) -> None:
    sink = rr.RotatingFileSink(tmp_path / "run.rrd", max_seconds=0.1)
    async with rr.AsyncRecordingStream("rotating", recording_id="r") as rec:
        await rec.set_sinks(sink)
        assert names(tmp_path) == ["run-000001.rrd.part"]
        for number in range(3):
            await rec.log("a", rr.Scalars(float(number)))
            await rec.flush()
            await until(lambda number=number: len(sink.parts) == number + 1)  # type: ignore[misc]
            assert sink.open_part is None
            assert names(tmp_path)[-1] == f"run-{number + 1:06}.rrd"
            assert scalars_of(sink.parts[-1], "/a") == [float(number)]
    # Nothing came after the last part, so there is none.
    assert len(sink.parts) == 3
    assert_verified(sink.parts)


async def test_without_a_flush_time_ends_parts_too(tmp_path: Path) -> None:
    sink = rr.RotatingFileSink(tmp_path / "run.rrd", max_seconds=0.2)
    async with rr.AsyncRecordingStream("rotating", recording_id="r") as rec:
        await rec.set_sinks(sink)
        number = 0
        async with asyncio.timeout(20):
            while len(sink.parts) < 3:
                await rec.log("a", rr.Scalars(float(number)))
                number += 1
                await asyncio.sleep(0.005)
    assert sorted(value for part in sink.parts for value in scalars_of(part, "/a")) == list(range(number))
    assert_verified(sink.parts)


async def test_only_so_many_parts_are_kept(tmp_path: Path) -> None:
    (tmp_path / "run-notes.rrd").write_text("mine")
    (tmp_path / "other-000001.rrd").write_text("mine")
    sink = rr.RotatingFileSink(tmp_path / "run.rrd", max_bytes=PART, keep=2)
    async with rr.AsyncRecordingStream("rotating", recording_id="r") as rec:
        await rec.set_sinks(sink)
        await log_rows(rec, 1000)
        assert len(sink.parts) == 2
        assert sink.open_part is not None
        assert len(names(tmp_path)) == 5
    assert len(sink.parts) == 2
    assert names(tmp_path) == ["other-000001.rrd", *(part.name for part in sink.parts), "run-notes.rrd"]
    assert_verified(sink.parts)
    assert scalars_of(sink.parts[-1], "/e1")[-1] == 999


async def test_all_parts_together_stay_within_the_budget(tmp_path: Path) -> None:
    sink = rr.RotatingFileSink(tmp_path / "run-{start:%H%M%S}.rrd", total_bytes=200_000)
    async with rr.AsyncRecordingStream("rotating", recording_id="r") as rec:
        await rec.set_sinks(sink)
        for first in range(0, 8000, 200):
            await log_rows(rec, 200, first)
            sizes = [path.stat().st_size for path in tmp_path.iterdir()]
            # A footer is written before the parts it takes the place of are deleted.
            assert sum(sizes) <= 200_000
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 200_000
    assert len(sink.parts) >= 2
    assert_verified(sink.parts)


@pytest.mark.parametrize("limits", [{"total_bytes": 20_000}, {"total_bytes": 20_000, "keep": 1}])
async def test_the_newest_part_stays_even_if_it_alone_is_too_large(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, limits: dict[str, Any]
) -> None:
    sink = rr.RotatingFileSink(tmp_path / "run.rrd", **limits)
    rec = rr.AsyncRecordingStream("rotating", recording_id="r")
    await rec.set_sinks(sink)
    for number in range(4):
        await rec.log("blob", rr.AnyValues(data=os.urandom(50_000), number=number))
        await rec.flush()
        # The part before goes when this one has data, not when it is begun.
        assert names(tmp_path) == [f"run-{number + 1:06}.rrd.part"]
    await rec.disconnect()
    assert names(tmp_path) == ["run-000004.rrd"]
    assert rec.stats().rows_dropped == 0
    assert caplog.text.count("more than total_bytes") == 1
    assert_verified(sink.parts)

    # Neither opening it again, nor closing it without a row, deletes that part.
    again = rr.RotatingFileSink(tmp_path / "run.rrd", **limits)
    async with rr.AsyncRecordingStream("rotating", recording_id="r", send_properties=False) as rec:
        await rec.set_sinks(again)
        assert names(tmp_path) == ["run-000004.rrd", "run-000005.rrd.part"]
    assert names(tmp_path) == ["run-000004.rrd"]


async def test_a_part_stays_until_the_next_one_could_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = rr.RotatingFileSink(tmp_path / "run.rrd", total_bytes=20_000)
    rec = rr.AsyncRecordingStream("rotating", recording_id="r")
    await rec.set_sinks(sink)
    await rec.log("blob", rr.AnyValues(data=os.urandom(50_000)))
    await rec.flush()

    write = RrdFile.write

    def fail(file: RrdFile, messages: Sequence[Message]) -> None:
        # What parts begin with can be written, the row cannot.
        if len(messages) == 1 and messages[0].nbytes > 20_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, messages)

    monkeypatch.setattr(RrdFile, "write", fail)
    await rec.log("blob", rr.AnyValues(data=os.urandom(50_000)))
    with pytest.raises(OSError, match="No space left"):
        await rec.flush()
    await rec.disconnect()
    assert [row.path for row in rows_of(tmp_path / "run-000001.rrd")].count("/blob") == 1


async def test_a_new_run_goes_on_behind_the_former_one(tmp_path: Path) -> None:
    def sink() -> rr.RotatingFileSink:
        return rr.RotatingFileSink(tmp_path / "run-{index:03}.rrd", max_bytes=PART, keep=4)

    made = sink()
    for run in range(3):
        async with rr.AsyncRecordingStream("rotating", recording_id=f"r{run}") as rec:
            made = sink()
            await rec.set_sinks(made)
            await rec.log("a", rr.Scalars(float(run)))
        assert made.parts == tuple(tmp_path / f"run-{n:03}.rrd" for n in range(1, run + 2))
    assert names(tmp_path) == ["run-001.rrd", "run-002.rrd", "run-003.rrd"]
    assert [scalars_of(part, "/a") for part in made.parts] == [[0.0], [1.0], [2.0]]


async def test_parts_that_were_left_open_count_and_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "run-000004.rrd.part").write_bytes(b"left")
    (tmp_path / "run-000003.rrd").write_bytes(b"old")
    os.link(tmp_path / "run-000003.rrd", tmp_path / "run-000003.rrd.part")
    sink = rr.RotatingFileSink(tmp_path / "run.rrd", max_bytes=PART, keep=2)
    async with rr.AsyncRecordingStream("rotating", recording_id="r") as rec:
        await rec.set_sinks(sink)
        assert caplog.text.count("were not finished") == 1
        assert names(tmp_path) == ["run-000003.rrd", "run-000004.rrd.part", "run-000005.rrd.part"]
        await rec.log("a", rr.Scalars(1.0))
    # Finished: the oldest of three goes.
    assert names(tmp_path) == ["run-000004.rrd.part", "run-000005.rrd"]


async def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    sink = rr.RotatingFileSink(tmp_path / "run.rrd", max_bytes=PART)
    async with rr.AsyncRecordingStream("rotating", recording_id="r") as rec:
        await rec.set_sinks(sink)
        await rec.log("a", rr.Scalars(1.0))
        await rec.flush()
        # Somebody else takes the name meanwhile.
        (tmp_path / "run-000001.rrd").write_text("mine")
        (tmp_path / "run-000002.rrd").write_text("mine")
        await log_rows(rec, 500)
    assert (tmp_path / "run-000001.rrd").read_text() == "mine"
    assert (tmp_path / "run-000002.rrd").read_text() == "mine"
    assert sink.parts[0] == tmp_path / "run-000001-2.rrd"
    assert_verified(sink.parts)


async def test_two_sinks_of_one_pattern_are_an_error(tmp_path: Path) -> None:
    def sink() -> rr.RotatingFileSink:
        return rr.RotatingFileSink(tmp_path / "run.rrd", max_bytes=PART)

    first = rr.AsyncRecordingStream("rotating", recording_id="1")
    with pytest.raises(ValueError, match="Duplicate sinks"):
        await first.set_sinks(sink(), sink())
    held = sink()
    await first.set_sinks(held)
    second = rr.AsyncRecordingStream("rotating", recording_id="2")
    await second.log("b", rr.Scalars(2.0))
    for other in (sink(), held):
        with pytest.raises(rr.SinkOpenError, match="another sink writes parts"):
            await second.set_sinks(other)
    await first.log("a", rr.Scalars(1.0))
    await first.flush()
    # In one stream, the new one takes the place of the old one.
    again = sink()
    await first.set_sinks(again)
    await first.log("a", rr.Scalars(2.0))
    await first.disconnect()
    assert [scalars_of(part, "/a") for part in again.parts] == [[1.0], [2.0]]
    await second.set_sinks(sink())
    await second.disconnect()
    assert len(names(tmp_path)) == 3
    assert not list(tmp_path.glob(".*"))


async def test_unusable_directories_are_refused(tmp_path: Path) -> None:
    rec = rr.AsyncRecordingStream("rotating", recording_id="r")
    await rec.log("a", rr.Scalars(1.0))
    with pytest.raises(rr.SinkOpenError, match="directory must exist") as caught:
        await rec.set_sinks(rr.RotatingFileSink(tmp_path / "missing" / "run.rrd", max_bytes=PART))
    assert caught.value.errno == errno.ENOENT
    sink = rr.RotatingFileSink(tmp_path / "run.rrd", max_bytes=PART)
    await rec.set_sinks(sink)
    await rec.disconnect()
    assert scalars_of(sink.parts[0], "/a") == [1.0]


async def test_an_unwritable_part_refuses_the_sink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: RrdFile) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    rec = rr.AsyncRecordingStream("rotating", recording_id="r")
    monkeypatch.setattr(RrdFile, "start", fail)
    with pytest.raises(rr.SinkOpenError, match="No space left"):
        await rec.set_sinks(rr.RotatingFileSink(tmp_path / "run.rrd", max_bytes=PART))
    assert list(tmp_path.iterdir()) == []


async def test_a_full_disk_loses_what_could_not_be_written_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was written before, to parts that were finished in the same call, counts as written."""
    write, room = RrdFile.write, [PART * 3]

    def limited(self: RrdFile, messages: Sequence[Message]) -> None:
        size = sum(message.nbytes for message in messages)
        if size > room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        room[0] -= size
        write(self, messages)

    config = rr.ChunkBatcherConfig(flush_tick=1e9, flush_num_rows=10)
    sink = rr.RotatingFileSink(tmp_path / "run.rrd", max_bytes=PART)
    rec = rr.AsyncRecordingStream("rotating", recording_id="r", batcher_config=config)
    for number in range(2000):
        await rec.log("a", rr.Scalars(float(number)))
    monkeypatch.setattr(RrdFile, "write", limited)
    await rec.set_sinks(sink)
    with pytest.raises(OSError, match="No space left"):
        await rec.flush()
    stats = rec.stats()
    assert stats.rows_dropped > 0
    assert stats.rows_pending == 0
    room[0] = 1 << 30
    await rec.log("a", rr.Scalars(5000.0))
    await rec.disconnect()
    values = [value for part in sink.parts for value in scalars_of(part, "/a")]
    assert len(values) + stats.rows_dropped == 2001
    assert values == [*range(len(values) - 1), 5000.0]
    assert_verified(sink.parts)
    assert caplog.text.count("No space left") == 1


async def test_a_part_whose_footer_cannot_be_written_keeps_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: RrdFile) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    sink = rr.RotatingFileSink(tmp_path / "run.rrd", max_bytes=PART)
    rec = rr.AsyncRecordingStream("rotating", recording_id="r")
    await rec.set_sinks(sink)
    with monkeypatch.context() as patch:
        patch.setattr(RrdFile, "finish", fail)
        await log_rows(rec, 1000)
    await rec.log("a", rr.Scalars(1.0))
    await rec.disconnect()
    unfinished = [part for part in sink.parts if part.name.endswith(".rrd.part")]
    finished = [part for part in sink.parts if part not in unfinished]
    assert len(unfinished) > 2
    assert finished == list(sink.parts[len(unfinished) :])
    assert scalars_of(finished[-1], "/a") == [1.0]
    assert caplog.text.count("could not be finished") == 1
    assert rec.stats().rows_dropped == 0
    assert sorted(v for part in sink.parts for v in scalars_of(part, "/e0")) == list(range(0, 1000, 2))
    assert_verified(finished)
    assert_verified(unfinished, footers=False)


async def test_a_part_that_vanishes_is_told_and_the_rest_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = rr.RotatingFileSink(tmp_path / "run.rrd", max_bytes=PART)
    async with rr.AsyncRecordingStream("rotating", recording_id="r") as rec:
        await rec.set_sinks(sink)
        (tmp_path / "run-000001.rrd.part").unlink()
        await log_rows(rec, 500)
    assert "could not be finished" in caplog.text
    assert_verified([part for part in sink.parts if part.exists()])


async def test_parts_that_cannot_be_deleted_are_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pathlib import Path as AnyPath

    unlink = AnyPath.unlink

    def fail(self: AnyPath, missing_ok: bool = False) -> None:
        if self.suffix == ".rrd":
            raise PermissionError(errno.EPERM, "Operation not permitted")
        unlink(self, missing_ok)

    monkeypatch.setattr(AnyPath, "unlink", fail)
    sink = rr.RotatingFileSink(tmp_path / "run.rrd", max_bytes=PART, keep=1)
    with caplog.at_level(logging.WARNING, "aiorerun"):
        async with rr.AsyncRecordingStream("rotating", recording_id="r") as rec:
            await rec.set_sinks(sink)
            await log_rows(rec, 1000)
    assert caplog.text.count("cannot be deleted") == 1


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP])
async def test_file_systems_without_hard_links_will_do(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: object, target: object) -> None:
        raise OSError(code, "no links here")

    monkeypatch.setattr(os, "link", fail)
    (tmp_path / "run-000002.rrd").write_text("mine")
    sink = rr.RotatingFileSink(tmp_path / "run-{index}.rrd", max_bytes=PART)
    async with rr.AsyncRecordingStream("rotating", recording_id="r") as rec:
        await rec.set_sinks(sink)
        (tmp_path / "run-000003.rrd").write_text("mine")
        await log_rows(rec, 100)
    assert (tmp_path / "run-000003.rrd").read_text() == "mine"
    assert sink.parts[-1].name == "run-000003-2.rrd"
    assert_verified([sink.parts[-1]])


async def test_a_recording_without_any_chunk_leaves_no_part(tmp_path: Path) -> None:
    sink = rr.RotatingFileSink(tmp_path / "run.rrd", max_bytes=PART)
    rec = rr.AsyncRecordingStream("rotating", recording_id="r", send_properties=False)
    await rec.set_sinks(sink)
    await rec.disconnect()
    assert sink.parts == ()
    assert list(tmp_path.iterdir()) == []


def test_the_blocking_api_has_it_too(tmp_path: Path) -> None:
    sink = blocking.RotatingFileSink(tmp_path / "run.rrd", max_bytes=PART, keep=3)
    with blocking.RecordingStream("rotating", recording_id="r") as rec:
        rec.set_sinks(sink)
        for number in range(2000):
            rec.log("a", blocking.Scalars(float(number)))
            if number % 20 == 0:
                rec.flush()
    rec.disconnect()
    assert len(sink.parts) == 3
    assert_verified(sink.parts)
    assert scalars_of(sink.parts[-1], "/a")[-1] == 1999


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "never rotates"),
        ({"keep": 3}, "never rotates"),
        ({"max_bytes": 0}, "max_bytes must be positive"),
        ({"max_seconds": -1}, "max_seconds must be positive"),
        ({"max_seconds": float("nan")}, "max_seconds must be positive"),
        ({"max_bytes": 1, "keep": 0}, "keep must be positive"),
        ({"max_bytes": 100, "total_bytes": 150}, "room for two parts"),
        ({"max_bytes": 100, "overflow": "never"}, "overflow"),
        ({"max_bytes": 100, "max_queued_bytes": 0}, "max_queued_bytes"),
    ],
)
def test_wrong_arguments_are_errors(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rr.RotatingFileSink("run.rrd", **arguments)


def test_limits_are_numbers() -> None:
    with pytest.raises(TypeError, match="RotatingFileSink: max_bytes must be a number, got str"):
        rr.RotatingFileSink("run.rrd", max_bytes="1MB")  # type: ignore[arg-type]
    assert rr.RotatingFileSink("run.rrd", max_bytes=1e8).max_bytes == 1e8  # type: ignore[arg-type]


async def test_the_directory_is_that_of_when_it_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sink = rr.RotatingFileSink("run.rrd", max_bytes=PART)
    async with rr.AsyncRecordingStream("rotating", recording_id="r") as rec:
        await rec.set_sinks(sink)
        monkeypatch.chdir("/")
        await log_rows(rec, 1000)
    assert all(part.parent == tmp_path for part in sink.parts)
    assert len(sink.parts) > 2


def test_sinks_are_compared_by_pattern() -> None:
    sink = rr.RotatingFileSink("run.rrd", max_bytes=1000, keep=2)
    assert sink == rr.RotatingFileSink("./run-{index:06}.rrd", max_seconds=2)
    assert hash(sink) == hash(rr.RotatingFileSink("run.rrd", max_seconds=2))
    assert sink != rr.RotatingFileSink("run-{index}.rrd", max_bytes=1000)
    assert sink != "run.rrd"
    assert repr(sink) == "RotatingFileSink('run.rrd', max_bytes=1000, keep=2)"
    assert sink.parts == ()
    assert sink.open_part is None
