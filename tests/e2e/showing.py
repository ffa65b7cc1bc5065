"""Files opened in a viewer without a window, one after the other."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import pytest

from aiorerun.viewer.client import ViewerClient

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from aiorerun.viewer.state import View, ViewerState

SECS: Final = 30.0
SIZE: Final = "960x600"


@asynccontextmanager
async def viewer(size: str = SIZE) -> AsyncGenerator[ViewerClient]:
    """A viewer of its own."""
    arguments = ("--window-size", size, "--hide-welcome-screen")
    async with await ViewerClient.spawn(headless=True, port=0, new=True, extra_args=arguments) as client:
        yield client


async def until(client: ViewerClient, condition: Callable[[ViewerState], bool]) -> ViewerState:
    """Waits until a condition holds of what the viewer shows."""
    end = asyncio.get_running_loop().time() + SECS
    while not condition(state := await client.state()):
        if asyncio.get_running_loop().time() > end:
            pytest.fail(f"the viewer shows something else: {state}")
        await asyncio.sleep(0.05)
    return state


async def show(client: ViewerClient, *paths: Path) -> ViewerState:
    """Opens files, and waits until all is loaded and shown."""
    for path in paths:
        await client.open(str(path))
    return await until(client, lambda state: not state.loading and bool(state.recordings))


async def settled(client: ViewerClient, quiet: float = 0.5) -> tuple[ViewerState, bytes]:
    """What the viewer shows, and a picture of it, once it has not changed for so many seconds."""
    async with asyncio.timeout(SECS):
        former = await client.screenshot()
        while True:
            await asyncio.sleep(quiet)
            picture = await client.screenshot()
            if picture is not None and picture == former:
                return await client.state(), picture
            former = picture


def errors(views: tuple[View, ...]) -> list[str]:
    """What views complain about as an error."""
    return [
        f"{view.name}: {report.summary}: {report.details}"
        for view in views
        for report in view.reports
        if report.severity == "error"
    ]
