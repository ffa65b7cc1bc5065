"""Running the official programs in the background."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiorerun.viewer.executable import find_executable
from aiorerun.viewer.process_group import end_group, own_group
from aiorerun.viewer.spawn import is_listening

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


@asynccontextmanager
async def rerun(log: Path, *arguments: str, ports: tuple[int, ...]) -> AsyncGenerator[None]:
    """Runs ``rerun`` with arguments, once it listens at all ports; ends it afterwards.

    Args:
        log: Where its output goes.
        *arguments: Its arguments.
        ports: Where it is going to listen.
    """

    def start() -> subprocess.Popen[bytes]:
        command = [find_executable(), *arguments]
        options = own_group()
        with log.open("wb") as output:
            return subprocess.Popen[bytes](
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options
            )

    process = await asyncio.to_thread(start)
    try:
        async with asyncio.timeout(60):
            for port in ports:
                while not await is_listening(port):
                    assert process.poll() is None, await asyncio.to_thread(log.read_text)
                    await asyncio.sleep(0.05)
        yield
    finally:
        await asyncio.to_thread(end_group, process, 5.0)
