"""Showing recordings in notebooks: what both streams share, and the methods of the asyncio one."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from aiorerun.importing import AsyncImporting, BaseImporting
from aiorerun.live import BaseLive
from aiorerun.pipeline.capture import CLOSED, DISABLED
from aiorerun.stream_base import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from aiorerun.blueprint_sending import BlueprintJob, BlueprintLike
    from aiorerun.codec.messages import Message
    from aiorerun.widget.base import BaseViewer, Size

FLUSH_SECS: Final = 5.0
"""How long a viewer is kept waiting for what was logged before it."""


class BaseShowing(BaseImporting, BaseLive):
    """What both recording streams need to be shown in notebooks."""

    def _shown_blueprint(self, context: str, blueprint: BlueprintLike | None) -> BlueprintJob | None:
        """A blueprint as it is now, which becomes the active and the default one."""
        if blueprint is None:
            return None
        from aiorerun.blueprint_sending import capture

        application_id = self._store.application_id
        return capture(
            f"{context}: blueprint", blueprint, application_id, make_active=True, make_default=True
        )

    def _can_be_shown(self, context: str) -> bool:
        if self._capture.gate == CLOSED:
            self._report_closed(None, context)
        elif self._capture.gate == DISABLED:
            logger.warning("%r is disabled; the call of %s is ignored", self, context)
        return self._capture.gate not in (CLOSED, DISABLED)

    async def _lead_to(self, viewer: BaseViewer, blueprint: BlueprintJob | None) -> None:
        """Makes a viewer the only sink, and hands over what was logged before."""
        await self._replace_sinks((viewer.sink,), blueprint)
        await self._flush_sinks(FLUSH_SECS)

    # --- the page that holds a recording -------------------------------------------------------

    async def _page(
        self, width: int, height: int, app_url: str | None, timeout_ms: int, blueprint: BlueprintJob | None
    ) -> Any:
        """See :meth:`aiorerun.AsyncRecordingStream.legacy_notebook_show`."""
        import base64

        from aiorerun import web_viewer
        from aiorerun.widget.page import APP_URL, checked_options, render_page

        url = (web_viewer.app_url() or APP_URL) if app_url is None else app_url
        checked_options(width, height, url, timeout_ms)
        contents: list[Callable[[], bytes]] = []

        async def copy() -> None:
            contents.append(await self._copy_of_all(blueprint))

        await self._on_engine_loop(copy())

        def render() -> Any:
            data = base64.b64encode(b"".join(content() for content in contents)).decode()
            return as_html(render_page(data, width=width, height=height, app_url=url, timeout_ms=timeout_ms))

        return await asyncio.to_thread(render)

    async def _copy_of_all(self, blueprint: BlueprintJob | None) -> Callable[[], bytes]:
        """What reads all that was logged, as far as sinks keep it; the sinks stay what they are."""
        from aiorerun.sinks.file import FileSink
        from aiorerun.sinks.memory import MemorySink

        if not self._attached():
            # It keeps everything for the next sink, as the buffer does that it replaces.
            await self._replace_sinks((MemorySink(),))
        await self._flush_sinks(1e38)
        path: Path | None = None
        for attached in self._attached():
            sink = getattr(attached, "sink", attached)
            if hasattr(sink, "copy_messages"):
                return partial(_encoded, blueprint, sink.copy_messages())
            if isinstance(sink, FileSink):
                path = path or sink.path
        if path is None and self.is_enabled():
            logger.warning(
                "legacy_notebook_show: no sink of %r keeps what it got, so there is nothing to show; log to "
                "memory or to a file beside it",
                self,
            )
        return partial(_encoded, blueprint, (), path)

    # --- the end of a cell ---------------------------------------------------------------------

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **options: Any) -> Any:
        """What Jupyter shows at the end of a cell: a viewer, as ``notebook_show`` does.

        A recording that has sinks keeps them, and is described.
        """
        from aiorerun.widget.kernel import running_kernel

        if running_kernel() is None:
            return {"text/plain": repr(self)}
        if self.is_enabled() and self._capture.gate != CLOSED and not self._engine.has_sinks:
            try:
                shown = self._viewer_bundle()
            except ImportError as error:
                return {"text/plain": repr(self), "text/html": self._description(str(error))}
            data, *rest = shown if isinstance(shown, tuple) else (shown,)
            return ({**data, "text/plain": repr(self)}, *rest) if rest else {**data, "text/plain": repr(self)}
        return {"text/plain": repr(self), "text/html": self._description()}

    def _viewer_bundle(self) -> Any:
        """A new viewer that the recording leads to, as Jupyter's front ends know it."""
        raise NotImplementedError

    def _description(self, note: str = "") -> str:
        import html

        stats = self.stats()
        sinks = ", ".join(sink.name for sink in stats.sinks) or "a buffer"
        lines = [
            ("recording", self._store.recording_id),
            ("application", self._store.application_id),
            ("rows", f"{stats.rows_accepted}, {stats.rows_dropped + stats.rows_refused} of them lost"),
            ("goes to", sinks if self.is_enabled() else "nowhere: it is disabled"),
            *([("note", note)] if note else []),
        ]
        rows = "".join(f"<tr><th>{name}</th><td>{html.escape(text)}</td></tr>" for name, text in lines)
        return f"<table>{rows}</table>"


