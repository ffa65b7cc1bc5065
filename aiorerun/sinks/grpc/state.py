"""What is known about the connection of a sink."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ConnectionState(Enum):
    """Where the connection of a sink stands."""

    IDLE = "idle"
    """The sink is not attached yet."""
    CONNECTING = "connecting"
    """It is attached and has not reached its server yet."""
    CONNECTED = "connected"
    """The server is there, and has been sent what was kept for it."""
    DISCONNECTED = "disconnected"
    """The connection was lost; the sink tries again until it is closed."""
    CLOSED = "closed"
    """The sink was closed."""


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """The state of the connection with what led to it.

    Attributes:
        state: Where it stands.
        error: Why the last attempt failed or the connection was lost; ``None`` if neither has happened
            since the last success.
        connections: Connections made so far.
        attempts_failed: Attempts to connect that failed so far.
        messages_replayed: Messages that were sent once more, on new connections.
        rows_replayed: Rows in them.
        rows_lost: Rows that were counted as written and are lost after all, for certain or possibly.
        rows_unconfirmed: Rows that are kept until the server confirms them.
    """

    state: ConnectionState = ConnectionState.IDLE
    error: str | None = None
    connections: int = 0
    attempts_failed: int = 0
    messages_replayed: int = 0
    rows_replayed: int = 0
    rows_lost: int = 0
    rows_unconfirmed: int = 0
