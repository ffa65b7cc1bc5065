"""Blueprints are where the official SDK has them among the messages, in files and at its server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

import pytest

import aiorerun as rr
import aiorerun.blueprint as rrb
from tests.faults.grpc_servers import as_rrd, official_server, read_messages
from tests.reading import assert_verified
from tests.unit.made_blueprints import MadeBlueprint, MadeView, Seen, seen, whole
from tests.unit.server.official import interrupted, saved, saving, until_saved
from tests.unit.server.peers import until

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

pytest.importorskip("rerun")

BLUEPRINT = rrb.Blueprint(rrb.TextLogView(origin="a"))

OFFICIAL = """
import sys, rerun as rr, rerun.blueprint as rrb
folder = sys.argv[1]
blueprint = rrb.Blueprint(rrb.TextLogView(origin="a"))

def new():
    return rr.RecordingStream("app", recording_id="r")

def log(rec):
    rec.log("a", rr.TextLog("text"))
    rec.flush()

rec = new()
rec.save(f"{folder}/default.rrd", default_blueprint=blueprint)
log(rec)
rec.disconnect()

rec = new()
rec.save(f"{folder}/middle.rrd")
log(rec)
rec.send_blueprint(blueprint)
log(rec)
rec.send_blueprint(blueprint, make_active=False)
log(rec)
rec.send_blueprint(blueprint, make_default=False)
rec.disconnect()

rec = new()
rec.send_blueprint(blueprint)
log(rec)
rec.save(f"{folder}/buffered.rrd", default_blueprint=blueprint)
rec.disconnect()

rec = new()
rec.set_sinks(rr.FileSink(f"{folder}/one.rrd"), rr.FileSink(f"{folder}/two.rrd"), default_blueprint=blueprint)
log(rec)
rec.disconnect()
"""


def outline(found: list[Seen], *, recording: bool | None = None) -> list[Seen]:
    """What a file says, chunks of the same store that follow each other as one.

    Args:
        found: Everything.
        recording: Whether to look at the recording only, or at the blueprints only; by default at both.
    """
    wanted = [each for each in found if recording is None or (each.store == "r") is recording]
    plain = [each if each.kind != "chunk" else each._replace(what="") for each in wanted]
    return [each for each, _ in groupby(plain)]


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def new() -> rr.AsyncRecordingStream:
    return rr.AsyncRecordingStream("app", recording_id="r")


async def log(rec: rr.AsyncRecordingStream) -> None:
    await rec.log("a", rr.TextLog("text"))
    await rec.flush()


async def default(folder: Path) -> None:
    rec = new()
    await rec.save(folder / "default.rrd", default_blueprint=BLUEPRINT)
    await log(rec)
    await rec.disconnect()


async def middle(folder: Path) -> None:
    rec = new()
    await rec.save(folder / "middle.rrd")
    await log(rec)
    await rec.send_blueprint(BLUEPRINT)
    await log(rec)
    await rec.send_blueprint(BLUEPRINT, make_active=False)
    await log(rec)
    await rec.send_blueprint(BLUEPRINT, make_default=False)
    await rec.disconnect()


async def buffered(folder: Path) -> None:
    rec = new()
    await rec.send_blueprint(BLUEPRINT)
    await log(rec)
    await rec.save(folder / "buffered.rrd", default_blueprint=BLUEPRINT)
    await rec.disconnect()


async def one(folder: Path) -> None:
    rec = new()
    files = rr.FileSink(folder / "one.rrd"), rr.FileSink(folder / "two.rrd")
    await rec.set_sinks(*files, default_blueprint=BLUEPRINT)
    await log(rec)
    await rec.disconnect()


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the official SDK makes."""
    folder = tmp_path_factory.mktemp("official")
    subprocess.run([sys.executable, "-c", OFFICIAL, str(folder)], check=True, timeout=100)
    return folder


@pytest.mark.parametrize("make", [default, middle, buffered, one])
async def test_files_have_the_order_of_the_official_sdk(
    make: Callable[[Path], Coroutine[None, None, None]], official: Path, tmp_path: Path
) -> None:
    await make(tmp_path)
    files = files_in(tmp_path)
    assert files
    for path in files:
        ours, theirs = seen(path), seen(official / path.name)
        assert outline(ours, recording=False) == outline(theirs, recording=False)
        assert {each.kind for each in outline(ours, recording=False)} == {"info", "chunk", "activation"}
        # As many chunks, of as many entities.
        assert Counter(each.store for each in ours) == Counter(each.store for each in theirs)
        assert outline(ours, recording=True) == outline(theirs, recording=True)
        if make in (default, one):
            # Elsewhere their rows, which come from another thread, get between a blueprint's messages.
            assert outline(ours) == outline(theirs)
    await asyncio.to_thread(assert_verified, files)


async def test_the_official_server_and_what_it_saves_have_the_activation_last(tmp_path: Path) -> None:
    path = tmp_path / "saved.rrd"
    with official_server() as server:
        sink = rr.GrpcSink(server.url)
        rec = rr.AsyncRecordingStream("app", recording_id="r", send_properties=False)
        await rec.set_sinks(sink, default_blueprint=MadeBlueprint())
        await sink.connected(30.0)
        await log(rec)
        await rec.send_blueprint(MadeView(), make_default=False)
        await rec.flush(acknowledged=True)
        received = await read_messages(server.url, lambda got: len(got) >= 11)
        found = [each for each in seen(as_rrd(received)) if each.kind != "info"]
        expected = [*whole("b0", "default"), *whole("b1", "active", "/view/alone"), Seen("chunk", "r", "/a")]
        assert found == [each for each in expected if each.kind != "info"]
        # The official reader, which writes what it gets to a file.
        async with saving(server.url, path) as process:
            await until_saved(path, 11)
            await interrupted(process)
        assert len(saved(path)) == 11
        assert [each for each in seen(path) if each.store != "r"] == expected[:-1]
        # The server starts anew, without a memory.
        await asyncio.to_thread(server.kill)
        server.start()
        await sink.connected(30.0)
        await log(rec)
        await rec.flush(acknowledged=True)
        again = await read_messages(server.url, lambda got: len(got) >= 11)
        blueprints = [each for each in seen(as_rrd(again)) if each.store != "r" and each.kind != "info"]
        assert blueprints == [each for each in expected[:-1] if each.kind != "info"]
        await rec.disconnect()


async def test_the_official_reader_gets_them_from_our_server(tmp_path: Path) -> None:
    path = tmp_path / "saved.rrd"
    sink = rr.GrpcServerSink(port=0)
    rec = rr.AsyncRecordingStream("app", recording_id="r", send_properties=False)
    await rec.set_sinks(sink, default_blueprint=MadeBlueprint())
    await log(rec)
    async with saving(sink.uri, path) as process:
        await until_saved(path, 7)
        await rec.send_blueprint(MadeView())
        await rec.flush()
        await until_saved(path, 11)
        await interrupted(process)
    assert [each for each in seen(path) if each.store != "r"] == [
        *whole("b0", "default"),
        *whole("b1", "active default", "/view/alone"),
    ]
    assert sink.server is not None
    server = sink.server
    await until(lambda: server.hub.num_readers == 0)
    await rec.disconnect()
