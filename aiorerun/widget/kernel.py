"""Waiting in a cell for what the browser tells.

A kernel takes no messages while a cell runs: whoever waits for one has to see to it. How depends on the
version of ipykernel. Up to 6 ``jupyter_ui_poll`` does it. From 7 on messages come through another thread and
a pair of sockets, and 7.4 handles those of widgets by itself while a cell awaits something.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
    from typing import Self

POLL_SECS: Final = 0.02
"""How often it is looked whether the condition holds."""

_OF_WIDGETS: Final = frozenset({"comm_open", "comm_msg", "comm_close"})

logger = logging.getLogger("aiorerun")


def running_kernel() -> Any:
    """The kernel that runs in this process; ``None`` if there is none."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None)


def in_marimo() -> bool:
    """Whether this is a notebook of marimo, which takes no messages before the cell has ended."""
    marimo = sys.modules.get("marimo")
    return marimo is not None and bool(marimo.running_in_notebook())


async def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Waits until a condition holds that a message of the browser makes true.

    Cancelling it changes nothing.

    Args:
        condition: Asked again and again.
        timeout: Seconds to wait at most.

    Returns:
        Whether it holds.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    async with _listening() as turn:
        while not condition() and loop.time() < end:
            await turn()
            await asyncio.sleep(POLL_SECS)
    return condition()


def wait_until_blocking(condition: Callable[[], bool], timeout: float) -> bool:
    """Like :func:`wait_until`, in plain code."""
    end = time.monotonic() + timeout
    with _listening_blocking() as turn:
        while not condition() and time.monotonic() < end:
            turn()
    return condition()


@contextlib.asynccontextmanager
async def _listening() -> AsyncGenerator[Callable[[], Awaitable[None]]]:
    """While a coroutine waits; gives what is to be awaited in each turn."""
    kernel = running_kernel()
    if hasattr(kernel, "do_one_iteration"):
        from jupyter_ui_poll import ui_events

        async with ui_events() as poll:
            yield poll
    elif _is_main_thread(kernel) and not _dispatches_while_awaiting(kernel):
        with ShellTap(kernel):
            yield _nothing
    else:
        yield _nothing


@contextlib.contextmanager
def _listening_blocking() -> Generator[Callable[[], None]]:
    """While plain code waits; gives what is to be called in each turn, which takes a moment."""
    kernel = running_kernel()
    if hasattr(kernel, "do_one_iteration"):
        from jupyter_ui_poll import ui_events

        with ui_events() as poll:

            def turn() -> None:
                poll(1)
                time.sleep(POLL_SECS)

            yield turn
    elif _is_main_thread(kernel):
        with ShellTap(kernel) as tap:
            yield tap.take_some
    else:
        yield _sleep


async def _nothing() -> None:
    pass


def _sleep() -> None:
    time.sleep(POLL_SECS)


def _is_main_thread(kernel: Any) -> bool:
    """Whether this is the thread that runs cells, of a kernel whose messages come through another."""
    thread = getattr(kernel, "shell_channel_thread", None)
    return thread is not None and thread.parent_thread is threading.current_thread()


def _dispatches_while_awaiting(kernel: Any) -> bool:
    """Whether the kernel handles messages of widgets while a cell awaits something."""
    return "concurrent" in inspect.signature(kernel.dispatch_shell).parameters


class ShellTap:
    """Takes the messages for the kernel: those of widgets are handled at once, others when the cell is over.

    For the thread that runs cells.
    """

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._manager = kernel.shell_channel_thread.manager
        self._stream = self._manager.get_shell_channel_to_subshell_pair(None).to_stream
        self._later: list[Any] = []

    def __enter__(self) -> Self:
        self._stream.on_recv(self._take, copy=False)
        return self

    def __exit__(self, *error: object) -> None:
        kernel = self._kernel
        self._manager.set_on_recv_callback(kernel.shell_main)
        later, self._later = self._later, []
        for frames in later:
            # In order: each waits for the lock that the running cell has.
            kernel.io_loop.add_callback(kernel.shell_main, None, frames)

    def take_some(self) -> None:
        """Waits a moment for messages and takes those that came."""
        if self._stream.socket.poll(int(POLL_SECS * 1000)):
            self._stream.flush()

    def _take(self, frames: list[Any]) -> None:
        kernel = self._kernel
        try:
            _, parts = kernel.session.feed_identities(frames, copy=False)
            kind = kernel.session.deserialize(parts, content=False, copy=False)["header"]["msg_type"]
        except Exception:
            # The kernel has its own way with those.
            kind = ""
        if kind not in _OF_WIDGETS:
            self._later.append(frames)
            return
        try:
            idents, parts = kernel.session.feed_identities(frames, copy=False)
            message = kernel.session.deserialize(parts, content=True, copy=False)
            kernel.shell_handlers[kind](None, idents, message)
        except Exception:
            logger.exception("a message of the browser could not be handled")
