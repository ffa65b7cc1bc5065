"""Viewers in notebooks: JupyterLab in a browser, live, over a restart of the kernel; and the page of old."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
from typing import TYPE_CHECKING, Any, Final

import psutil
import pytest

import aiorerun as rr
from aiorerun.viewer.page_server import start_page_server
from tests.e2e.lab import jupyter_lab, open_notebook, until_true, write_notebook
from tests.e2e.scene import APPLICATION, COLOR, PIXELS, log_scene
from tests.e2e.test_web_viewer import serving_directory
from tests.e2e.web import watch_page

if TYPE_CHECKING:
    from pathlib import Path

BLUE: Final = (30, 60, 220)
GREEN: Final = (30, 200, 70)

UUID: Final = "-".join(f"[0-9a-f]{{{digits}}}" for digits in (8, 4, 4, 4, 12))

SETUP: Final = """
import json, os, pathlib, socket, threading
import numpy as np
import psutil

def picture(*color):
    return rr.Image(np.full((64, 64, 3), color, np.uint8))

def tell(name):
    # What this process has, for the test that looks for it later.
    ports = [each.laddr.port for each in psutil.Process().net_connections() if each.status == "LISTEN"]
    facts = {"pid": os.getpid(), "ports": ports, "threads": [each.name for each in threading.enumerate()]}
    pathlib.Path(name).write_text(json.dumps(facts))
"""

ASYNC_CELLS: Final = (
    "import asyncio\nimport aiorerun as rr" + SETUP,
    f"""
rec = rr.AsyncRecordingStream("aiorerun_e2e", recording_id="live", make_default=True)
await rr.log("picture", picture(*{BLUE}))
blueprint = rr.blueprint.Blueprint(rr.blueprint.Spatial2DView(origin="picture"), collapse_panels=True)
viewer = rr.notebook.Viewer(width=600, height=400, blueprint=blueprint)
events = asyncio.Queue()

async def note(event):
    await events.put((event, threading.current_thread()))

viewer.on_event(note)
await viewer.display(block_until_ready=True)
tell("facts.json")
""",
    f"""await rr.log("picture", picture(*{GREEN}))""",
    """
# Back to the first picture; and the viewer has told what it did.
viewer.set_time_ctrl(timeline="log_tick", sequence=0)
async with asyncio.timeout(60):
    while True:
        event, thread = await events.get()
        assert thread is threading.main_thread()
        if event.type == "timeline_change" and event.timeline == "log_tick":
            break
assert event.recording_id == "live"
""",
)
SYNC_CELLS: Final = (
    "import aiorerun.sync as rr" + SETUP,
    f"""
rr.init("aiorerun_e2e", recording_id="live")
rr.log("picture", picture(*{BLUE}))
blueprint = rr.blueprint.Blueprint(rr.blueprint.Spatial2DView(origin="picture"), collapse_panels=True)
rr.notebook_show(width=600, height=400, blueprint=blueprint)
tell("facts.json")
""",
    f"""rr.log("picture", picture(*{GREEN}))""",
)


@pytest.fixture
def lab_installed(browser: None) -> None:
    """Asked for by tests that need JupyterLab."""
    for package in ("jupyterlab", "rerun_notebook"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


async def facts_of(path: Path) -> dict[str, Any]:
    """What a kernel has told of itself."""
    await until_true(lambda: path.exists() and bool(path.read_text()), f"no {path.name}")
    facts: dict[str, Any] = json.loads(path.read_text())
    path.unlink()
    return facts


def kinds_of_threads(facts: dict[str, Any]) -> list[str]:
    """The names of its threads, without identifiers and numbers, which differ from run to run."""
    return sorted(re.sub(rf"{UUID}|[0-9]+", "", name) for name in facts["threads"])


def listening_ports() -> set[int]:
    """The ports of this machine that something listens at."""
    connections: list[Any] = psutil.net_connections()
    return {each.laddr.port for each in connections if each.status == "LISTEN"}


def kernels_of(pid: int) -> set[int]:
    """The processes below the server."""
    return {child.pid for child in psutil.Process(pid).children(recursive=True)}


@pytest.mark.may_block
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("lab_installed")
@pytest.mark.parametrize(
    "cells",
    [pytest.param(ASYNC_CELLS, id="async"), pytest.param(SYNC_CELLS, id="sync", marks=pytest.mark.soak)],
)
async def test_a_notebook_shows_what_is_logged_live_and_a_restart_leaves_nothing(
    cells: tuple[str, ...], tmp_path: Path
) -> None:
    write_notebook(tmp_path / "live.ipynb", *cells)
    shot = tmp_path / "shot.png"
    async with (
        jupyter_lab(tmp_path, RERUN_NOTEBOOK_ASSET="serve-local") as lab,
        open_notebook(lab, "live.ipynb") as notebook,
    ):
        for cell in range(2):
            await notebook.do("run", cell=cell)
        await notebook.until_seen(BLUE, shot, PIXELS)
        former = await facts_of(tmp_path / "facts.json")
        assert former["ports"]

        # The next cell logs something else, and the viewer that is there follows.
        await notebook.do("run", cell=2)
        await notebook.until_seen(GREEN, shot, PIXELS)
        assert (await notebook.do("count", rgb=BLUE))["pixels"] < PIXELS / 10

        # It does what it is told.
        for cell in range(3, len(cells)):
            await notebook.do("run", cell=cell)
            await notebook.until_seen(BLUE, shot, PIXELS)

        await notebook.do("restart")
        await until_true(lambda: not psutil.pid_exists(former["pid"]), "the former kernel still runs")
        listening = listening_ports()
        assert not listening & set(former["ports"])
        await until_true(lambda: len(kernels_of(lab.pid)) == 1, "there is not one kernel")

        for cell in range(2):
            await notebook.do("run", cell=cell)
        await notebook.until_seen(BLUE, shot, PIXELS)
        again = await facts_of(tmp_path / "facts.json")
        assert again["pid"] != former["pid"]
        assert kinds_of_threads(again) == kinds_of_threads(former)
        server = lab.pid
    await until_true(lambda: not psutil.pid_exists(again["pid"]), "the kernel outlives its server")
    assert not psutil.pid_exists(server)


@pytest.mark.may_block
@pytest.mark.usefixtures("web_viewer")
async def test_the_page_of_old_shows_a_recording(tmp_path: Path) -> None:
    rec = rr.AsyncRecordingStream(APPLICATION, recording_id="page")
    await log_scene(rec)
    async with serving_directory(tmp_path) as outer, await start_page_server(0) as page:
        html = await rec.legacy_notebook_show(width=700, height=450, app_url=page.url, timeout_ms=100)
        text = f"<!doctype html><body>{html.data}</body>"
        await asyncio.to_thread((tmp_path / "outer.html").write_text, text)
        seen = await watch_page(f"{outer}/outer.html", tmp_path / "shot.png", events=["recording_open"])
    assert seen.result["ok"], str(seen)
    assert rec.stats().rows_pending == 0
    await rec.disconnect()
    assert COLOR == BLUE
