"""Routes: what requests are grouped by, how many there may be, and what is counted for each of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from aiorerun.types.entity_path import new_entity_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiorerun.integrations.row_buffer import RowBuffer

MAX_ROUTES: Final = 256
"""So many routes have entities of their own by default; all others share one."""

UNMATCHED: Final = "(unmatched)"
"""The route of paths that no route of the application takes."""
OTHER: Final = "(other)"
"""The route of all routes that came when there were too many."""

METHODS: Final = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY", "WEBSOCKET")
)
"""Methods that have entities of their own: clients may send any text as one."""

_WORD: Final = re.compile(r"[A-Za-z][A-Za-z_.\-]{0,19}")
_MAX_DEPTH: Final = 8


class Rates(NamedTuple):
    """What happened on a route in some span of time.

    Attributes:
        route: The route.
        per_second: Requests that ended, per second.
        concurrency: How many were in progress on average.
    """

    route: Route
    per_second: float
    concurrency: float


class Route:
    """A method and a path template, and its counters.

    Attributes:
        name: ``"GET /items/{item_id}"``.
        requests_path: The entity with a row for each request.
        rate_path: The entity with requests per second.
        concurrency_path: The entity with the requests in progress.
        details_path: The entity with headers and bodies.
        buffer: Where its rows wait, if there was one.
    """

    __slots__ = (
        "_ended", "_moved_ns", "_running", "_seen_busy_ns", "_told", "buffer", "concurrency_path",
        "details_path", "name", "rate_path", "requests_path",
    )  # fmt: skip

    def __init__(self, root: tuple[str, ...], method: str, template: str) -> None:
        self.name = f"{method} {template}"
        self.buffer: RowBuffer | None = None
        parts = [part for part in template.split("/") if part]
        self.requests_path = new_entity_path([*root, "requests", *parts, method])
        self.rate_path = new_entity_path([*root, "rate", *parts, method])
        self.concurrency_path = new_entity_path([*root, "concurrency", *parts, method])
        self.details_path = new_entity_path([*root, "details", *parts, method])
        self._ended = 0
        self._running = 0
        # Ends of requests minus their beginnings; with what runs now it gives the time spent in requests.
        self._moved_ns = 0
        self._seen_busy_ns = 0
        self._told = False

    def forget(self) -> None:
        """Counts from the beginning; what was counted belongs to another process."""
        self.buffer = None
        self._ended = self._running = self._moved_ns = self._seen_busy_ns = 0
        self._told = False

    def began(self, at_ns: int) -> None:
        """Counts a request that is in progress since then."""
        self._running += 1
        self._moved_ns -= at_ns

    def ended(self, at_ns: int) -> None:
        """Counts the end of a request whose beginning was counted."""
        self._running -= 1
        self._moved_ns += at_ns
        self._ended += 1

    def passed(self, duration_ns: int) -> None:
        """Counts a request that began and ended meanwhile, for which nobody knew the route before."""
        self._moved_ns += duration_ns
        self._ended += 1

    def rates(self, now_ns: int, span_ns: int) -> Rates | None:
        """What happened since the last call, ``span_ns`` ago; ``None`` where nothing did, twice in a row."""
        busy_ns = self._moved_ns + self._running * now_ns
        spent = max(0, busy_ns - self._seen_busy_ns)
        self._seen_busy_ns = busy_ns
        ended, self._ended = self._ended, 0
        is_active = bool(ended or spent)
        # One row of zeros after the last one, so that plots go down.
        tells, self._told = is_active or self._told, is_active
        if not tells:
            return None
        return Rates(self, ended * 1e9 / span_ns, spent / span_ns)


class Routes:
    """All routes of an application, as they come up.

    Args:
        root: Parts of the path below which everything is recorded.
        limit: So many of them may there be.
    """

    __slots__ = ("_by_name", "_limit", "_root")

    def __init__(self, root: tuple[str, ...], limit: int = MAX_ROUTES) -> None:
        self._root = root
        self._limit = limit
        self._by_name: dict[tuple[str, str], Route] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def get(self, method: str, template: str) -> Route:
        """The route of that method and template, or the one for all others if there are too many."""
        if method not in METHODS:
            method = OTHER
        found = self._by_name.get((method, template))
        if found is not None:
            return found
        if len(self._by_name) >= self._limit:
            method, template = OTHER, OTHER
            found = self._by_name.get((method, template))
            if found is not None:
                return found
        made = self._by_name[method, template] = Route(self._root, method, template)
        return made

    def forget(self) -> None:
        """Counts from the beginning on all routes."""
        for route in self._by_name.values():
            route.forget()

    def rates(self, now_ns: int, span_ns: int) -> list[Rates]:
        """What happened on each route since the last call."""
        told = [route.rates(now_ns, span_ns) for route in self._by_name.values()]
        return [rates for rates in told if rates is not None]


def plain_template(path: str) -> str:
    """A template for a path without a route: what may be a name or a number becomes ``{}``."""
    parts = path.split("/")[1:]
    kept = [part if not part or _WORD.fullmatch(part) else "{}" for part in parts[:_MAX_DEPTH]]
    more = ["…"] if len(parts) > _MAX_DEPTH else []
    return "/" + "/".join([*kept, *more])


def filled_template(path: str, parameters: Mapping[str, object]) -> str:
    """The template that a path was made of, given the values of its parameters."""
    for name, value in parameters.items():
        text = str(value).strip("/")
        if not text:
            continue
        if "/" in text:
            path = path.replace(text, f"{{{name}}}", 1)
        else:
            parts = path.split("/")
            _fill_in(parts, text, f"{{{name}}}")
            path = "/".join(parts)
    return path


def _fill_in(parts: list[str], text: str, name: str) -> None:
    """Puts a name in the place of a text: the last part that is the text, else that holds it."""
    places = range(len(parts) - 1, -1, -1)
    place = next((place for place in places if parts[place] == text), None)
    if place is not None:
        parts[place] = name
        return
    place = next((place for place in places if text in parts[place] and "{" not in parts[place]), None)
    if place is not None:
        parts[place] = parts[place].replace(text, name, 1)
