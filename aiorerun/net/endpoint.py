"""URLs of message proxies, such as ``rerun+http://127.0.0.1:9876/proxy``."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from aiorerun.config import check_text
from aiorerun.errors import InvalidUrlError
from aiorerun.net.hosts import parse_host

if TYPE_CHECKING:
    from aiorerun.net.hosts import Host

DEFAULT_PORT: Final = 9876
"""Where proxies of this machine listen."""

DEFAULT_URL: Final = "rerun+http://127.0.0.1:9876/proxy"
"""The proxy of this machine."""

_SCHEMES: Final = {
    "rerun://": True,
    "rerun+http://": False,
    "rerun+https://": True,
    # What query strings make of a plus sign that was not encoded.
    "rerun http://": False,
    "rerun https://": True,
}
"""All schemes, and whether they stand for TLS."""

_NO_SCHEME: Final = (
    "Invalid or missing scheme (expected one of: `rerun://`, `rerun+http://`, `rerun+https://`)"
)
_UNEXPECTED: Final = "Unexpected URI:: "
_MAX_PORT: Final = 0xFFFF
_TUID: Final = re.compile("[0-9a-fA-F]{32}")

_CONTROLS: Final = "".join(map(chr, range(0x21)))
_REMOVED: Final = re.compile(r"[\t\n\r]")
_DOTS: Final = re.compile(r"(?:\.|%2[eE]){1,2}")
_UNQUOTED: Final = "!$%&'()*+,-./:;=@[\\]^_|~"
"""What stays as it is in a path, besides letters and digits."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a message proxy is.

    Attributes:
        is_tls: Whether the connection is encrypted.
        host: A name in lower case, or an address (IPv6 ones without brackets).
        port: The TCP port.
    """

    is_tls: bool
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Reads a URL.

        Args:
            url: ``scheme://host[:port]/proxy`` with scheme ``rerun+http``, ``rerun+https`` or ``rerun`` (the
                last two are the same). The scheme may be left out for hosts of this machine.

        Raises:
            InvalidUrlError: It is no URL of a message proxy.
            TypeError: It is no text.
        """
        check_text(url, "url", f"one such as {DEFAULT_URL!r}")
        try:
            return _parse(url)
        except ValueError as error:
            raise InvalidUrlError(f'invalid endpoint "{_without_password(url)}": {error}') from None

    @property
    def connect_host(self) -> str:
        """The host to connect to, which cannot be "all addresses of this machine"."""
        return "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104

    @property
    def authority(self) -> str:
        """Host and port, as URLs have them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{'rerun' if self.is_tls else 'rerun+http'}://{self.authority}/proxy"


def _parse(url: str) -> Endpoint:
    is_tls, rest = _split_scheme(url)
    authority, path = _split_path(_REMOVED.sub("", rest.rstrip(_CONTROLS)))
    host, port = _split_port(authority.rpartition("@")[2])
    parsed = parse_host(host)
    number = _parse_port(port)
    if number is None:
        number = _default_port(parsed, is_tls)
    _check_path(path, url)
    return Endpoint(is_tls, _text(parsed), number)


def _text(host: Host) -> str:
    if isinstance(host, ipaddress.IPv6Address) and host.ipv4_mapped is not None:
        # Releases of Python differ in how they write these.
        low = int(host.ipv4_mapped)
        return f"::ffff:{low >> 16:x}:{low & 0xFFFF:x}"
    return str(host)


def _split_scheme(url: str) -> tuple[bool, str]:
    """Whether the scheme stands for TLS, and what comes after it."""
    for scheme, is_tls in _SCHEMES.items():
        if url.startswith(scheme):
            return is_tls, url[len(scheme) :]
    if "://" not in url:
        if "localhost" in url or "127.0.0.1" in url:
            return False, url
        if "rerun.io" in url:
            return True, url
    raise ValueError(_NO_SCHEME)


def _split_path(rest: str) -> tuple[str, str]:
    """Divides what comes after the scheme; the path is without query and fragment."""
    rest = re.split("[?#]", rest, maxsplit=1)[0].replace("\\", "/").lstrip("/")
    authority, _, path = rest.partition("/")
    return authority, path


def _split_port(authority: str) -> tuple[str, str]:
    start = max(authority.find("]"), 0) if authority.startswith("[") else 0
    colon = authority.find(":", start)
    return (authority, "") if colon < 0 else (authority[:colon], authority[colon + 1 :])


def _parse_port(text: str) -> int | None:
    if not text:
        return None
    digits = text.lstrip("0") or "0"
    if (
        not (text.isascii() and text.isdigit())
        or len(digits) > len(str(_MAX_PORT))
        or int(digits) > _MAX_PORT
    ):
        raise ValueError("invalid port number")
    return int(digits)


def _default_port(host: Host, is_tls: bool) -> int:
    if host == "localhost" or (not isinstance(host, str) and (host.is_unspecified or _is_loopback(host))):
        return DEFAULT_PORT
    return 443 if is_tls else 80


def _is_loopback(host: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    # Newer releases of Python also count IPv4 addresses inside IPv6 ones; Rerun does not.
    return host == ipaddress.IPv6Address(1) if host.version == 6 else host.is_loopback


def _check_path(path: str, url: str) -> None:
    """Refuses paths that are not the proxy's, in the words of Rerun's own programs."""
    segments = _segments(path)
    if segments == ["proxy"]:
        return
    kind, count = segments[0] if segments else "", len(segments)
    if kind in ("entry", "dataset") and count > 1 and not _TUID.fullmatch(segments[1]):
        size = len(segments[1])
        raise ValueError(f"Invalid TUID: expected exactly 32 hex characters, got {size} bytes")
    # These are URLs of Rerun, but not of a proxy.
    is_known = (
        not kind
        or (kind == "catalog" and count == 1)
        or (kind in ("entry", "dataset", "folder") and count > 1)
    )
    raise ValueError(f"{_UNEXPECTED}{_without_password(url) if is_known else kind + '/'}")


def _segments(path: str) -> list[str]:
    """The parts of a path that are not empty, percent-encoded, with dots resolved."""
    found: list[str] = []
    for segment in path.split("/"):
        if not _DOTS.fullmatch(segment):
            found.append(quote(segment, safe=_UNQUOTED))
        elif segment.lower().replace("%2e", ".") == "..":
            del found[-1:]
    return list(filter(None, found))


def _without_password(url: str) -> str:
    """What error messages show of a URL."""
    return re.sub(r"(?<=//)([^/\\?#@:]*):[^/\\?#]*@", r"\1:***@", url, count=1)
