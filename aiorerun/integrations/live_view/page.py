"""The page of a live view: its files, found and compressed when they are first asked for."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import TYPE_CHECKING

from aiorerun.viewer.assets import compress_assets, find_assets
from aiorerun.viewer.files import read_blocks
from aiorerun.viewer.page_answers import MOUNTED_SECURITY, Answer, Site, refusal

if TYPE_CHECKING:
    from pathlib import Path

    from aiorerun.integrations.live_view.request import ViewRequest
    from aiorerun.server.exchange import Exchange


class ViewPage:
    """Answers requests for the page.

    Args:
        cache_dir: Where compressed files are kept; ``None`` is the user's cache.
    """

    def __init__(self, cache_dir: Path | None = None) -> None:
        self._cache_dir = cache_dir
        self._site: Site | None = None
        self._compressing: asyncio.Task[None] | None = None
        self._wants_no_files = threading.Event()

    async def answer(self, request: ViewRequest) -> Answer:
        """The answer to a request; its body or file is not to be sent for ``HEAD``."""
        if self._site is None:
            try:
                assets = await asyncio.to_thread(find_assets, "live.html")
            except ImportError as error:
                return refusal(
                    501, f"There is no page: {error}. The data is at recording.rrd.", MOUNTED_SECURITY
                )
            if self._site is None:
                self._site = Site(assets, is_local=False, security=MOUNTED_SECURITY)
                # What takes long must not keep what the caller's context refers to.
                self._compressing = asyncio.get_running_loop().create_task(
                    self._compress(), name="aiorerun-compress-page", context=contextvars.Context()
                )
        return self._site.answer(request.method, request.path, request.headers.items())

    async def _compress(self) -> None:
        assert self._site is not None
        try:
            assets = dict(self._site.assets)
            await asyncio.to_thread(compress_assets, assets, self._cache_dir, self._wants_no_files.is_set)
        finally:
            # The loop may end without anybody closing the view; it waits for threads then.
            self._wants_no_files.set()

    async def close(self) -> None:
        """Ends what goes on in the background."""
        self._wants_no_files.set()
        if self._compressing is not None:
            await asyncio.wait({self._compressing})


async def send_answer(exchange: Exchange, answer: Answer, *, with_body: bool) -> None:
    """Sends an answer of the page.

    Raises:
        OSError: The peer is gone or too slow, or the file has changed.
    """
    await exchange.start(answer.status, answer.headers)
    if with_body and answer.file is not None:
        async for block in read_blocks(answer.file, answer.nbytes):
            await exchange.write((block,), len(block))
    elif with_body and answer.body:
        await exchange.write((answer.body,), len(answer.body))
    await exchange.end()
