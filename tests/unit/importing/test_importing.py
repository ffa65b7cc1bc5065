"""Importing files in both APIs: times, errors, what runs on in the background, and what stops it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
import aiorerun.sync as blocking_rr
from aiorerun.codec.decoder import RrdDecoder, read_chunks
from aiorerun.codec.framing import MESSAGE_HEADER, MessageKind
from aiorerun.importers.base import ImportedColumns, ImportedRow, ImportSettings, IncompatibleFileError
from tests.reading import rows_of
from tests.unit.importers.files import PLYS, write_program, write_tables, write_video
from tests.unit.importing.waiting import eventually, paths_of, text_file

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from tests.unit.conftest import NewStream


# --- times and paths ----------------------------------------------------------------------------------


async def test_rows_have_the_times_of_the_call(tmp_path: Path, new_stream: NewStream) -> None:
    rec = new_stream()
    memory = await rec.memory_recording()
    await rec.log("first", rr.Scalars(1))
    rec.set_time("frame", sequence=7)
    await rec.log_file_from_path(text_file(tmp_path))
    await rec.log_file_from_path(text_file(tmp_path), static=True, entity_path_prefix="fixed")
    rec.set_time("frame", sequence=8)
    await rec.log("last", rr.Scalars(1))
    rows = {row.path: row for row in rows_of(await memory.drain_as_bytes())}
    timed = rows[f"{tmp_path}/note.txt"]
    assert {name: timed.times[name] for name in ("frame", "log_tick")} == {"frame": 7, "log_tick": 1}
    assert abs(timed.times["log_time"] - time.time_ns()) < 60e9
    assert timed.values == {"TextDocument:text": ["hello"], "TextDocument:media_type": ["text/plain"]}
    assert rows[f"/fixed{tmp_path}/note.txt"].times == {}
    assert rows["/last"].times["log_tick"] == 3


async def test_all_files_of_a_directory_have_one_time(
    tmp_path: Path, new_stream: NewStream, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "all" / "below").mkdir(parents=True)
    for number in range(12):
        text_file(tmp_path / "all" / "below", f"{number}.md")
    text_file(tmp_path / "all", "table.csv")
    (tmp_path / "all" / "points.ply").write_bytes(PLYS["points"])
    monkeypatch.chdir(tmp_path)
    rec = new_stream()
    memory = await rec.memory_recording()
    await rec.log_file_from_path("all")
    rows = rows_of(await memory.drain_as_bytes())
    assert len(rows) == 13
    assert {(row.times["log_tick"], row.times["log_time"]) for row in rows} == {
        (0, rows[0].times["log_time"])
    }
    assert "/all/points.ply" in {row.path for row in rows}
    assert [each.message for each in caplog.records] == ['No importer support for "all/table.csv"']


async def test_formats_with_times_of_their_own(
    tmp_path: Path, new_stream: NewStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tables(tmp_path)
    write_video(tmp_path / "frames.mp4")
    monkeypatch.chdir(tmp_path)
    rec = new_stream()
    memory = await rec.memory_recording()
    rec.set_time("frame", sequence=7)
    await rec.log_file_from_path("many.parquet", entity_path_prefix="table")
    await rec.log_file_from_path("frames.mp4")
    rows = rows_of(await memory.drain_as_bytes())
    assert {tuple(row.times) for row in rows} == {("row_index",), ("video",)}
    assert {row.path for row in rows} == {"/table/v", "/table/w", "/frames.mp4"}
    numbers = [row.times["row_index"] for row in rows if row.path == "/table/v"]
    assert sorted(numbers) == list(range(5000))


async def test_a_recording_stays_itself(tmp_path: Path, other: Path, new_stream: NewStream) -> None:
    rec = new_stream()
    await rec.save(tmp_path / "both.rrd")
    await rec.log("own", rr.Scalars(1))
    await rec.log_file_from_path(other, static=True, entity_path_prefix="ignored")
    await rec.disconnect()
    archive = await rr.recording.load_archive(tmp_path / "both.rrd")
    found = {each.recording_id(): each for each in archive.all_recordings()}
    assert {name: each.application_id() for name, each in found.items()} == {
        "new": "target",
        "other": "elsewhere",
    }
    assert found["other"].num_rows == 3 + 1 + 1
    before = await rr.recording.load_recording(other)
    assert (await found["other"].to_table()).equals(await before.to_table())
    await archive.aclose()


async def test_contents_are_taken_instead_of_the_file(
    tmp_path: Path, other: Path, new_stream: NewStream
) -> None:
    data = other.read_bytes()
    rec = new_stream()
    memory = await rec.memory_recording()
    await rec.log_file_from_contents("nowhere/x.txt", b"text")
    await rec.log_file_from_contents("nowhere/x.png", bytearray(b"image"), entity_path_prefix="p")
    await rec.log_file_from_contents("nowhere/x.rrd", memoryview(data))
    rows = rows_of(await memory.drain_as_bytes())
    assert {row.path for row in rows} == {"/nowhere/x.txt", "/p/nowhere/x.png", "/wave", "/note"}


# --- errors ---------------------------------------------------------------------------------------------


async def test_wrong_use_warns_or_raises(tmp_path: Path, new_stream: NewStream) -> None:
    rec = new_stream()
    unknown = text_file(tmp_path, "table.csv")
    wrong: Any = None
    calls: list[tuple[type[Exception], Callable[[], Any]]] = [
        (rr.ImportPathError, lambda: rec.log_file_from_path(tmp_path / "missing.txt")),
        (rr.NoImporterError, lambda: rec.log_file_from_path(unknown)),
        (rr.NoImporterError, lambda: rec.log_file_from_contents("x", b"")),
        (TypeError, lambda: rec.log_file_from_path(wrong)),
        (TypeError, lambda: rec.log_file_from_contents("x.txt", wrong)),
        (TypeError, lambda: rec.log_file_from_path(unknown, entity_path_prefix=wrong or 5)),  # type: ignore[arg-type]
    ]
    for kind, call in calls:
        with pytest.warns(rr.RerunWarning, match=f"log_file_from_.*: {kind.__name__}") as caught:
            await call()
        assert caught[0].filename == __file__
    rr.set_strict_mode(True)
    try:
        for kind, call in calls:
            with pytest.raises(kind):
                await call()
        await rec.aclose()
        with pytest.raises(rr.StreamClosedError):
            await rec.log_file_from_path(text_file(tmp_path))
    finally:
        rr.set_strict_mode(False)
    assert issubclass(rr.ImportPathError, FileNotFoundError)
    assert issubclass(rr.ImportPathError, RuntimeError)
    assert issubclass(rr.NoImporterError, RuntimeError)


async def test_broken_files_are_logged_and_nothing_of_them(
    tmp_path: Path, new_stream: NewStream, caplog: pytest.LogCaptureFixture
) -> None:
    rec = new_stream()
    memory = await rec.memory_recording()
    kinds = ("txt", "ply", "rrd", "parquet", "urdf")
    for name in (f"a.{kind}" for kind in kinds):
        (tmp_path / name).write_bytes(b"\xff\xfe nothing of the kind" * 5)
        await rec.log_file_from_path(tmp_path / name)
    assert rows_of(await memory.drain_as_bytes()) == []
    assert [each.levelname for each in caplog.records] == ["ERROR"] * 5
    assert all(f"a.{kind}" in caplog.text for kind in kinds)


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="there is no file that cannot be read")
async def test_files_that_cannot_be_read(
    tmp_path: Path, new_stream: NewStream, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither because of an error nor because they never end."""
    rec = new_stream()
    memory = await rec.memory_recording()
    kinds = ("txt", "png", "stl", "ply", "urdf", "mp4", "parquet", "rrd")
    for kind in kinds:
        (tmp_path / f"a.{kind}").symlink_to("/proc/self/mem")
        await rec.log_file_from_path(tmp_path / f"a.{kind}")
    (tmp_path / "endless.png").symlink_to("/dev/zero")
    await rec.log_file_from_path(tmp_path / "endless.png")
    await rec.flush()
    assert rows_of(await memory.drain_as_bytes()) == []
    assert [each.levelname for each in caplog.records] == ["ERROR"] * 9
    assert "no regular file" in caplog.text


