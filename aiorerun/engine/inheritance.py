"""What becomes of the sinks of a stream in a forked child."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiorerun.sinks.base import Sink

logger = logging.getLogger("aiorerun")


class Inheritance:
    """Sinks of the parent that the child attaches again when it first uses the stream.

    Only sinks with a method ``reopened`` are, see :class:`aiorerun.Sink`: processes cannot share a file.

    Args:
        recording_id: The recording, for messages.

    Attributes:
        sinks: The parent's sinks, until they are attached again or others replace them.
        reopening: The change of sinks that attaches them, while it is under way.
        bring_to_loop: Set by streams that run on a loop of their own: calls :meth:`Engine.reopen` there.
            Otherwise that happens where the stream is first used, if an event loop runs there.
    """

    def __init__(self, recording_id: str) -> None:
        self._recording_id = recording_id
        self.sinks: tuple[Sink, ...] = ()
        self.reopening: asyncio.Future[None] | None = None
        self.bring_to_loop: Callable[[], None] | None = None

    def take_over(self, sinks: Iterable[Sink]) -> None:
        """In the child: these are the sinks of the parent."""
        # A child of a child may never have used what it has inherited.
        self.sinks = tuple(sink for sink in sinks if hasattr(sink, "reopened")) or self.sinks
        self.reopening = None
        self.bring_to_loop = None

    def give_up(self) -> None:
        """There are other sinks now."""
        self.sinks = ()

    def take_reopened(self) -> list[Sink]:
        """Fresh sinks in place of the parent's, once; none if that fails, and the log says why."""
        inherited, self.sinks = self.sinks, ()
        try:
            return [sink.reopened() for sink in inherited]  # type: ignore[attr-defined]
        except Exception as error:
            self._tell(error)
            return []

    def follow(self, future: asyncio.Future[None]) -> None:
        """Notes the change of sinks that attaches them, and tells if it fails."""
        self.reopening = future
        future.add_done_callback(self._on_done)

    def use_first(self, reopen: Callable[[], None]) -> None:
        """The child has taken its first row: it gets its sinks, if there is a loop for them."""
        if self.bring_to_loop is not None:
            self.bring_to_loop()
            return
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        reopen()

    def _on_done(self, future: asyncio.Future[None]) -> None:
        if self.reopening is future:
            self.reopening = None
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self._tell(error)

    def _tell(self, error: BaseException) -> None:
        # The rows go on waiting for a sink.
        logger.error(
            "the sinks of %r were not opened again after the fork: %s: %s",
            self._recording_id,
            type(error).__name__,
            error,
        )
