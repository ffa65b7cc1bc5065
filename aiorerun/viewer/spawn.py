"""Starts the native viewer."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Final

from aiorerun import process as this_process
from aiorerun.config import checked_port
from aiorerun.viewer.executable import DEFAULT_NAME, ask_version, find_executable, warn_of_version
from aiorerun.viewer.process_group import end_group, has_ended, own_group, signal_group

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

HOST: Final = "127.0.0.1"
"""Where spawned viewers are looked for."""

PROBE_TIMEOUT: Final = 1.0
"""Seconds that whoever listens at the port has to take a connection."""

START_TIMEOUT: Final = 6.0
"""Seconds that the viewer has to listen at its port before a warning says that it does not."""

CLOSE_TIMEOUT: Final = 5.0
"""Seconds that a viewer has to end when it is asked to, before it is forced to."""

_POLL_SECS: Final = 0.2

logger = logging.getLogger("aiorerun")


class _ViewerProcess(subprocess.Popen[bytes]):
    """A program that may outlive us: forgetting it is no leak, and no warning says so."""

    def __del__(self, *_: object) -> None:
        pass


_attached: Final[set[SpawnedViewer]] = set()
"""Those that end with this program."""

_detached: Final[list[_ViewerProcess]] = []
"""Those that do not; waited for once they have ended."""


class SpawnedViewer:
    """A native viewer that was started, or was there already. Get one from :func:`spawn`.

    As a context manager (``async with``) it closes the viewer at the end, unless that is detached: a detached
    one only ends when :meth:`close` is called or somebody closes its window. One that is not detached ends
    with this program at the latest.

    Attributes:
        port: Where it listens.
        is_detached: Whether it outlives this program.
    """

    def __init__(
        self, port: int, process: _ViewerProcess | None = None, *, is_detached: bool = False
    ) -> None:
        self.port = port
        self.is_detached = is_detached
        self._process = process
        self._owner = os.getpid()

    @property
    def pid(self) -> int | None:
        """The id of the started program and of its process group; ``None`` if nothing was started."""
        return None if self._process is None else self._process.pid

    @property
    def url(self) -> str:
        """What recordings connect to, and :class:`ViewerClient` too."""
        return f"rerun+http://{HOST}:{self.port}/proxy"

    @property
    def is_running(self) -> bool:
        """Whether the program that was started here has not ended yet; ``False`` if none was started."""
        return self._is_ours() and self._process is not None and not has_ended(self._process)

    async def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Ends the viewer and all that it has started, and waits until they are gone.

        It does nothing to a viewer that was there already, and nothing the second time. Cancelling it does
        not keep the viewer from being ended.

        Args:
            timeout: Seconds that it has to end when it is asked to; then it is forced to.
        """
        # Shielded, since a call that has not begun could be cancelled in the queue of the threads.
        await asyncio.shield(asyncio.create_task(asyncio.to_thread(self.kill, timeout)))

    def kill(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """What :meth:`close` does, blocking; for code that runs on no event loop.

        Args:
            timeout: Seconds that it has to end when it is asked to; then it is forced to.
        """
        _attached.discard(self)
        process = self._process
        if process is None or not self._is_ours():
            return
        if not end_group(process, timeout):
            logger.warning("the viewer (process %d) did not end within %g s", process.pid, 2 * timeout)

    def _is_ours(self) -> bool:
        """Children of a fork leave the viewers of their parents alone."""
        return self._owner == os.getpid()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.is_detached:
            await self.close()

    def __repr__(self) -> str:
        return f"SpawnedViewer(port={self.port}, pid={self.pid}, is_detached={self.is_detached})"


async def spawn(
    *,
    port: int = 9876,
    memory_limit: str = "75%",
    server_memory_limit: str = "0B",
    hide_welcome_screen: bool = False,
    detach_process: bool = True,
    headless: bool = False,
    new: bool = False,
    executable_name: str = DEFAULT_NAME,
    executable_path: str | os.PathLike[str] | None = None,
    extra_args: Sequence[str] = (),
) -> SpawnedViewer:
    """Starts the native viewer and waits until it listens, for :data:`START_TIMEOUT` seconds at most.

    Whoever listens at the port already is taken for a viewer, and nothing is started. A viewer that does not
    listen in time, or is of another version, is no error: a warning is logged.

    Cancelling it ends a viewer that is not detached; a detached one goes on starting.

    Args:
        port: Where the viewer shall listen; 0 takes a free port.
        memory_limit: What the viewer may keep: a part of the machine's memory (``"75%"``) or an amount
            (``"16GB"``). Beyond it the oldest data is dropped.
        server_memory_limit: The same for the server in the viewer, which keeps data for late readers.
        hide_welcome_screen: Whether it starts without its welcome page.
        detach_process: Whether the viewer outlives this program.
        headless: Whether it runs without a window, for screenshots. Such a viewer is never detached.
        new: Whether to start one in any case, at a free port if this one is taken.
        executable_name: The program's name on the ``PATH``.
        executable_path: The program's file, instead of its name.
        extra_args: More arguments for the viewer, after all others.

    Returns:
        The viewer. With ``_RERUN_TEST_FORCE_SAVE`` set nothing is started, and it stands for no viewer.

    Raises:
        ViewerNotFoundError: There is no such program; the text says how to install it.
        OSError: It could not be started.
        ValueError: There is no such port.
        TypeError: The port is no integer.
    """
    port = checked_port(port, "port")
    # Recordings go to files then, whatever the program asks for.
    if os.environ.get("_RERUN_TEST_FORCE_SAVE") is not None:
        return SpawnedViewer(port)
    port, is_taken = await _choose_port(port, new=new)
    if is_taken:
        logger.info("port %d is in use, presumably by a viewer: none is started", port)
        return SpawnedViewer(port)
    _warn_of_ci()
    executable = await asyncio.to_thread(find_executable, executable_name, executable_path)
    warn_of_version(executable, await ask_version(executable))
    command = [executable, f"--port={port}", f"--memory-limit={memory_limit}"]
    command += [f"--server-memory-limit={server_memory_limit}", "--expect-data-soon"]
    command += ["--hide-welcome-screen"] * hide_welcome_screen + ["--headless"] * headless
    command += extra_args
    launch = _Launch(command, port, is_detached=detach_process and not headless)
    try:
        # In a thread: it takes a while if this process is large or the disk slow.
        viewer = await asyncio.to_thread(launch.run)
        await _wait_until_listening(viewer)
    except BaseException:
        launch.abandon()
        raise
    return viewer


async def is_listening(port: int) -> bool:
    """Whether somebody takes connections at a port of this machine. Cancelling it does no harm."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


async def _choose_port(port: int, *, new: bool) -> tuple[int, bool]:
    """The port to use, and whether somebody listens there whom to send to instead of a new viewer."""
    if port != 0 and not await is_listening(port):
        return port, False
    if port != 0 and not new:
        return port, True
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1], False


def _warn_of_ci() -> None:
    if os.environ.get("CI") is not None:
        logger.warning(
            "a viewer is started although the variable CI is set: on most machines for tests it cannot open "
            "a window. Write to a file instead, or start it with headless=True"
        )


class _Launch:
    """Starts one viewer in a thread; whoever waits for it may lose interest at any time."""

    def __init__(self, command: list[str], port: int, *, is_detached: bool) -> None:
        self._command = command
        self._port = port
        self._is_detached = is_detached
        self._abandoned = False
        self._viewer: SpawnedViewer | None = None

    def run(self) -> SpawnedViewer:
        process = _ViewerProcess(
            self._command,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"RERUN_APP_ONLY": "true"},
            **own_group(session=self._is_detached),
        )
        viewer = self._viewer = SpawnedViewer(self._port, process, is_detached=self._is_detached)
        _remember(viewer, process)
        if self._abandoned:
            self.abandon()
        return viewer

    def abandon(self) -> None:
        """Nobody gets hold of the viewer: ends it, unless it is detached."""
        self._abandoned = True
        viewer = self._viewer
        if viewer is not None and viewer.is_running and viewer.pid is not None and not self._is_detached:
            signal_group(viewer.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            # It is dead within a moment, but somebody has to wait for it.
            threading.Thread(target=viewer.kill, name="aiorerun-viewer-end").start()


def _remember(viewer: SpawnedViewer, process: _ViewerProcess) -> None:
    if viewer.is_detached:
        _detached[:] = [each for each in _detached if each.poll() is None]
        _detached.append(process)
        return
    _attached.add(viewer)
    this_process.finish_with_multiprocessing()
    if _close_attached not in this_process.at_exit:
        # The first of the list is called last: recordings are finished before.
        this_process.at_exit.insert(0, _close_attached)


def _close_attached() -> None:
    """Ends what is left; called more than once where the list of :mod:`aiorerun.process` is used as well."""
    for viewer in list(_attached):
        viewer.kill()


async def _wait_until_listening(viewer: SpawnedViewer) -> None:
    try:
        async with asyncio.timeout(START_TIMEOUT):
            while not await is_listening(viewer.port):
                if not viewer.is_running:
                    logger.warning(
                        "the viewer ended as soon as it was started; what it printed says why. Without a "
                        "display, start it with headless=True"
                    )
                    return
                await asyncio.sleep(_POLL_SECS)
    except TimeoutError:
        logger.warning(
            "the viewer does not listen at port %d after %g s; connections to it may fail",
            viewer.port,
            START_TIMEOUT,
        )


# Without recordings nobody calls the list of `aiorerun.process`; with them it comes first, as it should.
if "aiorerun.lifecycle" not in sys.modules:
    atexit.register(_close_attached)
