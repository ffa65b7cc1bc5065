"""The sink of a live view: what is logged meets its readers there."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, cast

from aiorerun.config import ChunkBatcherConfig
from aiorerun.errors import SinkOpenError
from aiorerun.net.memory_limit import parse_memory_limit
from aiorerun.stream_base import streams

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from aiorerun.codec.messages import Message
    from aiorerun.server.hub import Hub
    from aiorerun.sinks.base import SinkContext
    from aiorerun.stream import AsyncRecordingStream
    from aiorerun.sync.stream import RecordingStream


class LiveViewSink:
    """Keeps what is logged for the readers of a live view, and passes on to them what comes.

    A reader that does not keep up is closed at once when it is too far behind: nobody ever waits for one.

    Args:
        server_memory_limit: What may be kept for readers that come later, such as ``"25%"`` or ``"4GB"``.
        newest_first: Send what is kept with the newest first.

    Raises:
        BadMemoryLimitError: The limit is none.

    Attributes:
        hub: Where messages meet; ``None`` unless the sink is attached to a recording.
        loop: The event loop that the hub belongs to, which is that of the recording.
    """

    def __init__(self, *, server_memory_limit: str = "25%", newest_first: bool = False) -> None:
        self._limit = parse_memory_limit(server_memory_limit)
        self._newest_first = newest_first
        self.default_batcher_config = ChunkBatcherConfig.LOW_LATENCY()
        self.hub: Hub | None = None
        self.loop: asyncio.AbstractEventLoop | None = None

    @property
    def recording(self) -> AsyncRecordingStream | RecordingStream | None:
        """The recording that the sink is attached to, if it is in use."""
        # There are these two kinds.
        all_streams = cast("list[AsyncRecordingStream | RecordingStream]", list(streams))
        for each in all_streams:
            if any(runner.sink is self for runner in list(each._engine.conveyor.sinks.runners)):
                return each
        return None

    def __repr__(self) -> str:
        return f"LiveViewSink({'attached' if self.hub is not None else 'not attached'})"

    async def open(self, context: SinkContext) -> None:
        """Gets ready.

        Raises:
            SinkOpenError: The sink is attached to another recording.
        """
        if self.hub is not None:
            raise SinkOpenError(errno.EBUSY, "the live view shows another recording: make another one")
        parts = await asyncio.to_thread(load)
        history = parts.ReplayBuffer(self._limit, newest_first=self._newest_first)
        self.loop = asyncio.get_running_loop()
        self.hub = parts.Hub(history, stall_secs=0.0)

    async def write(self, messages: Sequence[Message]) -> None:
        """Passes messages to the readers. Cancelling it takes none of them.

        Raises:
            MessageTooLargeError: One has more than 2 GiB.
        """
        # Loaded by now, with the hub.
        from aiorerun.server.bodies import entry_of_message

        assert self.hub is not None
        await self.hub.publish([entry_of_message(message) for message in messages])

    async def flush(self) -> None:
        """Nothing to do: what was written is there. Readers are not waited for."""

    async def aclose(self) -> None:
        """Ends the readers, when they have taken what is there, and forgets what was kept."""
        hub, self.hub = self.hub, None
        self.loop = None
        if hub is not None:
            hub.close()
            await hub.wait_closed()


def load() -> ModuleType:
    """What a live view is made of. Blocking: the modules take a while to load."""
    from aiorerun.integrations.live_view import parts

    return parts
