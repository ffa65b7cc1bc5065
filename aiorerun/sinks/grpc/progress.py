"""What a sink knows and tells about its connection."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from aiorerun.sinks.grpc.backoff import STABLE_SECS
from aiorerun.sinks.grpc.changes import Changes
from aiorerun.sinks.grpc.errors import ServerStatusError
from aiorerun.sinks.grpc.state import ConnectionState, ConnectionStatus

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("aiorerun")


class Progress:
    """The state of a connection, through all the connections that are made one after the other.

    Each change is passed on to those who wait for one and, if the state is another, to the user's callback.
    The log gets one line when a connection is lost and one when there is one again that lasts.

    Args:
        name: The sink, for log lines.
        on_state: The user's callback.
        rows_unconfirmed: Rows that are kept at the moment.

    Attributes:
        changes: Whom to wait with.
        state: Where the connection stands.
        error: Why there is no connection, or was none.
        refusal: The last answer of the server, if it was an error.
        is_linked: Whether there is a connection, over which something may still have to be sent again.
        down_since: Since when there is none, in monotonic seconds. One that ends at once does not count.
    """

    def __init__(
        self,
        name: str,
        on_state: Callable[[ConnectionStatus], object] | None,
        rows_unconfirmed: Callable[[], int] = lambda: 0,
    ) -> None:
        self._name = name
        self._on_state = on_state
        self._rows_unconfirmed = rows_unconfirmed
        self.changes = Changes()
        self.state = ConnectionState.IDLE
        self.error: str | None = None
        self.refusal: ServerStatusError | None = None
        self.is_linked = False
        self.down_since = time.monotonic()
        self._linked_at = 0.0
        self._is_good = False
        self._has_told_loss = False
        self._replayed_at_loss = (0, 0)
        self.connections = 0
        self.attempts_failed = 0
        self.messages_replayed = 0
        self.rows_replayed = 0
        self.rows_lost = 0

    def status(self) -> ConnectionStatus:
        """All of it, as it is now."""
        return ConnectionStatus(
            state=self.state,
            error=self.error,
            connections=self.connections,
            attempts_failed=self.attempts_failed,
            messages_replayed=self.messages_replayed,
            rows_replayed=self.rows_replayed,
            rows_lost=self.rows_lost,
            rows_unconfirmed=self._rows_unconfirmed(),
        )

    def tell(self) -> None:
        """Wakes those who wait for a change."""
        self.changes.tell()

    def opened(self) -> None:
        """The sink was attached."""
        self.down_since = time.monotonic()
        self._enter(ConnectionState.CONNECTING)

    def moved(self) -> None:
        """The connection is left behind with its event loop; another one is made."""
        self.is_linked = False
        self.down_since = time.monotonic()
        self._enter(ConnectionState.CONNECTING)

    def linked(self) -> None:
        """There is a connection."""
        self.is_linked = True
        self.connections += 1
        self._linked_at = time.monotonic()
        self._is_good = False
        self.tell()

    def connected(self) -> None:
        """And all that was kept for the server was sent."""
        self.error = None
        self._enter(ConnectionState.CONNECTED)

    def confirmed(self) -> None:
        """The server has confirmed everything."""
        self._is_good = True
        self.tell_back()
        self.tell()

    def replayed(self, messages: int, rows: int) -> None:
        """Messages were sent again."""
        self.messages_replayed += messages
        self.rows_replayed += rows

    def unlinked(self) -> None:
        """The connection has ended."""
        now = time.monotonic()
        self.is_linked = False
        if self._is_good or now - self._linked_at >= STABLE_SECS:
            self.down_since = now
            self.refusal = None

    def failed(self, error: Exception, *, tells_outage: bool) -> None:
        """There is no connection, or none any more."""
        self.error = str(error) or type(error).__name__
        self.refusal = error if isinstance(error, ServerStatusError) else None
        self.attempts_failed += self.state is not ConnectionState.CONNECTED
        if self.state is ConnectionState.CONNECTED:
            self._tell_loss(f"{self._name}: the connection is lost, what it has taken is kept: {self.error}")
        elif tells_outage:
            self._tell_loss(f"{self._name}: no connection yet, what it takes is kept: {self.error}")
        if self.state in (ConnectionState.CONNECTED, ConnectionState.DISCONNECTED):
            self._enter(ConnectionState.DISCONNECTED)
        else:
            self.tell()

    def tell_back(self) -> None:
        """The connection lasts."""
        self.error = self.refusal = None
        if not self._has_told_loss:
            return
        self._has_told_loss = False
        messages, rows = self._replayed_at_loss
        logger.warning(
            "%s: connected again, %d rows in %d messages were sent once more",
            self._name, self.rows_replayed - rows, self.messages_replayed - messages,
        )  # fmt: skip

    def closed(self) -> None:
        """The sink was closed."""
        self.is_linked = False
        self._enter(ConnectionState.CLOSED)

    def _tell_loss(self, text: str) -> None:
        if not self._has_told_loss:
            self._has_told_loss = True
            self._replayed_at_loss = (self.messages_replayed, self.rows_replayed)
            logger.warning("%s", text)

    def _enter(self, state: ConnectionState) -> None:
        if state is not self.state:
            self.state = state
            if self._on_state is not None:
                try:
                    self._on_state(self.status())
                except Exception:
                    logger.exception("%s: the on_state callback failed", self._name)
        self.tell()
