"""A live view inside of a web service: its page in a browser, and the official viewers at its data."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun.viewer.page_server import viewer_url
from tests.e2e.programs import rerun
from tests.e2e.scene import COLOR
from tests.e2e.services import serving_aiohttp, serving_fastapi
from tests.e2e.showing import until, viewer
from tests.e2e.web import WAIT_SECS, WebShot, watch_page
from tests.examples import test_live_view
from tests.examples.services import uvicorn
from tests.examples.test_live_view import get
from tests.unit.viewer.standin import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.e2e.services import Service


async def read_by_somebody(service: Service, watching: asyncio.Task[WebShot]) -> None:
    """Waits until the page has begun to read."""
    async with asyncio.timeout(WAIT_SECS):
        while not service.view.num_readers and not watching.done():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def recordings(seen: WebShot) -> list[str]:
    """The recordings that the viewer said it has opened."""
    events: list[dict[str, Any]] = [json.loads(event) for event in seen.events if event.startswith("{")]
    return [event["recording_id"] for event in events if event["type"] == "recording_open"]


@asynccontextmanager
async def running(kind: str, folder: Path) -> AsyncGenerator[int]:
    """The FastAPI example, or the aiohttp program of the documentation, as they stand; gives the port."""
    if kind == "aiohttp":
        async with test_live_view.running(kind, folder) as (port, _):
            yield port
    else:
        with uvicorn("fastapi_service:app", folder) as (_, url):
            yield int(url.rpartition(":")[2])


@pytest.mark.usefixtures("web_viewer")
@pytest.mark.may_block
@pytest.mark.parametrize("framework", ["fastapi", pytest.param("aiohttp", marks=pytest.mark.soak)])
async def test_the_mounted_page_shows_live_requests(framework: str, tmp_path: Path) -> None:
    is_open = asyncio.Event()

    def note(seen: WebShot) -> None:
        if recordings(seen):
            is_open.set()

    async with running(framework, tmp_path) as port:
        watching = asyncio.create_task(
            watch_page(f"http://127.0.0.1:{port}/telemetry/", tmp_path / "shot.png", on_line=note)
        )
        opened = asyncio.create_task(is_open.wait())
        await asyncio.wait({watching, opened}, return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        # Nothing of that colour was there when the page began to read.
        assert (await get(port, "/paint/{}/{}/{}".format(*COLOR)))[0] == 200
        seen = await watching
    assert seen.result["ok"], str(seen)
    assert len(recordings(seen)) == 1


@pytest.mark.usefixtures("web_viewer")
async def test_the_page_reads_again_when_the_service_is_back(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(serving_aiohttp("first"))
        watching = asyncio.create_task(
            watch_page(first.page, tmp_path / "shot.png", events=["first", "second"])
        )
        await read_by_somebody(first, watching)
        async with asyncio.timeout(5):
            await stack.aclose()
        second = await stack.enter_async_context(serving_aiohttp("second", first.port))
        await read_by_somebody(second, watching)
        await second.get("/paint")
        seen = await watching
    assert seen.result["ok"], str(seen)
    assert recordings(seen) == ["first", "second"]


@pytest.mark.usefixtures("browser")
async def test_the_official_page_reads_grpc_web_at_the_root(tmp_path: Path) -> None:
    port, web_port = free_port(), free_port()
    arguments = ("--serve-web", "--port", str(port), "--web-viewer-port", str(web_port))
    origins = [f"http://127.0.0.1:{web_port}"]
    async with (
        serving_fastapi("official", cors_allow_origin=origins) as service,
        rerun(tmp_path / "log", *arguments, ports=(port, web_port)),
    ):
        uri = f"rerun+http://127.0.0.1:{service.port}/proxy"
        url = viewer_url(f"http://127.0.0.1:{web_port}", uri, renderer="webgl")
        watching = asyncio.create_task(watch_page(url, tmp_path / "shot.png"))
        await read_by_somebody(service, watching)
        await service.get("/paint")
        seen = await watching
    assert seen.result["ok"], str(seen)


@pytest.mark.usefixtures("native_viewer")
async def test_the_native_viewer_follows_the_stream() -> None:
    async with serving_fastapi("native") as service, viewer() as client:
        await client.open(f"{service.page}recording.rrd")
        await until(client, lambda state: bool(state.recordings))
        assert service.view.num_readers == 1
        await service.get("/paint")
        state = await until(client, lambda state: bool(state.recordings[0].timelines))
    assert "native" in str(state.recordings[0].store_id)
