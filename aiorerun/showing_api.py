"""The module-level functions of the asyncio API that show recordings in notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiorerun.api import _face

if TYPE_CHECKING:
    from aiorerun.blueprint_sending import BlueprintLike
    from aiorerun.stream import AsyncRecordingStream
    from aiorerun.widget.base import Size


async def notebook_show(
    *,
    width: Size | None = None,
    height: Size | None = None,
    blueprint: BlueprintLike | None = None,
    recording: AsyncRecordingStream | None = None,
) -> None:
    """Shows the active recording below the cell; see :meth:`AsyncRecordingStream.notebook_show`."""
    stream = _face.choose_for_sink("notebook_show", recording)
    if stream is not None:
        await stream.notebook_show(width=width, height=height, blueprint=blueprint)


async def legacy_notebook_show(
    *,
    width: int = 950,
    height: int = 712,
    app_url: str | None = None,
    timeout_ms: int = 2000,
    blueprint: BlueprintLike | None = None,
    recording: AsyncRecordingStream | None = None,
) -> Any:
    """The active recording as HTML that holds it; see :meth:`AsyncRecordingStream.legacy_notebook_show`.

    Raises:
        ValueError: No recording is active.
    """
    stream = _face.choose(recording)
    if stream is None:
        raise ValueError("legacy_notebook_show: no recording is active; call init(), or pass recording=")
    return await stream.legacy_notebook_show(
        width=width, height=height, app_url=app_url, timeout_ms=timeout_ms, blueprint=blueprint
    )
