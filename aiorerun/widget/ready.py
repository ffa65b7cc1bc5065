"""Waiting for a viewer to be ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun.widget.base import READY_SECS, warn_not_ready
from aiorerun.widget.kernel import in_marimo, wait_until, wait_until_blocking

if TYPE_CHECKING:
    from aiorerun.widget.base import BaseViewer


async def until_ready(viewer: BaseViewer) -> None:
    """Waits for it, at most :data:`aiorerun.widget.base.READY_SECS`; then there is a warning.

    In marimo it does not wait: messages of the browser come between cells there.
    """
    if not in_marimo() and not await wait_until(lambda: viewer.is_ready, READY_SECS):
        warn_not_ready()


def until_ready_blocking(viewer: BaseViewer) -> None:
    """Like :func:`until_ready`, in plain code."""
    if not in_marimo() and not wait_until_blocking(lambda: viewer.is_ready, READY_SECS):
        warn_not_ready()
