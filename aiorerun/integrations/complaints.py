"""Errors of our own in what observes others: told once, and kept from those."""

from __future__ import annotations

import logging

logger = logging.getLogger("aiorerun")


class Complaints:
    """Logs the first error, with its traceback; more of them would only repeat it.

    Args:
        text: What it means.
    """

    __slots__ = ("_has_begun", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._has_begun = False

    def __call__(self, error: Exception) -> None:
        """Complains of an error."""
        if not self._has_begun:
            self._has_begun = True
            logger.error(self._text, exc_info=error)