class AsyncShowing(BaseShowing, AsyncImporting):
    """The methods of :class:`aiorerun.AsyncRecordingStream` that show it in notebooks."""

    async def notebook_show(
        self,
        *,
        width: Size | None = None,
        height: Size | None = None,
        blueprint: BlueprintLike | None = None,
    ) -> None:
        """Shows the recording below the cell, in a viewer that takes the place of its sinks.

        What was logged before is handed over, and what is logged later shows up at once. It returns when the
        viewer is ready, or, with a warning, after ten seconds: what is logged waits for the viewer then. In
        marimo it does not wait, since there nothing reaches a viewer before the cell has ended. Cancelling
        the call leaves the viewer where it is.

        Needs the extra ``notebook``. For more than this, such as several recordings in one viewer or a file
        beside it, see :class:`aiorerun.notebook.Viewer`.

        Args:
            width: In pixels, or ``"auto"``; by default 640.
            height: In pixels, or ``"auto"``; by default 480.
            blueprint: How the viewer lays it out, now and after a reset.

        Raises:
            ImportError: The extra is not installed.
            TypeError: The blueprint is none.
            ValueError: A size is out of range, or ``RERUN_NOTEBOOK_ASSET`` is wrong.
        """
        from aiorerun.widget import loading
        from aiorerun.widget.base import BaseViewer
        from aiorerun.widget.ready import until_ready

        job = self._shown_blueprint("notebook_show", blueprint)
        if not self._can_be_shown("notebook_show"):
            return
        if not loading.is_loaded():
            await asyncio.to_thread(loading.load)
        viewer = BaseViewer(width, height, None, None)
        await self._lead_to(viewer, job)
        viewer._show()
        await until_ready(viewer)

    async def legacy_notebook_show(
        self,
        *,
        width: int = 950,
        height: int = 712,
        app_url: str | None = None,
        timeout_ms: int = 2000,
        blueprint: BlueprintLike | None = None,
    ) -> Any:
        """The recording so far as a piece of HTML that holds all of it, for notebooks without widgets.

        The viewer comes from the web into a frame, and gets the recording from the page. The sinks stay as
        they are: what is shown is a copy of what a memory sink, a binary stream or a file has. Without any
        sink it is what the start buffer holds, and goes on holding. Cancelling the call changes nothing.

        Args:
            width: In pixels.
            height: In pixels.
            app_url: The page of the viewer; by default that of
                :func:`aiorerun.start_web_viewer_server`, if it was called, else ``https://app.rerun.io``.
            timeout_ms: Milliseconds after which the page says that the viewer did not load.
            blueprint: How the viewer lays it out, now and after a reset.

        Returns:
            An ``IPython.display.HTML``; without IPython a ``str``, with a warning in the log.

        Raises:
            TypeError, ValueError: A size, the timeout, the URL or the blueprint is wrong.
        """
        job = self._shown_blueprint("legacy_notebook_show", blueprint)
        return await self._page(width, height, app_url, timeout_ms, job)

    def _viewer_bundle(self) -> Any:
        from aiorerun.widget.base import BaseViewer

        viewer = BaseViewer(None, None, None, None)
        self._attach_soon(viewer, None)
        return viewer._mime_bundle()

    def _attach_soon(self, viewer: BaseViewer, blueprint: BlueprintJob | None) -> asyncio.Future[None]:
        """Makes a viewer the only sink without waiting; the stream is cut here and now.

        Returns:
            Done when what was logged before is with the viewer, too.

        Raises:
            RuntimeError: There is no running event loop.
        """
        loop = asyncio.get_running_loop()
        switched: asyncio.Future[None] | None = None
        if self._forced_path is None and self._engine.loop in (None, loop):
            switched = self._begin_switch((viewer.sink,), blueprint)

        async def attach() -> None:
            if switched is None:
                await self._replace_sinks((viewer.sink,), blueprint)
            else:
                await asyncio.shield(switched)
            await self._flush_sinks(FLUSH_SECS)

        task = loop.create_task(attach(), name="aiorerun-attach-viewer")
        task.add_done_callback(self._log_failed_change)
        return task


def as_html(text: str) -> Any:
    """What a cell shows as HTML; without IPython the text, with a warning."""
    try:
        from IPython.display import HTML
    except ImportError:
        logger.warning("IPython is not installed: the page is given as a str")
        return text
    return HTML(text)  # type: ignore[no-untyped-call]


def _encoded(blueprint: BlueprintJob | None, messages: Sequence[Message], path: Path | None = None) -> bytes:
    """A blueprint and what follows it, as RRD; blocks."""
    from aiorerun.sinks.memory import encode_stream

    first = [] if blueprint is None else blueprint()
    if path is None:
        return encode_stream([*first, *messages])
    # Viewers read streams that follow each other.
    return (encode_stream(first) if first else b"") + path.read_bytes()
