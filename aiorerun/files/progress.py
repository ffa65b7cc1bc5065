"""How far work on files is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

OnProgress: TypeAlias = Callable[[int, int], object]
"""Is told how many bytes were worked through, and how many there are."""


def ignore(done: int, total: int) -> None:
    """Tells nobody."""


class Stage:
    """One of several passes over a file, as a part of the whole.

    Args:
        tell: Who is told.
        before: Bytes that were worked through before this pass.
        total: Bytes of all passes.
    """

    __slots__ = ("_before", "_tell", "_total")

    def __init__(self, tell: OnProgress, before: int, total: int) -> None:
        self._tell = tell
        self._before = before
        self._total = total

    def __call__(self, done: int) -> None:
        """Is told how many bytes of this pass are done."""
        self._tell(self._before + done, self._total)
