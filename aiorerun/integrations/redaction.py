"""What must not get into a recording by accident: passwords, tokens, keys, cookies.

This is the only place that knows names of secrets, and what secrets look like in texts.

>>> redact = Redactor()
>>> redact.value("api_key", "abc")
'***'
>>> redact.text("GET /login?user=ada&password=enigma from https://ada:enigma@example.org/")
'GET /login?user=ada&password=*** from https://***@example.org/'
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN: Final = "***"
"""What stands for a secret."""

_PARTS: Final = (
    "accesskey", "apikey", "authenticate", "authorization", "cookie", "credential", "csrf", "jwt", "passcode",
    "passphrase", "passwd", "password", "privatekey", "secret", "session", "signature", "token", "xsrf",
)  # fmt: skip
"""A name that holds one of these is that of a secret, whatever its case and whatever separates its words."""

_WORDS: Final = re.compile(r"pwd|(?<![^\W_])(?:auth|cvc|cvv|otp|pass|pin|ssn)(?![^\W_])", re.IGNORECASE)
"""Too short to be looked for across separators, or even within words: who is pinned is no secret."""

NAMES_IN_REQUESTS: Final = frozenset(("code", "key", "sid", "sig", "state"))
"""Names of headers, cookies and parameters that are secrets as a whole; anywhere else they are innocent."""

_NUMBERED: Final = re.compile(
    r"(?:token|session)s(?![a-z])|(?:token|session)s?[_\-.](?:count|used|per|limit|duration|timeout)",
    re.IGNORECASE,
)
"""Numbers of tokens are no secrets."""

_SEPARATORS: Final = re.compile(r"[\W_]+")
_LINES: Final = ("authorization", "cookie")
"""Values of these names have blanks, commas and semicolons in them: they go up to the end of the line."""

_NAMING: Final = ("name", "key", "field", "header", "param", "parameter", "id")
_NAMED: Final = frozenset(("value", "values", "val", "content", "contents", "data", "text"))
"""In a dict one item may name what another one holds: ``{"name": "password", "value": …}``."""

_MAX_DEPTH: Final = 8
_MAX_ITEMS: Final = 256
_KNOWN_NAMES: Final = 4096
"""Of so many names it is remembered whether they are secrets."""
_KNOWN_LENGTH: Final = 64
"""Longer names are not remembered: they come from clients and texts."""

# Every expression begins where a word or a mark begins, and gives back nothing of what it has taken, or a
# bounded part: the time it takes grows with the length of the text, whatever the text is.
_START: Final = r"(?<![\w.\-])"
_PEM: Final = re.compile(
    r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,32}PRIVATE KEY-----|\Z)", re.DOTALL
)
_GITHUB: Final = re.compile("gh[pousr]_")
# Passwords may have an @ in them.
_USER: Final = re.compile(r"(://)[^\s/@]++@(?:[^\s/@\"',;&]++@)*+")
_TOKEN: Final = re.compile(
    rf"{_START}(?:eyJ[\w\-]{{6,}}\.[\w\-]{{4,}}(?:\.[\w\-]*)?|gh[pousr]_\w{{16,}}|sk-[\w\-]{{16,}}"
    r"|xox[a-z]-[\w\-]{8,}|AKIA[0-9A-Z]{12,})"
)

# A name, also one such as form["name"], and what assigns or compares a value; or a scheme of credentials.
_PREFIX: Final = re.compile(
    rf"{_START}([\w.\-]++(?:\[[\"']?+[\w.\-]*+[\"']?+\])*+)\\*+[\"']?+\s*+(?:=>|[:=!]=|[:=])\s*+"
    r"|\b(basic|bearer|digest|negotiate)\s++",
    re.IGNORECASE,
)
# A quotation or a bracket that does not end was cut off: all the rest may be secret.
_QUOTED: Final = (
    r"(?:[bruf]{1,2}(?=[\"']))?+\\*+"
    r"(?:\"(?:[^\"\\]++|\\.)*+(?:\"|\\?\Z)|'(?:[^'\\]++|\\.)*+(?:'|\\?\Z))"
)
_OPENING: Final = 4
"""So many characters may begin a quotation."""
_VALUE: Final = re.compile(
    rf"{_QUOTED}|[\[({{][^\])}}]*+(?:[\])}}]|\Z)|[^\s,;&\"')}}\]]++", re.DOTALL | re.IGNORECASE
)
_LINE: Final = re.compile(
    rf"{_QUOTED}|[\[({{][^\])}}]*+[^\n]*+|(?:[^\"'\n]++|(?<==)\"[^\"\n]*+\"?+|(?<==)'[^'\n]*+'?+)++",
    re.DOTALL | re.IGNORECASE,
)
# Quotations within brackets are passed over, and those that do not end are the rest.
_BRACKETS: Final = re.compile(
    r"\"(?:[^\"\\]++|\\.)*+(?:\"|\\?\Z)|'(?:[^'\\]++|\\.)*+(?:'|\\?\Z)|[\[({]|[\])}]", re.DOTALL
)
_CREDENTIALS: Final = re.compile(r"[^\s,'\"]++")
_DIGEST: Final = re.compile(r"\w++=[^\n]*+|[^\s,'\"]++")


class Redactor:
    """Replaces what looks like a secret by ``***``.

    It goes by names, of fields, attributes and parameters, and by what is known to be a secret in texts:
    ``password=…``, ``Authorization: …``, users in URLs, tokens of well-known forms, private keys. It cannot
    know a secret that nothing names.

    Args:
        more: Names that are secrets too; a name counts if it contains one of them, whatever the case, dashes
            and underscores.
        enabled: ``False`` lets everything through.
    """

    __slots__ = ("_enabled", "_known", "_more")

    def __init__(self, more: Iterable[str] = (), *, enabled: bool = True) -> None:
        self._more = tuple(filter(None, map(plain_name, more)))
        self._enabled = enabled
        self._known: dict[str, bool] = {}

    def is_secret(self, name: str) -> bool:
        """Whether a value of this name is not to be recorded."""
        if not self._enabled:
            return False
        known = self._known.get(name)
        if known is None:
            plain = plain_name(name)
            named = any(part in plain for part in (*_PARTS, *self._more))
            known = named or _WORDS.search(name) is not None
            if len(name) <= _KNOWN_LENGTH:
                if len(self._known) >= _KNOWN_NAMES:
                    self._known.clear()
                self._known[name] = known
        return known

    def value(self, name: str, value: Any) -> Any:
        """A value, or ``***`` if its name says that it is a secret; texts without the secrets in them.

        Of lists and dicts the first items are looked at, a few levels deep; the rest is left out. Objects of
        other kinds become texts.
        """
        return self._value(name, value, _MAX_DEPTH)

    def _value(self, name: str, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool) or not self._enabled:
            return value
        if self.is_secret(name):
            counts = isinstance(value, int | float) and _NUMBERED.search(name) is not None
            return value if counts else HIDDEN
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict | list | tuple) and not depth:
            return "…"
        if isinstance(value, dict):
            items = islice(value.items(), _MAX_ITEMS)
            name = "password" if self._names_a_secret(value) else ""
            return {
                key: self._value(name if name and str(key).lower() in _NAMED else str(key), each, depth - 1)
                for key, each in items
            }
        if isinstance(value, list | tuple):
            return [self._value("", each, depth - 1) for each in value[:_MAX_ITEMS]]
        # What becomes a text sooner or later, such as an exception, is one now.
        return value if isinstance(value, int | float) else self.text(str(value))

    def _names_a_secret(self, value: dict[Any, Any]) -> bool:
        """Whether one of the items says that another one is a secret."""
        return any(
            isinstance(named, str) and str(key).lower() in _NAMING and self.is_secret(named)
            for key, named in islice(value.items(), _MAX_ITEMS)
        )

    def text(self, text: str) -> str:
        """A text without the secrets in it."""
        if not self._enabled:
            return text
        lower = text.lower()
        if "-----begin" in lower:
            text = _PEM.sub(HIDDEN, text)
        if "://" in lower:
            text = _USER.sub(rf"\1{HIDDEN}@", text)
        if _may_have_schemes(lower) or (("=" in lower or ":" in lower) and self._may_have_names(lower)):
            text = self._without_values(text)
        return _TOKEN.sub(HIDDEN, text) if _may_have_tokens(lower) else text

    def _may_have_names(self, text: str) -> bool:
        if _may_have_usual_names(text.replace("_", "").replace("-", "").replace(".", "")):
            return True
        if not self._more:
            return False
        plain = plain_name(text)
        return any(part in plain for part in self._more)

    def _without_values(self, text: str) -> str:
        """A text without what stands behind names of secrets and schemes of credentials."""
        shown: list[str] = []
        done = 0
        for prefix in _PREFIX.finditer(text):
            # What names within a hidden value have is hidden already, unless what seemed to end a quotation
            # begins one: in `token='x…, api_key=b'y'`.
            pattern = None if prefix.end() < done - _OPENING else self._value_behind(prefix)
            value = pattern and pattern.match(text, prefix.end())
            if not value:
                continue
            # Not so in `token: password: x`: what is behind the first name is the second one.
            if prefix.end() > done:
                shown.extend((text[done : prefix.end()], HIDDEN))
            end = value.end()
            if text[prefix.end()] in "[({":
                end = max(end, _end_of_brackets(text, prefix.end()))
            done = max(done, end)
        return "".join((*shown, text[done:])) if done else text

    def _value_behind(self, prefix: re.Match[str]) -> re.Pattern[str] | None:
        """How far a secret goes; ``None`` if it is none."""
        name, scheme = prefix.groups()
        if scheme is not None:
            return _DIGEST if scheme.lower() == "digest" else _CREDENTIALS
        if not self.is_secret(name):
            return None
        plain = plain_name(name)
        return _LINE if any(part in plain for part in _LINES) else _VALUE


def _end_of_brackets(text: str, start: int) -> int:
    """Where the bracket closes that opens here, whatever opens and closes in it; if it does not, the end."""
    depth = 0
    for found in _BRACKETS.finditer(text, start):
        mark = found.group()
        if mark in "[({":
            depth += 1
        elif mark in "])}":
            depth -= 1
            if not depth:
                return found.end()
    return len(text)


def plain_name(name: str) -> str:
    """A name without what people write in different ways: the case, and what separates words."""
    return _SEPARATORS.sub("", name.lower())


# All that is looked for has one of a few pieces in it, in lower case. Most texts have none, and to ask for
# each of them is quicker than any expression.


def _may_have_tokens(text: str) -> bool:
    return (
        "eyj" in text
        or "sk-" in text
        or "xox" in text
        or "akia" in text
        or ("gh" in text and _GITHUB.search(text) is not None)
    )


def _may_have_schemes(text: str) -> bool:
    return "basic" in text or "bearer" in text or "digest" in text or "negotiate" in text


def _may_have_usual_names(text: str) -> bool:
    """For texts without what separates words."""
    return (
        "pass" in text
        or "key" in text
        or "token" in text
        or "auth" in text
        or "secret" in text
        or "session" in text
        or "cookie" in text
        or "credential" in text
        or "signature" in text
        or "srf" in text
        or "jwt" in text
        or "pwd" in text
        or "pin" in text
        or "otp" in text
        or "ssn" in text
        or "cv" in text
    )


DEFAULT: Final = Redactor()
"""Hides what looks like a secret."""
