"""Viewers in notebooks, for plain code: ``viewer = rr.notebook.Viewer()``.

Needs the extra ``notebook``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.sync.showing_api import legacy_notebook_show, notebook_show
from aiorerun.sync.stream import active
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
from aiorerun.widget.ready import until_ready_blocking

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiorerun.blueprint_sending import BlueprintLike
    from aiorerun.sync.stream import RecordingStream
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

    See :class:`aiorerun.notebook.Viewer`.

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
    """

    def __init__(
        self,
        *,
        width: Size | None = None,
        height: Size | None = None,
        url: str | None = None,
        blueprint: BlueprintLike | None = None,
        recording: RecordingStream | None = None,
        use_global_recording: bool | None = None,
        theme: Theme | None = None,
    ) -> None:
        if recording is None and (url is None if use_global_recording is None else use_global_recording):
            recording = active.get()
        if recording is None and blueprint is not None:
            raise ValueError("Viewer: a blueprint needs a recording; call init() first, or pass recording=")
        super().__init__(width, height, url, theme)
        if recording is not None:
            recording._show_in("Viewer", self, blueprint)

    def add_recording(
        self, recording: RecordingStream | None = None, blueprint: BlueprintLike | None = None
    ) -> None:
        """Shows another recording, too; this viewer becomes its only sink.

        Recordings of one application without ids are one recording: pass ``recording_id`` to those that shall
        be seen side by side.

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
        stream._show_in("add_recording", self, blueprint)

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
            blueprint: The layout.
            make_active: Whether the viewer shows it now.
            make_default: Whether it shows it after a reset, and now if it has no other.

        Raises:
            TypeError: It is no blueprint.
            ValueError: It is a recording, or the application id is empty.
        """
        render = self._blueprint_bytes(application_id, blueprint, make_active, make_default)
        self._post_rrd(render())

    def send_table(self, id: str, table: Any) -> None:
        """Shows a table in the viewer.

        Args:
            id: Its name; another table of this name replaces it.
            table: A record batch or a list of them, a table of pyarrow, or anything that offers Arrow's C
                interface, as frames of pandas, polars, DataFusion and DuckDB do.

        Raises:
            TypeError: It is no table.
            QueueFullError: Too much waits for a viewer that is not ready.
        """
        self._post_table(self._table_encoder(id, table)())

    def display(self, block_until_ready: bool = False) -> None:
        """Shows the viewer below the cell.

        Args:
            block_until_ready: Whether to wait until the viewer is ready, at most ten seconds, after which
                there is a warning. In marimo it does not wait.
        """
        self._show()
        if block_until_ready:
            until_ready_blocking(self)

    def on_event(self, callback: Callable[[ViewerEvent], object]) -> None:
        """Has a function called for every event of the viewer: plays, pauses, times, selections.

        It is called by the thread that takes messages of the browser: that which runs cells, between them, or
        one of its own, also while a cell runs. What it raises is logged.

        Args:
            callback: Gets the event, such as a :class:`TimeUpdateEvent`.
        """
        self._callbacks.append(callback)
