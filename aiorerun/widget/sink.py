"""The sink that sends a recording to the viewer in a notebook."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING, Final

from aiorerun.errors import SinkOpenError
from aiorerun.sinks.memory import encode_stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.sinks.base import SinkContext
    from aiorerun.widget.outbox import Outbox

RRD: Final = {"type": "rrd"}
"""The message beside the bytes of a recording."""

MIN_GAP_SECS: Final = 0.005
"""Between two messages: Jupyter's server drops what comes more often than a thousand times a second."""

_QUICK_BYTES: Final = 256 << 10
"""So little is joined on the event loop; more in the worker."""


class NotebookSink:
    """Sends each batch as an RRD stream of its own, from header to end.

    As long as the viewer is not ready the batches wait, and count towards the byte limit of the recording.

    Args:
        outbox: The way to the viewer.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._context: SinkContext | None = None
        self._lock = threading.Lock()
        self._held = 0
        self._next_at = 0.0

    def __eq__(self, other: object) -> bool:
        # The same viewer is the same place.
        return isinstance(other, NotebookSink) and other._outbox is self._outbox

    def __hash__(self) -> int:
        return hash(id(self._outbox))

    def __repr__(self) -> str:
        return f"NotebookSink({self._outbox!r})"

    async def open(self, context: SinkContext) -> None:
        """Gets ready.

        Raises:
            SinkOpenError: Another recording writes to it.
        """
        if self._context is not None:
            raise SinkOpenError(None, "the sink is in use by another recording: take a new one of the viewer")
        self._context = context

    async def write(self, messages: Sequence[Message]) -> None:
        """Sends them, or has them wait."""
        context = self._context
        assert context is not None
        encode = partial(encode_stream, messages)
        quick = sum(message.nbytes for message in messages) <= _QUICK_BYTES
        data = encode() if quick else await context.run_blocking(encode)
        loop = asyncio.get_running_loop()
        pause = self._next_at - loop.time()
        if pause > 0:
            await asyncio.sleep(pause)
        self._hold(context, len(data))
        self._outbox.post(RRD, [data], partial(self._hold, context, -len(data)))
        self._next_at = loop.time() + MIN_GAP_SECS

    async def flush(self) -> None:
        """Nothing to do: what was written is sent, or waits for the viewer."""

    async def aclose(self) -> None:
        """No more will come. What waits still reaches the viewer, and burdens the recording no longer."""
        with self._lock:
            context, self._context = self._context, None
            held, self._held = self._held, 0
        if context is not None:
            context.hold_bytes(-held)

    def _hold(self, context: SinkContext, nbytes: int) -> None:
        with self._lock:
            if self._context is not context:
                return
            self._held += nbytes
        context.hold_bytes(nbytes)
