"""Serves the page of the web viewer."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import ipaddress
import logging
import threading
import webbrowser
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from aiorerun.config import checked_port
from aiorerun.viewer.assets import compress_assets, find_assets
from aiorerun.viewer.page_answers import Site

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from aiorerun.viewer.assets import Asset

DEFAULT_PORT: Final = 9090
"""Where the page is served."""

MAX_CONNECTIONS: Final = 64
"""Connections at a time; browsers open six. More are closed at once."""

CLOSE_TIMEOUT: Final = 2.0
"""Seconds that closing the server takes at most."""

BROWSER_TIMEOUT: Final = 5.0
"""Seconds that starting the browser is waited for; some programs stay until their window is closed."""

logger = logging.getLogger("aiorerun")


class PageServer:
    """A running server of the web viewer's page; see :func:`start_page_server`.

    As a context manager (``async with``) it is closed at the end.
    """

    def __init__(self, site: Site, bind_ip: str) -> None:
        self._site = site
        self._bind_ip = bind_ip
        self._connections: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self._wants_no_files = threading.Event()
        self._compressing: asyncio.Task[None] | None = None
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def url(self) -> str:
        """What a browser on this machine opens, without anything to show; see :func:`viewer_url`."""
        address = ipaddress.ip_address(self._bind_ip)
        if address.is_unspecified:
            return f"http://127.0.0.1:{self._port}/"
        host = f"[{address}]" if address.version == 6 else str(address)
        return f"http://{host}:{self._port}/"

    async def _start(self, port: int, assets: dict[str, Asset], cache: Path | None) -> None:
        self._server = await asyncio.start_server(self._serve, self._bind_ip, port)
        self._port = self._server.sockets[0].getsockname()[1]
        self._compressing = asyncio.create_task(self._compress(assets, cache), name="aiorerun-compress-page")

    async def _compress(self, assets: dict[str, Asset], cache: Path | None) -> None:
        try:
            await asyncio.to_thread(compress_assets, assets, cache, self._wants_no_files.is_set)
        finally:
            # The loop may end without anybody closing the server; it waits for threads then.
            self._wants_no_files.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from aiorerun.viewer.page_connection import serve_connection

        task = asyncio.current_task()
        assert task is not None
        if self._is_closing or len(self._connections) >= MAX_CONNECTIONS:
            writer.close()
            return
        self._connections.add(task)
        try:
            await serve_connection(reader, writer, self._site)
        except asyncio.CancelledError:
            # By `close`: nobody awaits this task, and asyncio would complain of it.
            if not self._is_closing:
                raise
        finally:
            self._connections.discard(task)

    async def close(self) -> None:
        """Stops listening and closes all connections; nothing the second time.

        Cancelling it leaves nothing open; it is only not waited for.
        """
        self._is_closing = True
        self._wants_no_files.set()
        if self._server is None:
            return
        self._server.close()
        for task in self._connections:
            task.cancel()
        pending: set[asyncio.Task[Any]] = {*self._connections}
        if self._compressing is not None:
            pending.add(self._compressing)
        if pending:
            await asyncio.wait(pending, timeout=CLOSE_TIMEOUT)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._server.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"PageServer({self.url!r})"


async def start_page_server(
    port: int = DEFAULT_PORT,
    bind_ip: str = "127.0.0.1",
    *,
    cache_dir: str | os.PathLike[str] | None = None,
) -> PageServer:
    """Serves the page of the web viewer, in the background of the running event loop.

    It returns as soon as the port is open. The page needs no network but this server, and the servers whose
    data it shall show. Cancelling it leaves nothing open.

    Args:
        port: Where; 0 takes a free port.
        bind_ip: The address to listen on. With one of this machine only, requests for other hosts are
            refused, so that no page of the internet reads from it.
        cache_dir: Where compressed files are kept; by default in the user's cache.

    Raises:
        OSError: The port is taken, or the address is not there.
        ImportError: The extra ``web`` is not installed.
        ValueError: ``bind_ip`` is no address.
    """
    address = ipaddress.ip_address(bind_ip)
    port = checked_port(port, "port")
    assets, cache = await asyncio.to_thread(_prepare, cache_dir)
    server = PageServer(Site(assets, is_local=address.is_loopback), str(address))
    # What serves for long must not keep what the caller's context refers to, such as recordings.
    start = server._start(port, assets, cache)
    await asyncio.create_task(start, name="aiorerun-start-page", context=contextvars.Context())
    return server


def _prepare(cache_dir: str | os.PathLike[str] | None) -> tuple[dict[str, Asset], Path | None]:
    from pathlib import Path

    try:
        import h11
    except ImportError as error:
        raise ImportError("h11 is needed for this: pip install 'aiorerun[web]'", name="h11") from error
    assert h11 is not None
    return find_assets(), None if cache_dir is None else Path(cache_dir)


def viewer_url(page_url: str, connect_to: str | Sequence[str] | None = None, **parameters: str | bool) -> str:
    """What to open in a browser so that the page shows some data.

    Args:
        page_url: The page, such as :attr:`PageServer.url` or ``https://app.rerun.io``.
        connect_to: One or more sources: what ``serve_grpc`` gives, or the address of an ``.rrd`` file.
        **parameters: Further ones of the page, such as ``theme="light"``; the official page knows more than
            ours. ``True`` becomes 1 and ``False`` 0.
    """
    sources = [connect_to] if isinstance(connect_to, str) else list(connect_to or ())
    pairs = [("url", source) for source in sources]
    pairs += [
        (name, str(int(value)) if isinstance(value, bool) else value) for name, value in parameters.items()
    ]
    if not pairs:
        return page_url
    separator = "&" if "?" in page_url else "?"
    return (
        page_url
        + separator
        + "&".join(f"{quote(name, safe='')}={quote(text, safe='')}" for name, text in pairs)
    )


async def open_browser(url: str) -> bool:
    """Opens a page in the browser of this machine.

    Browsers that stay in the foreground are not waited for longer than :data:`BROWSER_TIMEOUT` seconds.
    Cancelling it does not close anything.

    Returns:
        Whether there is a browser to be started; a warning that names the page is logged if there is none.
    """
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[bool] = loop.create_future()

    def tell(outcome: bool) -> None:
        if not opened.done():
            opened.set_result(outcome)

    def run() -> None:
        try:
            outcome = webbrowser.open(url)
        except (OSError, webbrowser.Error):
            outcome = False
        with contextlib.suppress(RuntimeError):
            # The loop may be closed by now.
            loop.call_soon_threadsafe(tell, outcome)

    # Not in the loop's pool: it would wait at its end for a browser that stays.
    threading.Thread(target=run, name="aiorerun-browser", daemon=True).start()
    try:
        async with asyncio.timeout(BROWSER_TIMEOUT):
            outcome = await opened
    except TimeoutError:
        return True
    if not outcome:
        logger.warning("there is no browser to open; the page is %s", url)
    return outcome
