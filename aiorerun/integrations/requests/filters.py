"""Which requests are recorded: filters of paths, and sampling."""

from __future__ import annotations

import fnmatch
import random
import re
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Sample: TypeAlias = "float | Callable[[Any], float]"
"""The share of requests that are recorded, from 0 to 1, or what tells it for one of them."""


class UrlFilter:
    """Which paths are looked at.

    Args:
        include: Patterns as in a shell, such as ``"/api/*"``, where ``*`` stands for slashes, too; none
            at all means all paths.
        exclude: Patterns of paths that are left out, even if they are included.

    Attributes:
        lets_all_through: Whether there is nothing to look at.

    Raises:
        TypeError: A text where there should be several.
    """

    __slots__ = ("_exclude", "_include", "lets_all_through")

    def __init__(self, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> None:
        self._include = _pattern("include", include)
        self._exclude = _pattern("exclude", exclude)
        self.lets_all_through = self._include is None and self._exclude is None

    def __call__(self, path: str) -> bool:
        """Whether requests of this path are looked at."""
        if self._exclude is not None and self._exclude.match(path):
            return False
        return self._include is None or self._include.match(path) is not None


class RequestSampler:
    """Which requests get a row.

    Args:
        sample: The share of them, from 0 to 1; or a function that gets what the server tells of a request
            (the ASGI scope, or aiohttp's request) and returns the share for requests like this.

    Attributes:
        takes_all: Whether there is nothing to decide.

    Raises:
        ValueError: A share outside this range.
    """

    __slots__ = ("_share", "takes_all")

    def __init__(self, sample: Sample = 1.0) -> None:
        if not callable(sample) and not 0 <= sample <= 1:
            raise ValueError(f"sample must be from 0 to 1, got {sample!r}; 0.1 records one request in ten")
        self._share = sample
        self.takes_all = sample == 1

    def __call__(self, request: Any) -> bool:
        """Whether this one gets a row."""
        share = self._share(request) if callable(self._share) else self._share
        return share >= 1 or random.random() < share  # noqa: S311 - no secret depends on it


def _pattern(argument: str, patterns: Iterable[str]) -> re.Pattern[str] | None:
    if isinstance(patterns, str):
        raise TypeError(f"{argument} must hold patterns, got a single text: pass [{patterns!r}]")
    translated = [fnmatch.translate(pattern) for pattern in patterns]
    return re.compile("|".join(translated)) if translated else None
