"""Waiting in cells of a real kernel for what a front end tells, and what becomes of other messages."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import threading
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest
from jupyter_client.manager import start_new_async_kernel

from aiorerun.widget import kernel as module
from tests.reading import rows_of, scalars_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

ROOT: Final = str(Path(__file__).parents[3])
SECS: Final = 60.0


class FrontEnd:
    """What a browser does, as far as it matters: viewers that are displayed tell that they are ready.

    Attributes:
        printed: What cells have printed.
        messages: Contents and buffers of the messages for viewers.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._viewers: list[str] = []
        self.printed: list[str] = []
        self.messages: list[tuple[dict[str, Any], list[bytes]]] = []

    async def run(self, *cells: str) -> None:
        """Runs cells, all of them sent at once; returns when the last is through."""
        ids = [self._client.execute(cell) for cell in cells]
        async with asyncio.timeout(SECS):
            while ids:
                message = await self._client.get_iopub_msg()
                parent = message["parent_header"].get("msg_id")
                if self._take(message) and parent in ids:
                    ids.remove(parent)

    async def until_recordings(self, count: int) -> None:
        """Waits until so many messages came."""
        async with asyncio.timeout(SECS):
            while len(self.messages) < count:
                self._take(await self._client.get_iopub_msg())

    def _take(self, message: dict[str, Any]) -> bool:
        content = message["content"]
        match message["msg_type"]:
            case "stream":
                self.printed += content["text"].split()
            case "error":
                pytest.fail("\n".join(content["traceback"]))
            case "comm_open" if content["data"]["state"].get("_model_module") == "anywidget":
                self._viewers.append(content["comm_id"])
            case "comm_msg" if content["data"]["method"] == "custom":
                self.messages.append((content["data"]["content"], [*map(bytes, message["buffers"])]))
            case "display_data":
                view = content["data"].get("application/vnd.jupyter.widget-view+json", {})
                if view.get("model_id") in self._viewers:
                    self._tell_ready(view["model_id"])
            case "status":
                return bool(content["execution_state"] == "idle")
        return False

    def _tell_ready(self, comm_id: str) -> None:
        data = {"comm_id": comm_id, "data": {"method": "custom", "content": "ready"}}
        self._client.shell_channel.send(self._client.session.msg("comm_msg", data))

    def values(self, path: str) -> list[float]:
        """The scalars that viewers got."""
        return [value for _, [data] in self.messages for value in scalars_of(data, path)]


