"""A server of JupyterLab, and a browser that has a notebook of it open."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.unit.viewer.standin import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

ROOT: Final = Path(__file__).parents[2]
SECS: Final = 120.0
_SCRIPT: Final = Path(__file__).with_name("lab.mjs")


class Lab:
    """A running server of JupyterLab."""

    def __init__(self, pid: int, url: str, token: str, log: Path) -> None:
        self.pid = pid
        self.url = url
        self.log = log
        self._token = token

    def page_of(self, notebook: str) -> str:
        """What a browser opens to see one notebook and nothing else."""
        return f"{self.url}/doc/tree/{notebook}?token={self._token}"


@contextlib.asynccontextmanager
async def jupyter_lab(folder: Path, **variables: str) -> AsyncGenerator[Lab]:
    """Runs the server on a folder, with environment variables that kernels inherit; ends all of it."""
    port, token, log = free_port(), secrets.token_hex(16), folder / "server.log"
    settings = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": str(port),
        "ServerApp.port_retries": "0",
        "ServerApp.open_browser": "False",
        "ServerApp.root_dir": str(folder),
        "ServerApp.allow_root": "True",
        "IdentityProvider.token": token,
        # Nothing is fetched: no catalogue of extensions here, and no news below.
        "LabApp.extension_manager": "readonly",
    }
    for name in ("config", "data", "runtime", "home"):
        (folder / name).mkdir()
    overrides = folder / "config" / "labconfig" / "default_setting_overrides.json"
    overrides.parent.mkdir()
    overrides.write_text('{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}')
    environment = {
        **os.environ,
        "HOME": str(folder / "home"),
        "IPYTHONDIR": str(folder / "home"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        **variables,
    }
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in settings.items())),
            cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        async with asyncio.timeout(SECS):
            while not await _is_listening(port):
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.1)
        yield Lab(process.pid, f"http://127.0.0.1:{port}", token, log)
    finally:
        # It ends its kernels, which are in sessions of their own.
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(20):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _is_listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


class Notebook:
    """A notebook that is open in a browser."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.trouble: list[str] = []
        """What the page complained of."""

    async def answer(self) -> dict[str, Any]:
        """The next answer of the browser."""
        assert self._process.stdout is not None
        async with asyncio.timeout(SECS + 60):
            async for line in self._process.stdout:
                answer: dict[str, Any] = json.loads(line)
                if "trouble" not in answer:
                    assert answer.get("ok"), answer
                    return answer
                self.trouble.append(answer["trouble"])
        raise AssertionError("the browser has ended")

    async def do(self, what: str, **details: Any) -> dict[str, Any]:
        """Has the browser do something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **details}).encode() + b"\n")
        return await self.answer()

    async def until_seen(self, rgb: Sequence[int], shot: Path, pixels: int) -> int:
        """Waits until there are so many pixels of a colour; returns how many there are."""
        loop = asyncio.get_running_loop()
        end = loop.time() + SECS
        while (seen := int((await self.do("count", rgb=rgb))["pixels"])) < pixels:
            texts = (await self.do("text"))["text"]
            if loop.time() > end or any("Traceback" in text for text in texts):
                await self.do("shot", path=str(shot))
                pytest.fail(f"{seen} pixels of {rgb}, see {shot}; cells: {texts}; page: {self.trouble[-5:]}")
            await asyncio.sleep(0.3)
        return seen


@contextlib.asynccontextmanager
async def open_notebook(lab: Lab, name: str) -> AsyncGenerator[Notebook]:
    """Opens a notebook in a browser, in front of its first cell."""
    node = shutil.which("node")
    assert node is not None
    process = await asyncio.create_subprocess_exec(
        node, str(_SCRIPT), lab.page_of(name), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        start_new_session=True, limit=1 << 22,
    )  # fmt: skip
    try:
        notebook = Notebook(process)
        await notebook.answer()
        yield notebook
    finally:
        # The browser consists of many processes.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def write_notebook(path: Path, *cells: str) -> None:
    """Writes a notebook with these cells."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    code: list[dict[str, Any]] = [
        {"cell_type": "code", "id": f"cell-{number}", "metadata": {}, "source": cell.strip(), "outputs": [],
         "execution_count": None}
        for number, cell in enumerate(cells)
    ]  # fmt: skip
    notebook = {"cells": code, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook))


async def until_true(condition: Callable[[], bool], what: str) -> None:
    """Waits until something holds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + 30
    while not condition():
        assert loop.time() < end, what
        await asyncio.sleep(0.05)
