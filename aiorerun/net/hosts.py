"""Hosts of URLs, read as web browsers read them, which is how Rerun's own programs read them."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import Final, TypeAlias
from urllib.parse import unquote_to_bytes

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
Host: TypeAlias = "str | Address"
"""A name in lower case and ASCII, or an address."""

_BAD_NAME: Final = "invalid international domain name"
_BAD_IPV4: Final = "invalid IPv4 address"
_BAD_IPV6: Final = "invalid IPv6 address"

_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f#/:<>?@\[\\\]^|%]")
"""What no name may hold."""

_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_MAX_DIGITS: Final = 64
"""No address has a number that is written with more digits than this, leading zeros left out."""

_PUNYCODE: Final = "xn--"


def parse_host(text: str) -> Host:
    """Reads the host of a URL, without port.

    Args:
        text: A name, which may be international or percent-encoded, an IPv4 address in any of the forms that
            browsers accept, or an IPv6 address in brackets.

    Raises:
        ValueError: It is none of these; the text says why.
    """
    if not text:
        raise ValueError("empty host")
    if text.startswith("["):
        return _ipv6(text)
    try:
        name = unquote_to_bytes(text).decode()
    except UnicodeError:
        raise ValueError(_BAD_NAME) from None
    name = _ascii_name(name)
    if not name:
        raise ValueError("empty host")
    if _FORBIDDEN.search(name):
        raise ValueError(_BAD_NAME)
    return _ipv4(name) if _ends_in_number(name) else name


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    host = host.removeprefix("[").removesuffix("]")
    if host.lower().removesuffix(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _ipv6(text: str) -> ipaddress.IPv6Address:
    # Scope ids, which come after a percent sign, are no part of URLs.
    if not text.endswith("]") or "%" in text:
        raise ValueError(_BAD_IPV6)
    try:
        return ipaddress.IPv6Address(text[1:-1])
    except ValueError:
        raise ValueError(_BAD_IPV6) from None


def _ends_in_number(name: str) -> bool:
    """Whether the last part is a number, which makes the whole an IPv4 address or nothing."""
    parts = name.split(".")
    if len(parts) > 1 and not parts[-1]:
        parts.pop()
    return _NUMBER.fullmatch(parts[-1]) is not None


def _ipv4(name: str) -> ipaddress.IPv4Address:
    parts = name.removesuffix(".").split(".")
    if len(parts) > 4:
        raise ValueError(_BAD_IPV4)
    *first, last = map(_ipv4_number, parts)
    if any(number > 0xFF for number in first) or last >= 1 << 8 * (4 - len(first)):
        raise ValueError(_BAD_IPV4)
    # The last number fills all bytes that are left.
    for position, number in enumerate(first):
        last |= number << 8 * (3 - position)
    return ipaddress.IPv4Address(last)


def _ipv4_number(text: str) -> int:
    digits, base = text, 10
    if text[:2] in ("0x", "0X"):
        digits, base = text[2:] or "0", 16
    elif text.startswith("0"):
        base = 8
    digits = digits.lstrip("0") or ("0" if digits else "")
    if len(digits) > _MAX_DIGITS or not digits.isascii() or not digits.isalnum():
        raise ValueError(_BAD_IPV4)
    try:
        return int(digits, base)
    except ValueError:
        raise ValueError(_BAD_IPV4) from None


def _ascii_name(name: str) -> str:
    """The form of a name that name servers know."""
    if not name.isascii():
        # Only international names need the tables, which take a while to load.
        import idna

        try:
            name = idna.uts46_remap(name, std3_rules=False, transitional=False)
        except idna.IDNAError:
            raise ValueError(_BAD_NAME) from None
    return ".".join(map(_ascii_label, name.lower().split(".")))


def _ascii_label(label: str) -> str:
    if label.isascii():
        if label.startswith(_PUNYCODE):
            _check_punycode(label)
        return label
    _check_label(label)
    return _PUNYCODE + label.encode("punycode").decode("ascii")


def _check_punycode(label: str) -> None:
    """Refuses encoded labels that no international one is encoded as."""
    try:
        decoded = label[len(_PUNYCODE) :].encode("ascii").decode("punycode")
        if decoded.isascii() or decoded.encode("punycode").decode("ascii") != label[len(_PUNYCODE) :]:
            raise ValueError(_BAD_NAME)
    except UnicodeError:
        raise ValueError(_BAD_NAME) from None
    _check_label(decoded)


def _check_label(label: str) -> None:
    """Refuses labels that begin with a combining mark, mix directions, or are not in their normal form."""
    import idna

    try:
        mapped = idna.uts46_remap(label, std3_rules=False, transitional=False)
        idna.check_initial_combiner(label)
        if idna.valid_contextj is not None:
            _check_joiners(label)
        idna.check_bidi(label)
    except (idna.IDNAError, ValueError):
        raise ValueError(_BAD_NAME) from None
    if mapped != label or unicodedata.normalize("NFC", label) != label:
        raise ValueError(_BAD_NAME)


def _check_joiners(label: str) -> None:
    import idna

    for position, character in enumerate(label):
        if character in "\u200c\u200d" and not idna.valid_contextj(label, position):
            raise ValueError(_BAD_NAME)
