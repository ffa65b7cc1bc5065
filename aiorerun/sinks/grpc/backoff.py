"""How long to wait before the next attempt to connect. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_SECS: Final = 0.1
"""The wait after the first failure, at most."""

LIMIT_SECS: Final = 5.0
"""The longest wait."""

REFUSED_SECS: Final = 30.0
"""The wait after a server has said that we may not write, at most: it will hardly change its mind."""

STABLE_SECS: Final = 1.0
"""A connection that lasts so long was a success: the next failure counts as the first again."""


class Backoff:
    """Waits that double from failure to failure, each somewhere between half of it and all of it.

    The chance keeps many clients of a server that was restarted from coming all at once.

    Args:
        random: Numbers from 0 up to 1.
        first: Seconds.
        limit: Seconds.
    """

    def __init__(
        self, random: Callable[[], float], *, first: float = FIRST_SECS, limit: float = LIMIT_SECS
    ) -> None:
        self._random = random
        self._first = first
        self._limit = limit
        self._step = first
        self._connected_at: float | None = None

    def connected(self, now: float) -> None:
        """A connection was made."""
        self._connected_at = now

    def delay(self, now: float, *, is_refused: bool = False) -> float:
        """An attempt failed, or the connection broke: seconds to wait before the next attempt.

        Args:
            now: Monotonic seconds.
            is_refused: The server has said that it will not have us.
        """
        connected_at, self._connected_at = self._connected_at, None
        if connected_at is not None and now - connected_at >= STABLE_SECS:
            self._step = self._first
        step = REFUSED_SECS if is_refused else self._step
        self._step = min(self._step * 2, self._limit)
        return step / 2 + step / 2 * self._random()
