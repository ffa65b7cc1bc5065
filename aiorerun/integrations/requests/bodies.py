"""Bodies of requests as texts, without the secrets in them.

Whether a text is a secret is told by a name, and where the name stands depends on the format. So JSON and
forms are read as what they are; what is no plain text and cannot be read is left out.
"""

from __future__ import annotations

import json
import re
from email.message import Message
from typing import TYPE_CHECKING, Any, Final

from aiorerun.integrations.redaction import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorerun.integrations.requests.redaction import RequestRedactor

_PLAIN: Final = frozenset(
    (
        "",
        "text/plain",
        "text/markdown",
        "text/event-stream",
        "text/css",
        "text/javascript",
        "application/graphql",
    )
)
"""What is shown as text; without a type, if it looks like one."""
_LINES: Final = frozenset(("application/x-ndjson", "application/ndjson", "application/jsonl"))
_CHARSETS: Final = frozenset(("", "utf8", "utf8mb4", "usascii", "ascii", "iso88591", "latin1", "windows1252"))
"""Those in which secrets are found: they have the letters of ASCII."""
_MAX_DEPTH: Final = 64
"""Deeper JSON that was cut off is not read."""
_MAX_PARTS: Final = 256
_JSON_MARK: Final = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{\]},]', re.DOTALL)


class Body:
    """The beginning of a body.

    Args:
        limit: So many bytes are kept.
    """

    __slots__ = ("_kept", "_limit", "size")

    def __init__(self, limit: int) -> None:
        self._kept = bytearray()
        self._limit = limit
        self.size = 0

    def add(self, data: bytes) -> None:
        """Looks at the next piece."""
        self.size += len(data)
        room = self._limit - len(self._kept)
        if room > 0:
            self._kept += data[:room]

    @property
    def kept(self) -> bytes:
        """What was kept."""
        return bytes(self._kept)

    @property
    def left_out(self) -> int:
        """How many bytes are missing."""
        return self.size - len(self._kept)

    def text(self) -> str:
        """What was kept, and how much is missing. A character that was cut in two is left out."""
        return self.plain() + self.more()

    def plain(self) -> str:
        """What was kept."""
        text = self.kept.decode("utf-8", "replace")
        return text.rstrip(chr(0xFFFD)) if self.left_out > 0 else text

    def more(self) -> str:
        """How much is missing."""
        return f"… ({self.left_out} bytes more)" if self.left_out > 0 else ""


def shown(body: Body, headers: Iterable[tuple[str, str]], redactor: RequestRedactor) -> str:
    """The text of a body without secrets, as far as these have names; how long it is if it cannot be read.

    Args:
        body: The body.
        headers: Those that came with it.
        redactor: Knows what is a secret.
    """
    kind = _Kind(headers)
    try:
        text = None if kind.is_encoded else _read(body, kind, redactor)
    except (ValueError, RecursionError):
        text = None
    if text is None:
        return f"({body.size} bytes of {kind.media or 'another kind'}, left out)"
    return text + body.more()


class _Kind:
    """What headers tell about a body."""

    def __init__(self, headers: Iterable[tuple[str, str]]) -> None:
        self._message = Message()
        for name, value in headers:
            if name.lower().startswith("content-"):
                # Surrogates, from bytes that are no UTF-8, would make it something else than a text.
                self._message[name] = value.encode("utf-8", "replace").decode()
        self.is_encoded = self._first("content-encoding") not in ("", "identity")
        self.media = self._first("content-type")
        charset = self.parameter("charset").lower()
        self.is_ascii = "".join(filter(str.isalnum, charset)) in _CHARSETS

    def parameter(self, name: str, header: str = "content-type") -> str:
        """A parameter of a header."""
        found: Any = self._message.get_param(name, "", header)
        return str(found[2] if isinstance(found, tuple) else found)

    def _first(self, header: str) -> str:
        given: str = self._message.get(header, "")
        return given.partition(";")[0].strip().lower()

    @property
    def is_json(self) -> bool:
        """Whether it is said to be JSON."""
        return self.media in ("application/json", "text/json") or self.media.endswith("+json")


