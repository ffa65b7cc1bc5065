"""Watching a page of the web viewer in Chromium."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e.scene import COLOR, PIXELS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SCRIPT = Path(__file__).parent / "web_shot.mjs"
WAIT_SECS = 150


class WebShot:
    """What was seen of a page.

    Attributes:
        lines: All that the script has printed.
    """

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    @property
    def is_ready(self) -> bool:
        """Whether the viewer has started."""
        return "ready" in self.events

    @property
    def events(self) -> list[str]:
        """The events of the viewer, one JSON object each."""
        return [line["event"] for line in self.lines if "event" in line]

    @property
    def result(self) -> dict[str, Any]:
        """How it ended."""
        return next((line["result"] for line in self.lines if "result" in line), {"ok": False})

    def __str__(self) -> str:
        return "\n".join(json.dumps(line) for line in self.lines)


async def watch_page(
    url: str,
    shot: Path,
    *,
    events: Sequence[str] = (),
    on_line: Callable[[WebShot], object] | None = None,
) -> WebShot:
    """Opens a page and waits until it shows the colour of the scene, and has had the events.

    Cancelling it ends the browser.

    Args:
        url: The page.
        shot: Where the last screenshot goes.
        events: Texts that events have to contain.
        on_line: Called with what was seen so far, whenever there is more.
    """
    node = shutil.which("node")
    assert node is not None
    arguments = [
        "--shot",
        str(shot),
        "--wait",
        str(WAIT_SECS),
        "--color",
        f"{','.join(map(str, COLOR))}:{PIXELS}",
    ]
    for event in events:
        arguments += ["--event", event]
    process = await asyncio.create_subprocess_exec(
        node, str(_SCRIPT), url, *arguments, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    seen = WebShot()
    try:
        async with asyncio.timeout(WAIT_SECS + 60):
            async for line in process.stdout:
                seen.lines.append(json.loads(line))
                if on_line is not None:
                    on_line(seen)
            await process.wait()
    finally:
        # The browser consists of many processes.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return seen
