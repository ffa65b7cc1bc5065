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


def abort_transport(*callables: Callable[..., Any]) -> bool:
    """Cuts the connection behind ``receive`` or ``send`` of ASGI.

    Middlewares often wrap one of them only. ``False`` if neither leads to it. Never for HTTP/2, where other
    answers share the connection; uvicorn has none.
    """
    for each in callables:
        transport = getattr(getattr(each, "__self__", None), "transport", None)
        abort = getattr(transport, "abort", None)
        if callable(abort):
            abort()
            return True
    return False
