"""What uvicorn does not tell applications, found out of its objects as far as they are in reach.

ASGI has no word for a server that is about to end: the event ``lifespan.shutdown`` comes when all answers are
over, which a stream that follows a recording never is by itself. And none for cutting off an answer whose
peer takes nothing. Where nothing is found, other means remain: the view's ``end_readers``, uvicorn's own
``timeout_graceful_shutdown``, and an exception in the middle of an answer.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def is_ending() -> bool:
    """Whether a server that takes the signals of this process has been told to end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        server = getattr(signal.getsignal(number), "__self__", None)
        if getattr(server, "should_exit", False) is True:
            return True
    return False


def abort_transport(send: Callable[..., Any]) -> bool:
    """Cuts the connection behind an ASGI ``send``; ``False`` if it cannot be found, as behind middlewares.

    Never for HTTP/2, where other answers share the connection; uvicorn has none.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    abort = getattr(transport, "abort", None)
    if not callable(abort):
        return False
    abort()
    return True