def _read(body: Body, kind: _Kind, redactor: RequestRedactor) -> str | None:
    if kind.is_json:
        return _json(body, redactor)
    if not kind.is_ascii:
        return None
    if kind.media == "application/x-www-form-urlencoded":
        return redactor.query(body.plain())
    if kind.media == "multipart/form-data":
        return _multipart(body, kind.parameter("boundary"), redactor)
    if kind.media in _LINES:
        return _json_lines(body, redactor)
    return _text(body, redactor) if kind.media in _PLAIN else None


def _text(body: Body, redactor: RequestRedactor) -> str | None:
    """A text, which may be JSON all the same; not if it is XML, or no text."""
    text = body.plain()
    start = text.lstrip("\ufeff \t\r\n")[:1]
    if start in ("<", "\ufffd") or "\0" in text:
        return None
    if start == "{":
        return _json(body, redactor)
    if start == "[":
        try:
            return _json(body, redactor)
        except (ValueError, RecursionError):
            # Lines of logs begin like this as well.
            pass
    return redactor.text(text)


def _json(body: Body, redactor: RequestRedactor) -> str:
    """JSON, in any of its encodings; of a body that was cut off, the items that are complete."""
    if body.left_out > 0:
        return _without_secrets(json.loads(_completed(body.plain())), redactor)
    return _without_secrets(json.loads(body.kept), redactor)


def _json_lines(body: Body, redactor: RequestRedactor) -> str:
    lines = body.plain().splitlines()
    if body.left_out > 0:
        lines = lines[:-1]
    return "\n".join([_without_secrets(json.loads(line), redactor) for line in lines if line.strip()])


def _without_secrets(value: Any, redactor: RequestRedactor) -> str:
    return json.dumps(redactor.value("", value), ensure_ascii=False, default=str)


def _completed(text: str) -> str:
    """JSON that was cut off, up to the last item that is complete, and closed there.

    Raises:
        ValueError: It is nested too deeply, or no such JSON.
    """
    closing: list[str] = []
    end, ends = 0, ""
    for found in _JSON_MARK.finditer(text):
        mark = found.group()
        if mark in "[{":
            if len(closing) >= _MAX_DEPTH:
                raise ValueError("too deep")
            closing.append("]" if mark == "[" else "}")
            end = found.end()
        elif mark in "]}":
            if not closing:
                raise ValueError("not JSON")
            closing.pop()
            end = found.end()
        elif mark == ",":
            end = found.start()
        else:
            continue
        ends = "".join(reversed(closing))
    return text[:end] + ends


def _multipart(body: Body, boundary: str, redactor: RequestRedactor) -> str | None:
    """The fields of a form, one a line; of files only how long they are."""
    if not boundary:
        return None
    # The first one has no line before it.
    parts = (b"\r\n" + body.kept).split(b"\r\n--" + boundary.encode("latin-1"))
    if len(parts) > _MAX_PARTS or parts[0].strip():
        return None
    lines: list[str] = []
    for part in parts[1:]:
        if part.startswith(b"--"):
            break
        lines.append(_field(part, redactor))
    return "\n".join(lines)


def _field(part: bytes, redactor: RequestRedactor) -> str:
    """One field of a form."""
    head, separator, data = part.partition(b"\r\n\r\n")
    headers = [
        (name.strip(), value.strip())
        for name, colon, value in (
            line.partition(":") for line in head.decode("utf-8", "replace").split("\r\n")
        )
        if colon
    ]
    kind = _Kind(headers)
    field = kind.parameter("name", "content-disposition")
    if not separator or not field:
        return "(a field without a name, left out)"
    if redactor.is_secret(field):
        return f"{field}: {HIDDEN}"
    if kind.parameter("filename", "content-disposition"):
        return f"{field}: (a file of {len(data)} bytes, left out)"
    value = Body(len(data))
    value.add(data)
    return f"{field}: {shown(value, headers, redactor)}"
