"""The time in which a sink can take nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiorerun.sinks.base import Sink, SinkUnavailable

RETRY_SECS: Final = 0.5
"""How long a sink is left alone that cannot say when it can be tried again."""

PAUSE_SECS: Final = 0.02
"""At least so much time is between two tries, whatever the sink says."""

logger = logging.getLogger("aiorerun")


class Outage:
    """Whether a sink is unavailable: told once when that begins, and once when it has taken something again.

    Args:
        sink: The sink.

    Attributes:
        error: Why it is not tried just now.
        reason: Why rows are lost that still wait for it when it is closed; ``None`` if it is available.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._failed_at = 0.0
        self.error: SinkUnavailable | None = None
        self.reason: str | None = None

    def begin(self, error: SinkUnavailable) -> None:
        """The sink could take nothing, at first or again."""
        if self.reason is None:
            logger.warning("%r is unavailable, what is logged waits for it: %s", self._sink, error)
        self.error = error
        self.reason = f"sink unavailable: {str(error) or type(error).__name__}"
        self._failed_at = time.monotonic()

    async def wait(self) -> None:
        """Returns when the sink is to be tried again. Raises what its ``wait_available`` raises."""
        wait_available = getattr(self._sink, "wait_available", None)
        if wait_available is None:
            await asyncio.sleep(RETRY_SECS)
        else:
            await wait_available()
            # From now on flushes wait: there is hope.
            self.error = None
            pause = self._failed_at + PAUSE_SECS - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
        self.error = None

    async def wait_a_while(self) -> None:
        """Waits without asking the sink, for one that does not know when."""
        await asyncio.sleep(RETRY_SECS)
        self.error = None

    def end(self, *, is_told: bool) -> None:
        """The sink has taken something. That is told here, unless it is told with the rows it has lost."""
        self.error = self.reason = None
        if not is_told:
            logger.warning("%r takes data again", self._sink)
