"""A progress bar for directories that take a while: on terminals, with the extra ``progress``."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

DELAY_SECS: Final = 1.0
"""What is done before gets no bar."""


class Progress:
    """Shows on standard error how many files were imported.

    Nothing is shown where standard error is no terminal, or without ``tqdm``, whose own environment
    variables, such as ``TQDM_DISABLE=1``, count.

    Args:
        total: How many there are.
        name: Of what.
    """

    def __init__(self, total: int, name: str) -> None:
        self._total = total
        self._name = name
        self._bar: Any = None

    async def __aenter__(self) -> Self:
        # A terminal may hold up whoever writes to it.
        self._bar = await asyncio.to_thread(_new_bar, self._total, self._name)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            await asyncio.to_thread(self._bar.close)

    async def step(self) -> None:
        """One more is done."""
        if self._bar is not None:
            await asyncio.to_thread(self._bar.update)


def _new_bar(total: int, name: str) -> Any:
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None

    class Bar(tqdm):  # type: ignore[misc]
        # It needs no thread that watches it.
        monitor_interval = 0

    return Bar(total=total, desc=name, unit="file", delay=DELAY_SECS, file=sys.stderr)
