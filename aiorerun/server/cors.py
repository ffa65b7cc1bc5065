"""Which web pages may use the server.

Browsers let a page read what another origin answers only if the answer names the page's origin. Page and
server have different ports, so every web viewer depends on it. Besides, requests that a page on the internet
sends to a name that it made point to this machine (DNS rebinding) are told by their header ``host``, and
refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aiorerun.net.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_HOSTS: Final = ("localhost", "127.0.0.1", "rerun.io")
DEFAULT_PATTERNS: Final = tuple(f"*://{host}{port}" for host in _HOSTS for port in ("", ":*"))
"""Pages of this machine, and the viewer on Rerun's site."""

_VARY: Final = "origin, access-control-request-method, access-control-request-headers"
_EXPOSED: Final = "grpc-status, grpc-message"

Headers = list[tuple[str, str]]


class Origins:
    """Decides by the headers ``origin`` and ``host`` of a request.

    Args:
        patterns: Origins that are allowed besides ``defaults``. They are compared with the whole origin, and
            case matters; ``*`` stands for any characters.
        is_open: Whether other machines may come too, or a token is asked for: any ``host`` is fine.
        defaults: More of the same.
    """

    def __init__(
        self,
        patterns: Iterable[str] = (),
        *,
        is_open: bool = False,
        defaults: Iterable[str] = DEFAULT_PATTERNS,
    ) -> None:
        globs = (*defaults, *patterns)
        self._allowed = [re.compile(".*".join(map(re.escape, glob.split("*"))), re.DOTALL) for glob in globs]
        self._is_open = is_open

    def allows(self, origin: str) -> bool:
        """Whether pages of an origin may read answers."""
        return any(pattern.fullmatch(origin) for pattern in self._allowed)

    def may_write(self, headers: Mapping[str, str]) -> bool:
        """Whether a request that changes something may come from its origin; programs name none."""
        origin = headers.get("origin")
        return origin is None or self.allows(origin)

    def allows_host(self, headers: Mapping[str, str]) -> bool:
        """Whether a request was sent to a name that can only be this server.

        That is a name or address of this machine, or one whose origin is allowed.
        """
        host = headers.get("host")
        if self._is_open or host is None:
            return True
        name, colon, port = host.rpartition(":")
        if not colon or not port.isdecimal():
            name = host
        return is_loopback(name) or self.allows(f"http://{host}") or self.allows(f"https://{host}")

    def answer_headers(self, headers: Mapping[str, str]) -> Headers:
        """What every answer to a request says about origins."""
        answer = [
            ("vary", _VARY),
            ("access-control-allow-credentials", "true"),
            ("access-control-expose-headers", _EXPOSED),
        ]
        origin = headers.get("origin")
        if origin is not None and self.allows(origin):
            answer.append(("access-control-allow-origin", origin))
        return answer

    def preflight_headers(self, headers: Mapping[str, str]) -> Headers:
        """What the answer to a browser's question says."""
        answer = self.answer_headers(headers)
        method = headers.get("access-control-request-method")
        if method is not None:
            answer.append(("access-control-allow-methods", method))
        names = headers.get("access-control-request-headers")
        if names is not None:
            answer.append(("access-control-allow-headers", names))
        return answer
