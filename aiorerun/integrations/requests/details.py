"""The details of a request that are off by default, as one text: query string, headers and bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun.integrations.redaction import HIDDEN
from aiorerun.integrations.requests.bodies import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorerun.integrations.requests.bodies import Body
    from aiorerun.integrations.requests.settings import RequestSettings

Headers = list[tuple[str, str]]


def decoded(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Headers as texts. Any bytes at all can be read this way."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def document(
    settings: RequestSettings,
    title: str,
    query: str,
    headers: tuple[Headers, Headers],
    bodies: tuple[Body | None, Body | None],
) -> str:
    """The text that is recorded, without any secret.

    Args:
        settings: What is wanted.
        title: The first line.
        query: The query string.
        headers: Those of the request and of the response.
        bodies: Likewise.
    """
    redactor = settings.redactor
    secrets = redactor.secrets_of(headers[0], query) | redactor.secrets_of(headers[1], "")
    lines = [title]
    if settings.wants_query and query:
        lines.append(f"query: {redactor.query(query)}")
    for kind, fields, body in zip(("request", "response"), headers, bodies, strict=True):
        told = [f"  {name}: {value}" for name, value in _wanted(settings, fields)]
        if told:
            lines.extend((f"{kind} headers:", *told))
        if body is not None and body.size:
            lines.extend((f"{kind} body:", shown(body, fields, redactor)))
    first, *others = lines
    masked = redactor.text("\n".join(others), secrets)
    return f"{first}\n{masked}"


def _wanted(settings: RequestSettings, headers: Headers) -> Headers:
    wanted = settings.wants_headers
    if wanted is False:
        return []
    redactor = settings.redactor
    return [
        (name, HIDDEN if redactor.is_secret(name) else value)
        for name, value in headers
        if wanted is True or name.lower() in wanted
    ]
