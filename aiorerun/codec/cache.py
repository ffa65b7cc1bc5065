"""A bounded cache that forgets what was not used for long."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class GenerationCache(Generic[K, V]):
    """Remembers the values used last: at least ``size`` of them, at most twice as many.

    Looking up costs one dictionary access. Values move to the new generation when they are used; when
    that is full, it becomes the old one, and what nobody used since the last time is forgotten. Threads
    that use it at once may at worst compute a value twice.
    """

    __slots__ = ("_new", "_old", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._new: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._new | self._old)

    def get(self, key: K) -> V | None:
        """The value put under this key, if it is remembered."""
        value = self._new.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Remembers a value."""
        if len(self._new) >= self._size:
            self._old, self._new = self._new, {}
        self._new[key] = value
