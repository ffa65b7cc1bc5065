"""What must not get into a recording by accident: passwords, tokens, keys, cookies.

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

_WORDS: Final = (
    r"pass(?:word|wd|phrase|code)|pwd|secret|token|api[_\-.]?key|apikey|access[_\-.]?key|private[_\-.]?key"
    r"|credential|authorization|cookie|session[_\-.]?(?:id|key)|signature|jwt|csrf"
)
_NAME: Final = re.compile(
    rf"{_WORDS}|(?:^|[_\-.])(?:auth|pass|pin|otp|cvv|cvc|ssn)(?:$|[_\-.])", re.IGNORECASE
)
_NUMBERED: Final = re.compile(r"tokens(?![a-z])|tokens?[_\-.](?:count|used|per|limit)", re.IGNORECASE)
"""Numbers of tokens are no secrets."""

_MAX_DEPTH: Final = 8
_MAX_ITEMS: Final = 256
_KNOWN_NAMES: Final = 4096
"""Of so many names it is remembered whether they are secrets."""

# Every expression is tried at the beginning of a word only, and looks at a bounded part of it: the time it
# takes grows with the length of the text, whatever the text is.
_START: Final = r"(?<![\w.\-])"
_PEM: Final = r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,32}PRIVATE KEY-----|\Z)"
_GITHUB: Final = re.compile("gh[pousr]_")
_USER: Final = r"\b(\w{1,20}://)[^\s/@]{1,512}@"
_KNOWN: Final = (
    rf"{_START}(?:eyJ[\w\-]{{6,}}\.[\w\-]{{4,}}(?:\.[\w\-]*)?|gh[pousr]_\w{{16,}}|sk-[\w\-]{{16,}}"
    r"|xox[a-z]-[\w\-]{8,}|AKIA[0-9A-Z]{12,})"
)
_HEADER: Final = (
    r"\b(authorization[\"']?\s{0,8}[:=]\s{0,8}[\"']?)(?:(?:bearer|basic|digest|token)\s{1,8})?[^\s\"',;]+"
)
_SCHEME: Final = r"\b(bearer|basic)\s{1,8}(?!\*)[\w.~+/=\-]{6,}"
_NAMED: Final = (
    rf"{_START}([\w.\-]{{0,64}}(?:{_WORDS})[\w.\-]{{0,64}}[\"']?\s{{0,8}}(?:=>|[=:])\s{{0,8}})"
    r"(?!\*)(\"[^\"]*\"|'[^']*'|[^\s,;&\"')}\]]+)"
)
_TEXTS: Final = (
    (re.compile(_PEM, re.DOTALL), HIDDEN),
    (re.compile(_USER), rf"\1{HIDDEN}@"),
    (re.compile(_KNOWN), HIDDEN),
    (re.compile(_HEADER, re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(_SCHEME, re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(_NAMED, re.IGNORECASE), rf"\1{HIDDEN}"),
)


class Redactor:
    """Replaces what looks like a secret by ``***``.

    It goes by names, of fields, attributes and parameters, and by what is known to be a secret in texts:
    ``password=…``, ``Authorization: …``, users in URLs, tokens of well-known forms, private keys. It cannot
    know a secret that nothing names.

    Args:
        more: Names that are secrets too; a field counts if its name contains one of them, in any case.
        enabled: ``False`` lets everything through.
    """

    __slots__ = ("_enabled", "_known", "_more")

    def __init__(self, more: Iterable[str] = (), *, enabled: bool = True) -> None:
        self._more = tuple([name.lower() for name in more])
        self._enabled = enabled
        self._known: dict[str, bool] = {}

    def is_secret(self, name: str) -> bool:
        """Whether a value of this name is not to be recorded."""
        if not self._enabled:
            return False
        known = self._known.get(name)
        if known is None:
            known = _NAME.search(name) is not None or any(each in name.lower() for each in self._more)
            if len(self._known) >= _KNOWN_NAMES:
                self._known.clear()
            self._known[name] = known
        return known

    def value(self, name: str, value: Any) -> Any:
        """A value, or ``***`` if its name says that it is a secret; texts without the secrets in them.

        Of lists and dicts the first items are looked at, a few levels deep; the rest is left out.
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
            return {key: self._value(str(key), each, depth - 1) for key, each in items}
        if isinstance(value, list | tuple):
            return [self._value("", each, depth - 1) for each in value[:_MAX_ITEMS]]
        return value

    def text(self, text: str) -> str:
        """A text without the secrets in it."""
        if not self._enabled or not _may_have_secrets(text.lower()):
            return text
        for pattern, replacement in _TEXTS:
            text = pattern.sub(replacement, text)
        return text


def _may_have_secrets(text: str) -> bool:
    """Whether any expression may hold, in lower case; quicker than one expression for all of them."""
    return (
        "://" in text
        or "pass" in text
        or "key" in text
        or "token" in text
        or "secret" in text
        or "auth" in text
        or "cookie" in text
        or "session" in text
        or "bearer" in text
        or "basic " in text
        or "credential" in text
        or "signature" in text
        or "pwd" in text
        or "jwt" in text
        or "csrf" in text
        or "eyj" in text
        or "sk-" in text
        or "xox" in text
        or "akia" in text
        or ("gh" in text and _GITHUB.search(text) is not None)
    )


DEFAULT: Final = Redactor()
"""Hides what looks like a secret."""
