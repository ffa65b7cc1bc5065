"""What a live view knows of a request, whatever framework it came by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, repr=False)
class ViewRequest:
    """One request to a live view.

    Attributes:
        method: In capitals.
        path: Below the place where the view is mounted: ``"/"`` is the page, ``"/recording.rrd"`` the data.
        query: What comes after the question mark.
        headers: By their names in lower case; those that come several times are joined with commas.
        client: The address of the other side, as the server knows it; ``None`` if it does not.
        native: The request of the framework: the ``scope`` of ASGI, or aiohttp's ``Request``. What
            middlewares have put there is there, such as a session or a user.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    client: str | None = None
    native: Any = None

    def __repr__(self) -> str:
        # Query and headers may hold secrets.
        return f"ViewRequest({self.method} {self.path})"

    def parameter(self, name: str) -> str | None:
        """The last value of a parameter of the query."""
        values = parse_qs(self.query, keep_blank_values=True).get(name)
        return values[-1] if values else None


def joined_headers(pairs: Mapping[str, str] | list[tuple[str, str]]) -> dict[str, str]:
    """Headers as :class:`ViewRequest` has them."""
    joined: dict[str, str] = {}
    for name, value in pairs.items() if not isinstance(pairs, list) else pairs:
        key = name.lower()
        # Only cookies are not joined with commas.
        separator = "; " if key == "cookie" else ", "
        joined[key] = f"{joined[key]}{separator}{value}" if key in joined else value
    return joined
