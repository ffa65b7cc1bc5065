"""Redaction: secrets are taken out of everything that is recorded of a request.

Two nets, one behind the other: values are masked where a name says that they are secret (``password=…``),
and what this very request has sent as a secret is masked wherever it comes up again, as in the text of an
exception. What names and texts tell is known to :mod:`aiorerun.integrations.redaction`.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, quote_plus, unquote_plus

from aiorerun.integrations.redaction import HIDDEN, NAMES_IN_REQUESTS, Redactor, plain_name

if TYPE_CHECKING:
    from collections.abc import Iterable

LEAST_LENGTH: Final = 4
"""Shorter values are no secrets, and masking them everywhere would leave nothing to read."""


class RequestRedactor:
    """Knows what is secret in requests, and masks it.

    Args:
        names: More names, beside the usual ones.
    """

    __slots__ = ("_redactor",)

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._redactor = Redactor(names)

    def is_secret(self, name: str) -> bool:
        """Whether the value of a header, cookie, field or parameter of that name is a secret."""
        return self._redactor.is_secret(name) or plain_name(name) in NAMES_IN_REQUESTS

    def query(self, text: str) -> str:
        """A query string, or a form, with the values of secret parameters masked."""
        return "&".join([self._parameter(part) for part in text.split("&")])

    def _parameter(self, part: str) -> str:
        # Some separate parameters by semicolons, others have them in values: the rest of the part is hidden.
        shown: list[str] = []
        for piece in part.split(";"):
            name, equals, value = piece.partition("=")
            if equals and self._is_secret_parameter(name, value):
                return ";".join([*shown, f"{name}={HIDDEN}"])
            shown.append(piece)
        return part

    def _is_secret_parameter(self, name: str, value: str) -> bool:
        # Both may be escaped: what they stand for decides.
        if self.is_secret(unquote_plus(name)):
            return True
        plain = unquote_plus(value)
        return plain != value and self._redactor.text(plain) != plain

    def value(self, name: str, value: Any) -> Any:
        """What a field holds, ``***`` if its name says that it is a secret; of lists and dicts each item."""
        return self._redactor.value(name, value)

    def text(self, text: str, secrets: Iterable[str] = ()) -> str:
        """A text of any kind with everything masked that looks like a secret, or is one of these."""
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return self._redactor.text(text)

    def secrets_of(self, headers: Iterable[tuple[str, str]], query: str) -> set[str]:
        """All that a request has sent as a secret, in every spelling that is likely to come up again."""
        found: set[str] = set()
        for name, value in headers:
            if not self.is_secret(name):
                continue
            found.add(value)
            if "cookie" in name.lower():
                found.update(_cookie_values(value))
            else:
                found.update(_credentials(value))
        for name, value in parse_qsl(query, keep_blank_values=True):
            if self.is_secret(name):
                found.update((value, quote(value), quote(value, safe=""), quote_plus(value)))
        return {secret for secret in found if len(secret) >= LEAST_LENGTH}


def _cookie_values(value: str) -> Iterable[str]:
    for part in value.split(";"):
        yield part.partition("=")[2].strip().strip('"')


def _credentials(value: str) -> Iterable[str]:
    scheme, _, rest = value.partition(" ")
    yield rest.strip()
    if scheme.lower() != "basic":
        return
    try:
        user = base64.b64decode(rest.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return
    yield user
    yield user.partition(":")[2]
