"""Who may use the server: the token, and the addresses it may be bound to without one."""

from __future__ import annotations

import hmac
from typing import Final

from aiorerun.config import check_text
from aiorerun.net.hosts import is_loopback
from aiorerun.net.methods import auth_metadata
from aiorerun.server.rpc_error import Code, RpcError

_SCHEME: Final = "bearer"


class Authorization:
    """Compares what callers send in the header ``authorization`` with the token of the server.

    Args:
        token: The token; ``None`` lets everybody in.

    Raises:
        ValueError: The token cannot be sent in a header.
    """

    def __init__(self, token: str | None) -> None:
        # The same check that clients make, so that no token is set that nobody can send.
        self._expected = None if token is None else auth_metadata(token)["authorization"].split(" ", 1)[1]

    def __repr__(self) -> str:
        return f"Authorization({'none' if self._expected is None else 'token'})"

    @property
    def is_required(self) -> bool:
        """Whether callers need a token."""
        return self._expected is not None

    def check(self, header: str | None) -> None:
        """Checks a call by its header ``authorization``.

        Raises:
            RpcError: It holds no token, or another one.
        """
        if self._expected is None:
            return
        scheme, _, given = (header or "").partition(" ")
        is_right = hmac.compare_digest(given.strip().encode(), self._expected.encode())
        if not (is_right and scheme.lower() == _SCHEME):
            raise RpcError(
                Code.UNAUTHENTICATED, "this server needs a bearer token in the header authorization"
            )


def check_exposure(bind_ip: str, *, token: str | None, insecure: bool) -> None:
    """Makes sure that nobody opens a server to the network by accident.

    Raises:
        ValueError: Other machines could reach the server, and it has no token.
        TypeError: The address is no text.
    """
    check_text(bind_ip, "bind_ip", "an address such as '127.0.0.1'")
    if token is None and not insecure and not is_loopback(bind_ip):
        raise ValueError(
            f"bind_ip={bind_ip!r} lets other machines read and write what is logged: pass token=... to ask "
            "them for a token, or insecure=True to let everybody in"
        )
