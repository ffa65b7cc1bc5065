"""What tests of imports have in common."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from tests.reading import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def text_file(folder: Path, name: str = "note.txt", text: str = "hello") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def paths_of(data: bytes) -> list[str]:
    return sorted(row.path for row in rows_of(data))


async def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - processes set no events
            await asyncio.sleep(0.01)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