@contextlib.asynccontextmanager
async def front_end(folder: Path) -> AsyncGenerator[FrontEnd]:
    """A kernel and its front end."""
    manager, client = await start_new_async_kernel(
        startup_timeout=SECS,
        cwd=str(folder),
        env={
            **os.environ,
            "IPYTHONDIR": str(folder),
            "PYTHONPATH": ":".join([ROOT, *sys.path]),
            "RERUN_NOTEBOOK_ASSET": "http://127.0.0.1:9/widget.js",
        },
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield FrontEnd(client)
    finally:
        client.stop_channels()
        await manager.shutdown_kernel()


OLD: Final = """
# As up to ipykernel 7.3.
import aiorerun.widget.kernel as module
module._dispatches_while_awaiting = lambda kernel: False
"""
BLOCKING: Final = """
import time
import aiorerun.sync as rr
rr.init("app", recording_id="blocking")
rr.log("a", rr.Scalars(1.0))
before = time.monotonic()
rr.notebook_show()
assert time.monotonic() - before < 5, "it was not noticed that the viewer is ready"
rr.log("a", rr.Scalars(2.0))
rr.flush()
# Live, while the cell still runs.
print("first")
"""
COROUTINE: Final = """
import asyncio, time
import aiorerun as rr
rec = rr.AsyncRecordingStream("app", recording_id="coroutine")
await rec.log("a", rr.Scalars(1.0))
before = time.monotonic()
await rec.notebook_show()
assert time.monotonic() - before < 5, "it was not noticed that the viewer is ready"
await rec.log("a", rr.Scalars(2.0))
await rec.flush()
print("first")
"""


@pytest.mark.may_block
@pytest.mark.parametrize(
    "cell", [BLOCKING, COROUTINE, OLD + COROUTINE], ids=["blocking", "coroutine", "coroutine in 7.3"]
)
async def test_cells_wait_for_the_viewer_and_others_keep_their_order(cell: str, tmp_path: Path) -> None:
    async with front_end(tmp_path) as front:
        # The others come while the first one waits.
        await front.run(cell, "print('second')", "print('third')")
        assert front.printed == ["first", "second", "third"]
        await front.until_recordings(2)
        assert front.values("/a") == [1.0, 2.0]
        assert {content["type"] for content, _ in front.messages} == {"rrd"}
        # And so it is afterwards.
        await front.run("print('fourth')")
        assert front.printed[-1] == "fourth"


WAITING: Final = "import asyncio\nawait asyncio.sleep(0)\n"


@pytest.mark.may_block
@pytest.mark.parametrize("name", ["aiorerun", "aiorerun.sync"])
async def test_times_hold_as_long_as_the_documentation_says(name: str, tmp_path: Path) -> None:
    page = (Path(ROOT) / "docs" / "notebooks.md").read_text(encoding="utf-8")
    section = page.split("\n## Times, and cells that `await`\n")[1].split("\n## ")[0]
    cells = re.findall(r"```py\n(.*?)```", section, re.DOTALL)
    cells.insert(0, f"import {name} as rr\nawait rr.init('app')\nawait rr.save('a.rrd')")
    cells.append("await rr.log('loss', rr.Scalars(0.3))\nawait rr.disconnect()")
    if name == "aiorerun.sync":
        cells = [WAITING * ("await" in cell) + cell.replace("await ", "") for cell in cells]
    async with front_end(tmp_path) as front:
        await front.run(*cells)
    rows = [row for row in rows_of(tmp_path / "a.rrd") if row.path == "/loss"]
    times = [(row.times.get("run"), row.times.get("step")) for row in rows]
    assert sorted(times, key=repr) == [(3, 50), (3, 51), (3, None)]


def test_without_a_kernel_it_is_waited_in_vain() -> None:
    assert module.running_kernel() is None
    before = time.monotonic()
    assert not module.wait_until_blocking(lambda: False, 0.05)
    assert 0.05 <= time.monotonic() - before < 5
    assert module.wait_until_blocking(lambda: True, 0)


async def test_other_threads_only_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    # The kernel's own thread takes the messages.
    parent = SimpleNamespace(parent_thread=threading.Thread())
    monkeypatch.setattr(module, "running_kernel", lambda: SimpleNamespace(shell_channel_thread=parent))
    ready: list[bool] = []
    asyncio.get_running_loop().call_later(0.05, ready.append, True)
    assert await module.wait_until(lambda: bool(ready), 10)
    threading.Timer(0.05, ready.clear).start()
    assert await asyncio.to_thread(module.wait_until_blocking, lambda: not ready, 10)


class OldKernel:
    """As up to ipykernel 6."""

    def do_one_iteration(self) -> None:
        pass


@pytest.fixture
def polls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often an old kernel was asked for messages."""
    told: list[str] = []

    class Events:
        def __enter__(self) -> Any:
            return lambda count: told.append("blocking")

        def __exit__(self, *error: object) -> None:
            pass

        async def __aenter__(self) -> Any:
            async def poll(count: int = 1) -> None:
                told.append("coroutine")

            return poll

        async def __aexit__(self, *error: object) -> None:
            pass

    stand_in: Any = ModuleType("jupyter_ui_poll")
    stand_in.ui_events = Events
    monkeypatch.setitem(sys.modules, "jupyter_ui_poll", stand_in)
    monkeypatch.setattr(module, "running_kernel", OldKernel)
    return told


async def test_old_kernels_are_asked_for_messages(polls: list[str]) -> None:
    assert await module.wait_until(lambda: len(polls) >= 3, 10)
    assert set(polls) == {"coroutine"}


def test_old_kernels_are_asked_for_messages_in_plain_code(polls: list[str]) -> None:
    assert module.wait_until_blocking(lambda: len(polls) >= 3, 10)
    assert set(polls) == {"blocking"}


def test_marimo(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not module.in_marimo()
    stand_in: Any = ModuleType("marimo")
    stand_in.running_in_notebook = lambda: True
    monkeypatch.setitem(sys.modules, "marimo", stand_in)
    assert module.in_marimo()
    stand_in.running_in_notebook = lambda: False
    assert not module.in_marimo()
