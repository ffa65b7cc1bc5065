"""Showing a recording in a notebook: the methods of the blocking recording stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from aiorerun.showing import BaseShowing
from aiorerun.sync.importing import Importing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiorerun.blueprint_sending import BlueprintLike
    from aiorerun.widget.base import BaseViewer, Size

T = TypeVar("T")


class Showing(BaseShowing, Importing):
    """The methods of the blocking recording stream that show it in notebooks."""

    if TYPE_CHECKING:

        def _call(self, function: Callable[..., Awaitable[T]], *args: Any) -> T: ...

    def notebook_show(
        self,
        *,
        width: Size | None = None,
        height: Size | None = None,
        blueprint: BlueprintLike | None = None,
    ) -> None:
        """Shows the recording below the cell, in a viewer that takes the place of its sinks.

        It returns when the viewer is ready, or, with a warning, after ten seconds; see
        :meth:`aiorerun.AsyncRecordingStream.notebook_show`.

        Raises:
            ImportError: The extra ``notebook`` is not installed.
            TypeError: The blueprint is none.
            ValueError: A size is out of range, or ``RERUN_NOTEBOOK_ASSET`` is wrong.
        """
        from aiorerun.widget.base import BaseViewer
        from aiorerun.widget.ready import until_ready_blocking

        job = self._shown_blueprint("notebook_show", blueprint)
        if not self._can_be_shown("notebook_show"):
            return
        viewer = BaseViewer(width, height, None, None)
        self._call(self._lead_to, viewer, job)
        viewer._show()
        until_ready_blocking(viewer)

    def legacy_notebook_show(
        self,
        *,
        width: int = 950,
        height: int = 712,
        app_url: str | None = None,
        timeout_ms: int = 2000,
        blueprint: BlueprintLike | None = None,
    ) -> Any:
        """The recording so far as a piece of HTML that holds all of it, for notebooks without widgets.

        The sinks stay as they are; see :meth:`aiorerun.AsyncRecordingStream.legacy_notebook_show`.

        Raises:
            TypeError, ValueError: A size, the timeout, the URL or the blueprint is wrong.
        """
        job = self._shown_blueprint("legacy_notebook_show", blueprint)
        return self._call(self._page, width, height, app_url, timeout_ms, job)

    def _show_in(self, context: str, viewer: BaseViewer, blueprint: BlueprintLike | None) -> None:
        """Makes a viewer the only sink."""
        job = self._shown_blueprint(context, blueprint)
        if self._can_be_shown(context):
            self._call(self._lead_to, viewer, job)

    def _viewer_bundle(self) -> Any:
        from aiorerun.widget.base import BaseViewer

        viewer = BaseViewer(None, None, None, None)
        self._call(self._lead_to, viewer, None)
        return viewer._mime_bundle()
