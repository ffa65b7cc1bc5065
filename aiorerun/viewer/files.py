"""Reads files that are sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BLOCK_BYTES: Final = 256 * 1024
"""So much of a file is in memory at a time."""


async def read_blocks(path: Path, nbytes: int) -> AsyncIterator[bytes]:
    """A file block by block, each read in a thread, so that little of it is ever in memory.

    Args:
        path: The file.
        nbytes: How long it is, as was announced.

    Raises:
        OSError: It cannot be read, or is shorter than that.
    """
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while nbytes > 0:
            block = await asyncio.to_thread(file.read, min(BLOCK_BYTES, nbytes))
            if not block:
                raise OSError(f"{path} has become shorter")
            nbytes -= len(block)
            yield block
    finally:
        file.close()
