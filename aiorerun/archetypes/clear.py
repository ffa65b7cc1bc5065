"""Clearing entities."""

from __future__ import annotations

from aiorerun.archetypes.recording import ClearFields


class Clear(ClearFields):
    """Takes back what was logged to an entity so far, or to everything below it too.

    Args:
        recursive: Whether everything below the entity is cleared as well.

    Example:
        await rec.log("world/boxes", rr.Clear(recursive=True))
    """

    __slots__ = ()

    def __init__(self, *, recursive: bool) -> None:
        self._take((type(recursive),), (recursive,))

    @staticmethod
    def flat() -> Clear:
        """Clears the entity alone."""
        return Clear(recursive=False)

    @staticmethod
    def recursive() -> Clear:
        """Clears the entity and everything below."""
        return Clear(recursive=True)
