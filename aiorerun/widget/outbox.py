"""What goes to the viewer in the browser, in order; held back until that is ready."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from aiorerun.errors import QueueFullError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MAX_WAITING_BYTES: Final = 64 << 20
"""Bytes of tables and blueprints that wait for the viewer; those of recordings count where they come from."""

MAX_WAITING_POSTS: Final = 10_000
"""So many messages wait for the viewer."""

logger = logging.getLogger("aiorerun")


class Send(Protocol):
    """How a widget is sent something."""

    def __call__(self, content: Mapping[str, Any], buffers: list[bytes] | None = None) -> object:
        """Sends a message with its buffers."""
        ...


class _Post(NamedTuple):
    content: Mapping[str, Any]
    buffers: Sequence[bytes]
    on_sent: Callable[[], None] | None


class Outbox:
    """Passes messages on in the order in which they come; from any thread.

    Args:
        send: Passes one on. It is called by one thread at a time, whichever has something to say.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        # A message may come while another is sent: from what that calls.
        self._lock = threading.RLock()
        self._waiting: list[_Post] = []
        self._waiting_bytes = 0
        self._is_open = False

    def __repr__(self) -> str:
        return f"Outbox({'open' if self._is_open else f'{len(self._waiting)} waiting'})"

    @property
    def is_open(self) -> bool:
        """Whether the viewer is ready."""
        return self._is_open

    def post(
        self,
        content: Mapping[str, Any],
        buffers: Sequence[bytes] = (),
        on_sent: Callable[[], None] | None = None,
    ) -> None:
        """Sends a message, or keeps it until the viewer is ready.

        Args:
            content: What becomes JSON.
            buffers: What goes beside it as it is.
            on_sent: Called when it is sent, by the thread that does it. Whoever passes it counts the bytes.

        Raises:
            QueueFullError: Too much waits for a viewer that is not ready.
        """
        with self._lock:
            if self._is_open:
                self._pass_on(_Post(content, buffers, on_sent))
                return
            if on_sent is None:
                self._count(sum(map(len, buffers)))
            self._waiting.append(_Post(content, buffers, on_sent))

    def open(self) -> None:
        """The viewer is ready: sends what has waited. Nothing the second time."""
        with self._lock:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                for post in waiting:
                    try:
                        self._pass_on(post)
                    except Exception:
                        # Whoever posted it is gone, and the others shall not suffer.
                        logger.exception("a message for the viewer could not be sent")
            self._is_open = True
            self._waiting_bytes = 0

    def _count(self, nbytes: int) -> None:
        if len(self._waiting) >= MAX_WAITING_POSTS or self._waiting_bytes + nbytes > MAX_WAITING_BYTES:
            raise QueueFullError(
                f"{len(self._waiting)} messages wait for a viewer that is not ready yet: display it, and "
                "wait for it with display(block_until_ready=True)"
            )
        self._waiting_bytes += nbytes

    def _pass_on(self, post: _Post) -> None:
        try:
            self._send(post.content, list(post.buffers) or None)
        finally:
            if post.on_sent is not None:
                post.on_sent()
