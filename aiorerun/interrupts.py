"""What handlers of signals raise, wherever the main thread happens to be, in the middle of our tasks too."""

from __future__ import annotations

import asyncio
from typing import Final

INTERRUPTS: Final = (KeyboardInterrupt, SystemExit)
"""What ends an event loop, and the task that raises it."""


def pass_on(interrupt: BaseException) -> None:
    """Lets an interrupt end the running event loop, but not the task that it came into.

    Whoever shuts the loop down counts on that task: to finish a file, for instance.
    """
    asyncio.get_running_loop().call_soon(_raise, interrupt)


def _raise(interrupt: BaseException) -> None:
    raise interrupt
