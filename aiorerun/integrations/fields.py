"""Named values of any kind as components that never disagree about their types."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from aiorerun.integrations.redaction import DEFAULT
from aiorerun.stream_base import BaseRecordingStream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorerun.integrations.redaction import Redactor
    from aiorerun.types.any_values import DynamicArchetype

MAX_TEXT: Final = 8_192
"""Characters of a field; what is longer is cut off."""
MAX_MESSAGE: Final = 16_384
"""Characters of a message, its traceback included."""
MAX_FIELDS: Final = 64
"""Fields of one row; others are left out."""
MAX_NAMES: Final = 4096
"""Different fields of a process; values of others go into the field ``more``."""

_INT64: Final = 1 << 63
_kinds: dict[tuple[str, str], str] = {}


def active_recording() -> BaseRecordingStream | None:
    """The active recording of the asyncio API, else that of the blocking one, if it is in use."""
    for face in BaseRecordingStream._faces:
        found: BaseRecordingStream | None = face.get()
        if found is not None:
            return found
    return None


def clipped(text: str, limit: int = MAX_TEXT) -> str:
    """A text that is not too long, and can be recorded."""
    return encodable(text if len(text) <= limit else text[: limit - 1] + "…")


def encodable(text: str) -> str:
    """A text without single surrogates, as names of files may have them: these are no characters."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def fields(
    archetype: str, values: Iterable[tuple[str, Any]], redactor: Redactor = DEFAULT
) -> DynamicArchetype | None:
    """Components for named values: ``archetype:name``.

    Numbers, switches and texts stay what they are, all else becomes text. Where a name had values of another
    kind before, its kind is added to the name: a component has one type. Secrets are hidden.

    Returns:
        What can be logged; ``None`` if there is no value.
    """
    components: dict[str, Any] = {}
    more: list[str] = []
    for name, given in values:
        if given is None:
            continue
        if len(components) >= MAX_FIELDS:
            break
        kind, value = _plain(redactor.value(name, _short(given)))
        name = encodable(name)  # noqa: PLW2901
        named = name if _kinds.get((archetype, name)) == kind else _name(archetype, name, kind)
        if named is None:
            more.append(f"{name}={value}")
        else:
            components[named] = value
    if more:
        components["more"] = clipped(", ".join(more))
    if not components:
        return None
    from aiorerun.types.any_values import DynamicArchetype

    return DynamicArchetype(archetype, components=components)


def _short(value: Any) -> Any:
    """Texts and bytes that are not too long to be looked at."""
    if isinstance(value, str):
        return clipped(value)
    return bytes(value[:MAX_TEXT]) if isinstance(value, bytes | bytearray) else value


def _plain(value: Any) -> tuple[str, Any]:
    kind = type(value)
    if kind is str:
        return "text", clipped(value)
    if kind is bool:
        return "bool", value
    if kind is int and -_INT64 <= value < _INT64:
        return "int", value
    if kind is float:
        return "float", value
    if isinstance(value, dict | list | tuple):
        try:
            return "text", clipped(json.dumps(value, default=str, ensure_ascii=False))
        except (TypeError, ValueError, RecursionError):
            pass
    return "text", clipped(str(value))


def _name(archetype: str, name: str, kind: str) -> str | None:
    key = (archetype, name)
    known = _kinds.get(key)
    if known == kind:
        return name
    if known is None:
        if len(_kinds) >= MAX_NAMES or len(name) > 256:
            return None
        # Another thread may have been first.
        known = _kinds.setdefault(key, kind)
    return name if known == kind else _name(archetype, f"{name}_{kind}", kind)
