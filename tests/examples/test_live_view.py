"""The programs in docs/live-view.md: services that run as they stand, and what they show."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import aiorerun as rr
from aiorerun.files.recover import recover
from tests.reading import assert_verified, rerun_cli, rows_of
from tests.unit.server.peers import TIMEOUT, http, http_request, parse_answer
from tests.unit.viewer.standin import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

TEXT = (Path(__file__).parents[2] / "docs" / "live-view.md").read_text(encoding="utf-8")
PROGRAMS: dict[str, str] = dict(
    zip(
        ("fastapi", "aiohttp"),
        re.findall(r'```py\n(""".*?)```', TEXT, re.DOTALL),
        strict=True,
    )
)


@asynccontextmanager
async def running(kind: str, folder: Path) -> AsyncGenerator[tuple[int, asyncio.subprocess.Process]]:
    """Runs one of the services, warnings as errors; gives its port."""
    port = free_port()
    with (folder / "log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-W", "error", "-c", PROGRAMS[kind]),
            cwd=folder,
            stdout=output,
            stderr=output,
            env=os.environ | {"PORT": str(port)},
        )
    try:
        async with asyncio.timeout(60):
            while True:
                assert process.returncode is None, (folder / "log").read_text()
                with contextlib.suppress(ConnectionError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
        yield port, process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def get(port: int, path: str, *headers: tuple[str, str]) -> tuple[int, bytes]:
    """Status and body of an answer of the service."""
    request = http_request("GET", path, headers, host=f"127.0.0.1:{port}")
    status, _, body = parse_answer(await http(port, request, timeout=TIMEOUT))
    return status, body


def check_download(path: Path, recording: bytes) -> None:
    """What the page says of a file that was downloaded: what it lacks, and how it is made complete."""
    path.write_bytes(recording)
    assert rerun_cli("rrd", "verify", path).returncode != 0
    assert_verified([path], footers=False)
    complete = path.with_name("complete.rrd")
    recover(path, complete)
    assert_verified([complete])
    # Not a file that was meant to have a footer.
    path.unlink()


async def test_the_code_beside_the_programs_has_its_imports() -> None:
    blocks = re.findall(r"```py\n(?!\"\"\")(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 1
    for block in blocks:
        exec(block, {"rec": rr.AsyncRecordingStream("documented")})


@pytest.mark.parametrize("kind", list(PROGRAMS))
async def test_the_service_shows_its_requests_and_nothing_secret(kind: str, tmp_path: Path) -> None:
    secrets = [("authorization", "Bearer hunter2"), ("cookie", "session=hunter2")]
    async with running(kind, tmp_path) as (port, process):
        assert (await get(port, "/paint/1/2/3?password=hunter2", *secrets))[0] == 200
        assert (await get(port, "/nothing", *secrets))[0] == 404
        assert (await get(port, "/telemetry/", *secrets))[0] == 200
        status, recording = await get(port, "/telemetry/recording.rrd?follow=0", *secrets)
        assert status == 200
        rows = rows_of(recording)
        texts = [row.values["TextLog:text"] for row in rows if row.path == "/requests"]
        assert texts == [["GET /paint/1/2/3 200"], ["GET /nothing 404"]]
        assert {row.path for row in rows} == {"/requests", "/requests/ms", "/painted"}
        assert b"hunter2" not in recording
        await asyncio.to_thread(check_download, tmp_path / "recording.rrd", recording)
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), TIMEOUT)
    said = (tmp_path / "log").read_text()
    assert "rror" not in said, said
    assert "authorization" not in said
    assert "Bearer" not in said
