"""Viewers in notebooks, for coroutines: ``viewer = rr.notebook.Viewer()``.

Needs the extra ``notebook``.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from aiorerun.showing_api import legacy_notebook_show, notebook_show
from aiorerun.stream import active
from aiorerun.stream_base import logger
from aiorerun.widget import loading
from aiorerun.widget.base import BaseViewer, set_default_size
from aiorerun.widget.events import (
    ContainerSelectionItem,
    EntitySelectionItem,
    PauseEvent,
    PlayEvent,
    RecordingOpenEvent,
    SelectionChangeEvent,
    SelectionItem,
    TimelineChangeEvent,
    TimeUpdateEvent,
    ViewerEvent,
    ViewSelectionItem,
)
from aiorerun.widget.in_order import InOrder
from aiorerun.widget.ready import until_ready

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Sequence

    from aiorerun.blueprint_sending import BlueprintLike
    from aiorerun.stream import AsyncRecordingStream
    from aiorerun.widget.base import Size, Theme

__all__ = [
    "ContainerSelectionItem",
    "EntitySelectionItem",
    "PauseEvent",
    "PlayEvent",
    "RecordingOpenEvent",
    "SelectionChangeEvent",
    "SelectionItem",
    "TimeUpdateEvent",
    "TimelineChangeEvent",
    "ViewSelectionItem",
    "Viewer",
    "ViewerEvent",
    "legacy_notebook_show",
    "notebook_show",
    "set_default_size",
]


class Viewer(BaseViewer):
    """A viewer in a notebook: at the end of a cell it shows itself, and :meth:`display` shows it anywhere.

    It becomes the only sink of its recording: what was logged before is handed over, and what is logged later
    shows up at once. As long as the viewer in the browser is not ready, all that it is told waits, and rows
    count towards the byte limit of their recording. Whatever it is told reaches it in that order.

    Making one loads the widget the first time. To keep that off the event loop, or if
    ``RERUN_NOTEBOOK_ASSET`` is ``inline`` or ``serve-local``, await :meth:`loaded` before.

    Args:
        width: In pixels, or ``"auto"`` for that of the cell; by default see :func:`set_default_size`.
        height: In pixels, or ``"auto"`` for 9/16 of the width; by default see :func:`set_default_size`.
        url: What the viewer opens at its start: an ``.rrd`` file of a web server, or a server.
        blueprint: How the viewer lays the recording out, now and after a reset.
        recording: What it shows; by default the active recording.
        use_global_recording: Whether to take the active recording if none is given; by default only without
            a ``url``.
        theme: ``"dark"``, ``"light"`` or ``"system"``; by default what the viewer used last.

    Raises:
        ImportError: The extra ``notebook`` is not installed.
        ValueError: There is a blueprint and no recording; a size or the theme is wrong.
        RuntimeError: There is a recording and no running event loop: :mod:`aiorerun.sync` needs none.
    """

    def __init__(
        self,
        *,
        width: Size | None = None,
        height: Size | None = None,
        url: str | None = None,
        blueprint: BlueprintLike | None = None,
        recording: AsyncRecordingStream | None = None,
        use_global_recording: bool | None = None,
        theme: Theme | None = None,
    ) -> None:
        if recording is None and (url is None if use_global_recording is None else use_global_recording):
            recording = active.get()
        if recording is None and blueprint is not None:
            raise ValueError("Viewer: a blueprint needs a recording; call init() first, or pass recording=")
        super().__init__(width, height, url, theme)
        self._in_order = InOrder()
        self._loop = running_loop()
        self._tasks: set[asyncio.Future[Any]] = set()
        if recording is not None and recording._can_be_shown("Viewer"):
            job = recording._shown_blueprint("Viewer", blueprint)
            attached = recording._attach_soon(self, job)
            self._in_order.start(partial(asyncio.shield, attached))

    @staticmethod
    async def loaded() -> None:
        """Loads the widget in a thread; later viewers are made without delay.

        Raises:
            ImportError: The extra ``notebook`` is not installed.
            ValueError: ``RERUN_NOTEBOOK_ASSET`` is wrong.
        """
        await asyncio.to_thread(loading.load)

    async def add_recording(
        self, recording: AsyncRecordingStream | None = None, blueprint: BlueprintLike | None = None
    ) -> None:
        """Shows another recording, too; this viewer becomes its only sink.

        Recordings of one application without ids are one recording: pass ``recording_id`` to those that shall
        be seen side by side. It returns when what was logged before is on its way. Cancelling the call does
        not undo it.

        Args:
            recording: Which; by default the active one.
            blueprint: How the viewer lays it out, now and after a reset.

        Raises:
            ValueError: There is no recording.
            TypeError: The blueprint is none.
        """
        stream = active.get() if recording is None else recording
        if stream is None:
            raise ValueError("add_recording: no recording is active; call init() first, or pass recording=")
        job = stream._shown_blueprint("add_recording", blueprint)
        if stream._can_be_shown("add_recording"):
            attached = stream._attach_soon(self, job)
            await asyncio.shield(self._in_order.start(partial(asyncio.shield, attached)))

    def set_application_blueprint(
        self,
        application_id: str,
        blueprint: BlueprintLike,
        *,
        make_active: bool = True,
        make_default: bool = True,
    ) -> None:
        """Tells the viewer how to lay out the recordings of an application, whoever logs them.

        Args:
            application_id: Which application.
            blueprint: The layout; captured as it is now.
            make_active: Whether the viewer shows it now.
            make_default: Whether it shows it after a reset, and now if it has no other.

        Raises:
            TypeError: It is no blueprint.
            ValueError: It is a recording, or the application id is empty.
        """
        render = self._blueprint_bytes(application_id, blueprint, make_active, make_default)

        async def send() -> None:
            self._post_rrd(await asyncio.to_thread(render))

        self._in_order.start(send)

    async def send_table(self, id: str, table: Any) -> None:
        """Shows a table in the viewer. It is made into bytes in a thread; cancelling it may leave it out.

        Args:
            id: Its name; another table of this name replaces it.
            table: A record batch or a list of them, a table of pyarrow, or anything that offers Arrow's C
                interface, as frames of pandas, polars, DataFusion and DuckDB do.

        Raises:
            TypeError: It is no table.
            QueueFullError: Too much waits for a viewer that is not ready.
        """
        encode = self._table_encoder(id, table)

        async def send() -> None:
            self._post_table(await asyncio.to_thread(encode))

        await asyncio.shield(self._in_order.start(send))

    def display(self, block_until_ready: bool = False) -> Awaitable[None]:
        """Shows the viewer below the cell.

        Args:
            block_until_ready: Whether awaiting the result waits until the viewer is ready, at most ten
                seconds, after which there is a warning. In marimo it does not wait.

        Returns:
            Something to be awaited with ``block_until_ready``, and to be ignored without.
        """
        self._show()
        return until_ready(self) if block_until_ready else _Shown()

    def on_event(self, callback: Callable[[ViewerEvent], object]) -> None:
        """Has a function called for every event of the viewer: plays, pauses, times, selections.

        It is called on the event loop; a coroutine function runs in a task. What it raises is logged.

        Args:
            callback: Gets the event, such as a :class:`TimeUpdateEvent`.
        """
        self._callbacks.append(callback)

    def _tell_all(self, event: ViewerEvent) -> None:
        # JupyterLab may have the kernel take messages of widgets in a thread of their own.
        if self._loop is None or self._loop is running_loop():
            super()._tell_all(event)
        else:
            with contextlib.suppress(RuntimeError):  # The loop is closed.
                self._loop.call_soon_threadsafe(super()._tell_all, event)

    def _tell(self, callback: Callable[[ViewerEvent], object], event: ViewerEvent) -> object:
        result = super()._tell(callback, event)
        if inspect.isawaitable(result):
            task = asyncio.ensure_future(result)
            self._tasks.add(task)
            task.add_done_callback(self._on_told)
        return None

    def _on_told(self, task: asyncio.Future[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a callback for events of the viewer has failed", exc_info=error)

    def _post(self, content: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
        self._in_order.do(partial(self._outbox.post, content, buffers))


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs in this thread, if one does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class _Shown:
    """What :meth:`Viewer.display` gives if there is nothing to wait for; nothing is seen of it in a cell."""

    def __await__(self) -> Generator[Any, Any, None]:
        return
        yield

    def _ipython_display_(self) -> None:
        pass
