"""The pages of the web viewer that this process serves."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiorerun.viewer.page_server import PageServer


class _Served:
    """What is served now."""

    app_url: str | None = None
    tasks: set[asyncio.Task[None]] = set()  # noqa: RUF012 - one for the process


def app_url() -> str | None:
    """The page that notebooks show instead of the public one, if there is one."""
    return _Served.app_url


async def serve(
    port: int, *, open_browser: bool, connect_to: str | None, bind_ip: str = "127.0.0.1"
) -> PageServer:
    """See :func:`aiorerun.serve_web_viewer`; returns the server."""
    from aiorerun.viewer import page_server

    page = await page_server.start_page_server(port=port, bind_ip=bind_ip)
    _keep(page)
    if open_browser:
        await page_server.open_browser(page_server.viewer_url(page.url, connect_to))
    return page


async def start_for_notebooks(port: int) -> PageServer:
    """See :func:`aiorerun.start_web_viewer_server`; returns the server."""
    page = await serve(port, open_browser=False, connect_to=None)
    _Served.app_url = page.url
    return page


def _keep(page: PageServer) -> None:
    """Leaves the server to a task: the loop that shuts down cancels it, and the port is given back."""

    async def keep() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            if _Served.app_url == page.url:
                _Served.app_url = None
            await page.close()

    task = asyncio.get_running_loop().create_task(
        keep(), name="aiorerun-web-viewer", context=contextvars.Context()
    )
    _Served.tasks.add(task)
    task.add_done_callback(_Served.tasks.discard)
