"""The web viewer in a browser: our page and the official one, at our servers and at official ones."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
from aiorerun.viewer.page_server import start_page_server, viewer_url
from tests.e2e.programs import rerun
from tests.e2e.scene import APPLICATION, log_scene, serving
from tests.e2e.web import WebShot, watch_page
from tests.unit.viewer.standin import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


OUTER = """<!doctype html>
<script type="module">
const file = await (await fetch("scene.rrd")).arrayBuffer();
const frame = document.createElement("iframe");
frame.style = "position: fixed; inset: 0; width: 100%; height: 100%; border: 0";
addEventListener("message", ({ source, data }) => {
  if (source === frame.contentWindow && data === "READY") source.postMessage(new Uint8Array(file), "*");
});
frame.src = "PAGE";
document.body.append(frame);
</script>
<body></body>
"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing about it."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.asynccontextmanager
async def serving_directory(directory: Path) -> AsyncGenerator[str]:
    """Serves files at another origin."""
    handler = functools.partial(Quiet, directory=str(directory))
    server = await asyncio.to_thread(ThreadingHTTPServer, ("127.0.0.1", 0), handler)
    serving = asyncio.create_task(asyncio.to_thread(server.serve_forever, 0.05))
    try:
        yield f"http://localhost:{server.server_address[1]}"
    finally:
        await asyncio.to_thread(server.shutdown)
        await serving
        server.server_close()


def opened(seen: WebShot) -> list[dict[str, Any]]:
    """The recordings that the viewer said it has opened."""
    events = [json.loads(event) for event in seen.events if event.startswith("{")]
    return [event for event in events if event["type"] == "recording_open"]


@pytest.mark.usefixtures("web_viewer")
async def test_check_06_our_page_shows_what_our_server_has(tmp_path: Path) -> None:
    async with serving("before") as (rec, uri), await start_page_server(0) as page:
        await log_scene(rec)
        url = viewer_url(page.url, uri, theme="dark")
        seen = await watch_page(url, tmp_path / "shot.png", events=["recording_open"])
    assert seen.result["ok"], str(seen)
    [recording] = opened(seen)
    assert (recording["application_id"], recording["recording_id"]) == (APPLICATION, "before")
    assert seen.result["title"].startswith(APPLICATION)


@pytest.mark.usefixtures("web_viewer")
async def test_check_07_our_page_shows_what_is_logged_later(tmp_path: Path) -> None:
    async with serving("later") as (rec, uri), await start_page_server(0) as page:
        is_ready = asyncio.Event()

        def note(seen: WebShot) -> None:
            if is_connected(seen):
                is_ready.set()

        watching = asyncio.create_task(
            watch_page(
                viewer_url(page.url, uri),
                tmp_path / "shot.png",
                events=["recording_open"],
                on_line=note,
            )
        )
        ready = asyncio.create_task(is_ready.wait())
        await asyncio.wait([watching, ready], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if not watching.done():
            await log_scene(rec)
        seen = await watching
    assert seen.result["ok"], str(seen)
    assert [event["recording_id"] for event in opened(seen)] == ["later"]


def is_connected(seen: WebShot) -> bool:
    """Whether the viewer reads from the server."""
    return any(line.get("grpc") == "POST" for line in seen.lines)


@pytest.mark.usefixtures("web_viewer")
async def test_our_page_shows_what_an_official_server_has(tmp_path: Path) -> None:
    port = free_port()
    uri = f"rerun+http://127.0.0.1:{port}/proxy"
    async with (
        rerun(tmp_path / "log", "--serve-grpc", "--port", str(port), ports=(port,)),
        await start_page_server(0) as page,
    ):
        rec = rr.AsyncRecordingStream(APPLICATION, recording_id="official")
        await rec.connect_grpc(uri)
        await log_scene(rec)
        await rec.disconnect()
        seen = await watch_page(viewer_url(page.url, uri), tmp_path / "shot.png", events=["official"])
    assert seen.result["ok"], str(seen)


@pytest.mark.usefixtures("browser")
async def test_check_05_the_official_page_shows_what_our_server_has(tmp_path: Path) -> None:
    port, web_port = free_port(), free_port()
    arguments = ("--serve-web", "--port", str(port), "--web-viewer-port", str(web_port))
    async with (
        serving("theirs") as (rec, uri),
        rerun(tmp_path / "log", *arguments, ports=(port, web_port)),
    ):
        await log_scene(rec)
        url = viewer_url(f"http://127.0.0.1:{web_port}", uri, renderer="webgl")
        seen = await watch_page(url, tmp_path / "shot.png")
    assert seen.result["ok"], str(seen)


@pytest.mark.usefixtures("web_viewer")
async def test_a_page_that_embeds_ours_hands_it_a_recording(tmp_path: Path) -> None:
    """As notebooks do: the bytes of a file are sent to a frame, once it says that it is ready."""
    rec = rr.AsyncRecordingStream(APPLICATION, recording_id="embedded")
    await rec.save(tmp_path / "scene.rrd")
    await log_scene(rec)
    await rec.disconnect()
    async with await start_page_server(0) as page:
        outer = OUTER.replace("PAGE", viewer_url(page.url, "web_event://", persist=False, notebook=True))
        (tmp_path / "outer.html").write_text(outer)
        async with serving_directory(tmp_path) as origin:
            url = f"{origin}/outer.html"
            seen = await watch_page(url, tmp_path / "shot.png", events=["recording_open"])
    assert seen.result["ok"], str(seen)
    assert [event["recording_id"] for event in opened(seen)] == ["embedded"]
