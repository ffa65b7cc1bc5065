"""Tells HTTP/2 from HTTP/1.1 by the first bytes of a connection."""

from __future__ import annotations

from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What every HTTP/2 client sends first."""

# The first bytes of requests; anything else is neither.
_METHODS: Final = (
    b"GET ",
    b"HEAD ",
    b"POST ",
    b"PUT ",
    b"DELETE ",
    b"OPTIONS ",
    b"PATCH ",
    b"TRACE ",
    b"CONNECT ",
)


def is_http2(data: bytes) -> bool | None:
    """Whether a connection that begins with these bytes is one of HTTP/2.

    Returns:
        ``None`` if there are too few of them to say.

    Raises:
        ValueError: It is neither HTTP/2 nor HTTP/1.1.
    """
    if data.startswith(PREFACE):
        return True
    if data.startswith(_METHODS):
        return False
    if PREFACE.startswith(data) or any(method.startswith(data) for method in _METHODS):
        return None
    raise ValueError("a connection begins with neither HTTP/2 nor HTTP/1.1")
