"""Which answer a request for the page gets. Knows neither sockets nor the event loop."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from aiorerun.viewer.assets import Asset

Headers = list[tuple[str, str]]

_POLICY: Final = {
    "default-src": "'none'",
    "script-src": "'self' 'wasm-unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "media-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    # Recordings come from wherever the user wants them from.
    "connect-src": "* data: blob:",
    "base-uri": "'none'",
    "form-action": "'none'",
    # Notebooks of this machine show the page in a frame.
    "frame-ancestors": "'self' http://localhost:* https://localhost:* http://127.0.0.1:* vscode-webview:",
}


def _security(policy: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return (
        ("content-security-policy", "; ".join(f"{name} {value}" for name, value in policy.items())),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    )


SECURITY: Final = _security(_POLICY)
"""What every answer of a server says that is there for the page alone."""

MOUNTED_SECURITY: Final = _security(
    _POLICY | {"connect-src": "'self' data: blob:", "frame-ancestors": "'self'"},
)
"""The same where the page belongs to a service: it shows what this service has, and only inside of it."""

_PORT: Final = re.compile(r":[0-9]{0,5}\Z")
_QUALITY_0: Final = re.compile(r"q=0(\.0{0,3})?\Z")


@dataclass(slots=True)
class Answer:
    """One answer.

    Attributes:
        status: The status code.
        headers: All headers but the date.
        body: A short text, if there is no file.
        file: What to send instead of it.
        nbytes: The length of what is sent.
    """

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    file: Path | None = None
    nbytes: int = 0


@dataclass(slots=True)
class Site:
    """What is served, and to whom.

    Attributes:
        assets: The files by path. No other path means anything, so none leads out of the page.
        is_local: Whether only this machine is served: the ``Host`` has to be one of its names then, or a page
            of the internet could read from here under a name of its own that leads to this machine.
        security: The headers of every answer that restrict what browsers do with it.
    """

    assets: Mapping[str, Asset]
    is_local: bool
    security: Sequence[tuple[str, str]] = SECURITY

    def answer(self, method: str, target: str, headers: Iterable[tuple[str, str]]) -> Answer:
        """The answer to a request; the body of one for ``HEAD`` is not to be sent.

        Args:
            method: As in the request.
            target: As in the request, with the query.
            headers: Names in lower case, and values.
        """
        given: dict[str, str] = {}
        for name, value in headers:
            given[name] = f"{given[name]}, {value}" if name in given else value
        if self.is_local and not is_local_host(given.get("host", "")):
            return refusal(421, "This server only answers to names of this machine.", self.security)
        if method not in ("GET", "HEAD"):
            refused = refusal(405, "Only GET and HEAD are served.", self.security)
            refused.headers.append(("allow", "GET, HEAD"))
            return refused
        asset = self.assets.get(target.partition("?")[0])
        if asset is None:
            return refusal(404, "There is no such page.", self.security)
        return _asset_answer(asset, given, self.security)


def _asset_answer(asset: Asset, given: Mapping[str, str], security: Sequence[tuple[str, str]]) -> Answer:
    file, nbytes, etag = asset.path, asset.nbytes, asset.etag
    headers: Headers = [
        ("content-type", asset.content_type),
        # Asked for again each time, but sent again only if it has changed.
        ("cache-control", "no-cache"),
        ("vary", "accept-encoding"),
        *security,
    ]
    if asset.compressed is not None and accepts_gzip(given.get("accept-encoding", "")):
        file, nbytes = asset.compressed
        etag = f'{etag[:-1]}-gz"'
        headers.append(("content-encoding", "gzip"))
    headers.append(("etag", etag))
    if _is_known(given.get("if-none-match", ""), etag):
        return Answer(304, headers)
    # The viewer's progress bar counts bytes that are not compressed.
    headers += [("content-length", str(nbytes)), ("rerun-final-length", str(asset.nbytes))]
    return Answer(200, headers, file=file, nbytes=nbytes)


def refusal(status: int, text: str, security: Sequence[tuple[str, str]] = SECURITY) -> Answer:
    """An answer that says in one line why there is no other one."""
    body = f"{text}\n".encode()
    headers = [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
        *security,
    ]
    return Answer(status, headers, body, nbytes=len(body))


def is_local_host(host: str) -> bool:
    """Whether a ``Host`` header, with or without port, is a name of this machine alone."""
    name = _PORT.sub("", host.strip()).lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def accepts_gzip(header: str) -> bool:
    """Whether an ``Accept-Encoding`` header allows gzip by name."""
    for part in header.lower().split(","):
        coding, *parameters = (piece.strip() for piece in part.split(";"))
        if coding in ("gzip", "x-gzip"):
            return not any(_QUALITY_0.match(parameter) for parameter in parameters)
    return False


def _is_known(header: str, etag: str) -> bool:
    """Whether an ``If-None-Match`` header names what would be sent."""
    if header.strip() == "*":
        return True
    return any(part.strip().removeprefix("W/") == etag for part in header.split(","))