async def test_what_comes_before_damage_stays(
    tmp_path: Path, other: Path, new_stream: NewStream, caplog: pytest.LogCaptureFixture
) -> None:
    data = other.read_bytes()
    # The last chunk.
    cut = [raw.offset for raw in RrdDecoder().feed(data) if raw.kind is MessageKind.ARROW_MSG][-1]
    cut -= MESSAGE_HEADER.size
    other.write_bytes(data[:cut] + b"X" * (len(data) - cut))
    rec = new_stream()
    memory = await rec.memory_recording()
    await rec.log_file_from_path(other)
    rows = rows_of(await memory.drain_as_bytes())
    assert 0 < len(rows) < 4
    assert {row.recording for row in rows} == {"other"}
    assert "other.rrd could not be imported (RRD): RrdError" in caplog.text


async def test_nothing_happens_without_a_recording(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await rr.log_file_from_path(tmp_path / "missing")
        await rr.log_file_from_contents("x", b"")
        blocking_rr.log_file_from_path(tmp_path / "missing")
        blocking_rr.log_file_from_contents("x", b"")
    disabled = rr.AsyncRecordingStream("target", default_enabled=False)
    await disabled.log_file_from_path(tmp_path / "missing")


# --- importers of one's own -----------------------------------------------------------------------------


class Lines:
    """Gives a row per line."""

    name = "lines"

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.was_closed = False
        self.seen: list[tuple[Path, bytes | None, ImportSettings]] = []

    async def import_file(
        self, path: Path, contents: bytes | None, settings: ImportSettings
    ) -> AsyncGenerator[Any, None]:
        self.seen.append((path, contents, settings))
        if path.suffix != ".lines":
            raise IncompatibleFileError
        yield ImportedRow(settings.entity_path(path), rr.TextLog("first"))
        try:
            await self.go_on.wait()
        finally:
            self.was_closed = True
        yield ImportedRow("fixed", rr.TextLog("second"), static=True)
        yield ImportedColumns(
            "many", [rr.TimeColumn("n", sequence=[1, 2])], rr.Scalars.columns(scalars=[3, 4])
        )


async def test_an_importer_of_ones_own(new_stream: NewStream) -> None:
    lines = Lines()
    rr.register_importer(lines)
    with pytest.raises(ValueError, match="already"):
        blocking_rr.register_importer(lines)
    rec = new_stream()
    memory = await rec.memory_recording()
    rec.set_time("frame", sequence=3)
    await rec.log_file_from_contents("a.lines", b"x", entity_path_prefix="p")
    flushing = asyncio.create_task(rec.flush())
    with pytest.raises(rr.FlushTimeoutError, match="1 files"):
        await rec.flush(timeout_sec=0.05)
    await rec.flush(timeout_sec=0)
    assert not flushing.done()
    lines.go_on.set()
    await flushing
    rows = {row.path: row for row in rows_of(await memory.drain_as_bytes())}
    assert rows["/p/a.lines"].times["frame"] == 3
    assert rows["/fixed"].times == {}
    assert rows["/many"].times == {"n": 2}
    path, contents, settings = lines.seen[0]
    assert (path, contents, settings.entity_path_prefix) == (Path("a.lines"), b"x", "/p")
    assert {timeline.name for timeline, _ in settings.times} == {"frame", "log_tick", "log_time"}


async def test_several_importers_take_one_file(tmp_path: Path, new_stream: NewStream) -> None:
    class Second(Lines):
        name = "second"

        async def import_file(
            self, path: Path, contents: bytes | None, settings: ImportSettings
        ) -> AsyncGenerator[Any, None]:
            yield ImportedRow("second", rr.TextLog("also"))

    rr.register_importer(Second())
    rec = new_stream()
    memory = await rec.memory_recording()
    await rec.log_file_from_path(text_file(tmp_path))
    assert paths_of(await memory.drain_as_bytes()) == sorted([f"{tmp_path}/note.txt", "/second"])


async def test_an_error_later_is_logged(new_stream: NewStream, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Lines):
        async def import_file(
            self, path: Path, contents: bytes | None, settings: ImportSettings
        ) -> AsyncGenerator[Any, None]:
            yield ImportedRow("one", rr.TextLog("x"))
            yield "something else"

    rr.register_importer(Failing())
    rec = new_stream()
    memory = await rec.memory_recording()
    await rec.log_file_from_contents("a.b", b"")
    assert paths_of(await memory.drain_as_bytes()) == ["/one"]
    assert "importers give ImportedRow and ImportedColumns, not str" in caplog.text


async def test_an_importer_may_flush(new_stream: NewStream) -> None:
    rec = new_stream()

    class Flushing(Lines):
        async def import_file(
            self, path: Path, contents: bytes | None, settings: ImportSettings
        ) -> AsyncGenerator[Any, None]:
            yield ImportedRow("one", rr.TextLog("x"))
            await rec.flush()
            yield ImportedRow("two", rr.TextLog("x"))

    rr.register_importer(Flushing())
    memory = await rec.memory_recording()
    await rec.log_file_from_contents("a.b", b"")
    assert paths_of(await memory.drain_as_bytes()) == ["/one", "/two"]


# --- what stops an import -------------------------------------------------------------------------------


async def test_the_end_of_the_scope_waits(tmp_path: Path) -> None:
    lines = Lines()
    rr.register_importer(lines)
    async with rr.AsyncRecordingStream("target", recording_id="x") as rec:
        await rec.save(tmp_path / "a.rrd")
        await rr.log_file_from_contents("a.lines", b"")
        asyncio.get_running_loop().call_later(0.05, lines.go_on.set)
    assert paths_of((tmp_path / "a.rrd").read_bytes()) == ["/a.lines", "/fixed", "/many", "/many"]


async def test_cancelling_disconnect_stops_it(tmp_path: Path, new_stream: NewStream) -> None:
    lines = Lines()
    rr.register_importer(lines)
    rec = new_stream()
    await rec.save(tmp_path / "a.rrd")
    await rec.log_file_from_contents("a.lines", b"")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await rec.disconnect()
    await eventually(lambda: lines.was_closed)
    await rec.disconnect()
    assert paths_of((tmp_path / "a.rrd").read_bytes()) == ["/a.lines"]
    assert (tmp_path / "a.rrd").read_bytes()[-12:-4] == b"RRF2FOOT"


async def test_a_closed_recording_takes_nothing_more(
    new_stream: NewStream, caplog: pytest.LogCaptureFixture
) -> None:
    lines = Lines()
    rr.register_importer(lines)
    rec = new_stream()
    await rec.memory_recording()
    await rec.log_file_from_contents("a.lines", b"")
    rec._close_soon()
    lines.go_on.set()
    await eventually(lambda: not rec._imports)
    assert "not all of it was imported" in caplog.text


# --- the blocking API -----------------------------------------------------------------------------------


def test_blocking(tmp_path: Path, other: Path, program: Callable[[str], None]) -> None:
    program(
        f"sys.stdout.buffer.write(open({str(tmp_path / 'other.rrd')!r}, 'rb').read())\n"
        "sys.stdout.flush(); time.sleep(0.3)"
    )
    rec = blocking_rr.RecordingStream("target", recording_id="new", send_properties=False)
    rec.set_time("frame", sequence=7)
    # Into the start buffer, without any sink.
    blocking_rr.log_file_from_path(text_file(tmp_path), recording=rec)
    rec.log_file_from_path(text_file(tmp_path, "table.csv"))
    rec.log_file_from_contents("a.png", b"", static=True)
    assert rec._imports
    rec.flush()
    assert len(rec._imports) == 0
    memory = rec.memory_recording()
    rows = rows_of(memory.drain_as_bytes())
    assert {row.path for row in rows} == {f"{tmp_path}/note.txt", "/a.png", "/wave", "/note"}
    assert next(row for row in rows if row.path.endswith(".txt")).times["frame"] == 7
    with pytest.warns(rr.RerunWarning, match="ImportPathError") as caught:
        rec.log_file_from_path(tmp_path / "missing")
    assert caught[0].filename == __file__
    rec.close()


def test_the_end_of_a_script_waits_for_imports(tmp_path: Path, other: Path) -> None:
    write_program(
        tmp_path / "bin",
        f"data = open({str(tmp_path / 'other.rrd')!r}, 'rb').read()\n"
        "out = sys.stdout.buffer\n"
        "out.write(data); out.flush(); time.sleep(0.5); out.write(data)",
    )
    text_file(tmp_path, "table.csv")
    script = f"""
import aiorerun.sync as rr
rr.init("target", recording_id="new")
rr.save({str(tmp_path / "all.rrd")!r})
rr.log_file_from_path({str(tmp_path / "table.csv")!r})
"""
    environment = {**os.environ, "PATH": str(tmp_path / "bin")}
    root = str(Path(rr.__file__).parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, timeout=60, check=True, capture_output=True
    )
    assert done.stderr == b""
    stores = [each.store.recording_id for each in read_chunks((tmp_path / "all.rrd").read_bytes())]
    assert stores.count("other") == 2 * sum(1 for _ in read_chunks(other.read_bytes()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_has_no_imports(tmp_path: Path, other: Path, program: Callable[[str], None]) -> None:
    program(
        f"sys.stdout.buffer.write(open({str(tmp_path / 'other.rrd')!r}, 'rb').read())\n"
        "sys.stdout.flush(); time.sleep(1)"
    )
    rec = blocking_rr.RecordingStream("target", recording_id="new")
    rec.log_file_from_path(text_file(tmp_path, "table.csv"))
    assert rec._imports
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        os._exit(0 if not rec._imports else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    rec.flush()
    rec.close()
