"""The file sink: visible chunks, footers, and disks that misbehave."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import aiorerun as rr
from aiorerun.sinks.file import FileSink
from tests.reading import assert_verified, rerun_cli, rows_of, scalars_of

if TYPE_CHECKING:
    from pathlib import Path


async def test_flushed_rows_are_visible_before_the_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.rrd"
    async with rr.AsyncRecordingStream("file", recording_id="f") as rec:
        await rec.save(path)
        for number in range(5):
            await rec.log("a", rr.Scalars(float(number)))
            await rec.flush()
            assert scalars_of(path, "/a") == list(range(number + 1))
    assert_verified([path])


async def test_without_a_footer_the_file_ends_after_the_last_message(tmp_path: Path) -> None:
    path = tmp_path / "a.rrd"
    async with rr.AsyncRecordingStream("file", recording_id="f") as rec:
        await rec.save(path, write_footer=False)
        await rec.log("a", rr.Scalars(1.0))
    assert b"FOOT" not in path.read_bytes()
    assert scalars_of(path, "/a") == [1.0]
    assert_verified([path], footers=False)


async def test_rows_logged_before_save_are_written_first(tmp_path: Path) -> None:
    path = tmp_path / "a.rrd"
    rec = rr.AsyncRecordingStream("file", recording_id="f")
    for number in range(3):
        await rec.log("a", rr.Scalars(float(number)))
    await rec.save(path)
    await rec.log("a", rr.Scalars(3.0))
    await rec.disconnect()
    assert scalars_of(path, "/a") == [0.0, 1.0, 2.0, 3.0]
    assert_verified([path])


async def test_a_second_file_gets_only_what_comes_later(tmp_path: Path) -> None:
    first, second = tmp_path / "1.rrd", tmp_path / "2.rrd"
    async with rr.AsyncRecordingStream("file", recording_id="f") as rec:
        await rec.save(first)
        await rec.log("a", rr.Scalars(1.0))
        await rec.save(second)
        await rec.log("a", rr.Scalars(2.0))
    assert scalars_of(first, "/a") == [1.0]
    assert scalars_of(second, "/a") == [2.0]
    assert_verified([first, second])


async def test_saving_to_the_same_file_again_starts_it_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.rrd"
    async with rr.AsyncRecordingStream("file", recording_id="f") as rec:
        await rec.save(path)
        await rec.log("a", rr.Scalars(1.0))
        await rec.save(path)
        await rec.log("a", rr.Scalars(2.0))
    assert scalars_of(path, "/a") == [2.0]
    assert_verified([path])


async def test_several_files_at_once_get_the_same(tmp_path: Path) -> None:
    paths = [tmp_path / "1.rrd", tmp_path / "2.rrd"]
    async with rr.AsyncRecordingStream("file", recording_id="f") as rec:
        await rec.set_sinks(*(FileSink(path) for path in paths))
        await rec.log("a", rr.Scalars(1.0))
    assert [scalars_of(path, "/a") for path in paths] == [[1.0], [1.0]]
    assert_verified(paths)
    result = rerun_cli("rrd", "compare", "--unordered", *paths)
    assert result.returncode == 0, result.stderr


async def test_a_missing_directory_is_an_error_and_loses_nothing(tmp_path: Path) -> None:
    rec = rr.AsyncRecordingStream("file", recording_id="f")
    await rec.log("a", rr.Scalars(1.0))
    with pytest.raises(rr.SinkOpenError, match="directory must exist") as caught:
        await rec.save(tmp_path / "missing" / "a.rrd")
    assert isinstance(caught.value, OSError)
    assert isinstance(caught.value, RuntimeError)
    await rec.log("a", rr.Scalars(2.0))
    path = tmp_path / "a.rrd"
    await rec.save(path)
    await rec.disconnect()
    assert scalars_of(path, "/a") == [1.0, 2.0]
    assert_verified([path])


async def test_a_sink_that_cannot_be_opened_leaves_the_former_one(tmp_path: Path) -> None:
    path = tmp_path / "a.rrd"
    rec = rr.AsyncRecordingStream("file", recording_id="f")
    await rec.save(path)
    await rec.log("a", rr.Scalars(1.0))
    with pytest.raises(rr.SinkOpenError):
        await rec.save(tmp_path)
    await rec.log("a", rr.Scalars(2.0))
    await rec.disconnect()
    assert scalars_of(path, "/a") == [1.0, 2.0]
    assert_verified([path])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
async def test_a_device_without_space_is_refused_when_opening() -> None:
    rec = rr.AsyncRecordingStream("file", recording_id="f")
    with pytest.raises(rr.SinkOpenError, match="No space left"):
        await rec.save("/dev/full")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_keeps_the_file_readable_and_counts_what_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.rrd"
    script = """
import asyncio, resource, signal, sys
import numpy as np
import aiorerun as rr

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

def limit(nbytes):
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, resource.RLIM_INFINITY))

async def main(path):
    rec = rr.AsyncRecordingStream("file", recording_id="f", send_properties=False)
    await rec.save(path)
    await rec.log("a", rr.Scalars(0.0))
    await rec.flush()
    limit(20_000)
    await rec.log("big", rr.Image(np.random.default_rng(0).integers(0, 255, (100, 100, 3), np.uint8)))
    try:
        await rec.flush()
    except OSError as error:
        print("flush:", error.strerror)
    await rec.log("a", rr.Scalars(1.0))
    await rec.flush()
    limit(resource.RLIM_INFINITY)
    await rec.log("a", rr.Scalars(2.0))
    await rec.disconnect()
    stats = rec.stats()
    print(stats.rows_accepted, stats.rows_delivered, stats.rows_dropped, stats.reasons)

asyncio.run(main(sys.argv[1]))
"""
    result = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["flush: File too large", "4 3 1 {'sink error: OSError': 1}"]
    assert result.stderr.count("File too large") == 1
    assert scalars_of(path, "/a") == [0.0, 1.0, 2.0]
    assert_verified([path])


async def test_deleting_the_file_meanwhile_is_not_our_business(tmp_path: Path) -> None:
    path = tmp_path / "a.rrd"
    async with rr.AsyncRecordingStream("file", recording_id="f") as rec:
        await rec.save(path)
        path.unlink()
        await rec.log("a", rr.Scalars(1.0))
        await rec.flush()
    assert rec.stats().rows_dropped == 0


def test_file_sinks_are_compared_by_path_and_footer() -> None:
    assert FileSink("a.rrd") == FileSink("a.rrd")
    assert FileSink("a.rrd") != FileSink("a.rrd", write_footer=False)
    assert FileSink("a.rrd") != "a.rrd"
    assert len({FileSink("a.rrd"), FileSink("a.rrd"), FileSink("b.rrd")}) == 2
    assert repr(FileSink("a.rrd")) == "FileSink('a.rrd', write_footer=True)"


async def test_flushing_every_row_into_a_file_is_advised_against(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RERUN_FLUSH_NUM_ROWS", "0")
    path = tmp_path / "a.rrd"
    with caplog.at_level(logging.WARNING, "aiorerun"):
        async with rr.AsyncRecordingStream("file", recording_id="f", send_properties=False) as rec:
            await rec.save(path)
            for number in range(10):
                await rec.log("a", rr.Scalars(float(number)))
    assert "every row" in caplog.text
    assert rec.stats().chunks == 10
    assert len(rows_of(path)) == 10
    assert_verified([path])
