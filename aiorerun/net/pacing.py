"""Sending to peers on the same machine without pacing."""

from __future__ import annotations

import contextlib
import socket
from typing import Any, Final

from aiorerun.net.hosts import is_loopback

_ALGORITHM: Final = getattr(socket, "TCP_CONGESTION", None)
"""The option that names the congestion control of a connection; Linux and FreeBSD have it."""

_NAME_BYTES: Final = 16
_PACES: Final = b"bbr"
"""BBR, in all its versions, spreads what is sent over time."""

_PLAIN: Final = b"reno"
"""Every Linux has it, and every user may choose it."""


def stop_pacing(transport: Any) -> None:
    """Has a connection to the same machine send what it is given at once, where the system would pace it.

    Between networks pacing keeps queues short. Within one machine there are none, and a timer for every
    64 KiB takes up to a tenth of all the time that sending does. Other connections stay as the system has
    them.
    """
    sock, peer = transport.get_extra_info("socket"), transport.get_extra_info("peername")
    if sock is not None and isinstance(peer, tuple) and is_loopback(peer[0]):
        unpace(sock)


def unpace(sock: Any) -> None:
    """Has a socket send what it is given at once, if the system would pace it."""
    if _ALGORITHM is None:
        return
    # Systems may refuse it, and event loops may have sockets that are none.
    with contextlib.suppress(OSError, AttributeError, NotImplementedError):
        if sock.getsockopt(socket.IPPROTO_TCP, _ALGORITHM, _NAME_BYTES).startswith(_PACES):
            sock.setsockopt(socket.IPPROTO_TCP, _ALGORITHM, _PLAIN)
