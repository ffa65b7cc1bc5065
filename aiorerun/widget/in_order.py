"""Things done one after the other on an event loop, some of which take time."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MAX_WAITING: Final = 10_000
"""So many things wait at most; more of them is a mistake of the program."""

logger = logging.getLogger("aiorerun")


class InOrder:
    """Does quick things at once, unless one that takes time is under way: then behind it.

    For one event loop.
    """

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], Awaitable[Any]]] = deque()
        self._task: asyncio.Task[None] | None = None

    def do(self, action: Callable[[], object]) -> None:
        """Does something quick, behind what is under way."""
        if self._task is None:
            action()
        else:
            self._append(partial(_at_once, action))

    def start(self, action: Callable[[], Awaitable[Any]]) -> asyncio.Future[None]:
        """Does something that takes time, behind what is under way; the future has its outcome.

        Cancelling the future changes nothing. An outcome that nobody looks at is not complained of.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._append(partial(_with_outcome, action, future))
        if self._task is None:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._run(), name="aiorerun-viewer", context=contextvars.Context())
        return future

    def _append(self, action: Callable[[], Awaitable[Any]]) -> None:
        if len(self._waiting) >= MAX_WAITING:
            raise RuntimeError(f"{MAX_WAITING} calls of a viewer wait for each other; await something")
        self._waiting.append(action)

    async def _run(self) -> None:
        try:
            while self._waiting:
                try:
                    await self._waiting.popleft()()
                except Exception:
                    logger.exception("a message for the viewer could not be sent")
        finally:
            self._task = None


async def _at_once(action: Callable[[], object]) -> None:
    action()


async def _with_outcome(action: Callable[[], Awaitable[Any]], future: asyncio.Future[None]) -> None:
    try:
        await action()
    except asyncio.CancelledError:
        future.cancel()
        task = asyncio.current_task()
        # Either what was awaited was cancelled, or this task is, by a loop that shuts down.
        if task is not None and task.cancelling():
            raise
    except Exception as error:
        if not future.done():
            future.set_exception(error)
            # Seen, whether or not somebody waits.
            future.exception()
    else:
        if not future.done():
            future.set_result(None)
