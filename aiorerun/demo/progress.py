"""What the terminal shows while the demo records."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

_WIDTH = 30
_CELLS = "█░"
_ASCII_CELLS = "#-"
_ERASE_LINE = "\r\x1b[2K"


def bar(elapsed: float, seconds: float | None, rows: int, cells: str = _CELLS) -> str:
    """One line: how far the run is and what was recorded so far; ``cells`` are a full and an empty one."""
    if seconds is None:
        return f"{elapsed:6.1f} s  {rows:,} rows  (Ctrl-C ends it)"
    share = min(elapsed / seconds, 1.0) if seconds > 0.0 else 1.0
    full = round(share * _WIDTH)
    return f"[{cells[0] * full}{cells[1] * (_WIDTH - full)}] {elapsed:.1f}/{seconds:g} s  {rows:,} rows"


def size(count: int) -> str:
    """A number of bytes for people."""
    value = float(count)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000.0:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000.0
    return f"{value:.1f} GB"


@contextlib.asynccontextmanager
async def shown(terminal: TextIO, seconds: float | None, rows: Callable[[], int]) -> AsyncGenerator[None]:
    """Shows a progress bar while the body runs; nothing where the output is no terminal.

    Args:
        terminal: Where to draw.
        seconds: How long the run takes; ``None`` if nobody knows.
        rows: Tells how many rows were recorded so far.
    """
    if not terminal.isatty():
        yield
        return
    start = time.monotonic()
    cells = _cells_for(terminal)

    def draw() -> None:
        terminal.write(_ERASE_LINE + bar(time.monotonic() - start, seconds, rows(), cells))
        terminal.flush()

    async def keep_drawing() -> None:
        while not done.is_set():
            # In a thread: a terminal that is stopped with Ctrl-S must not stop the loop.
            await asyncio.to_thread(draw)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await done.wait()
        terminal.write(_ERASE_LINE)
        terminal.flush()

    done = asyncio.Event()
    task = asyncio.create_task(keep_drawing(), name="progress bar")
    try:
        yield
    finally:
        done.set()
        await task


def _cells_for(terminal: TextIO) -> str:
    """Blocks where the terminal's encoding has them."""
    try:
        _CELLS.encode(terminal.encoding or "ascii")
    except UnicodeEncodeError:
        return _ASCII_CELLS
    return _CELLS
