"""What users can set about the recording of requests."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypedDict

from aiorerun.integrations.requests.filters import RequestSampler, UrlFilter
from aiorerun.integrations.requests.redaction import RequestRedactor
from aiorerun.integrations.requests.routes import MAX_ROUTES, Routes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiorerun.integrations.requests.filters import Sample


class RequestOptions(TypedDict, total=False):
    """What is recorded of requests.

    Attributes:
        entity_path: Below which everything is recorded; ``"http"`` by default.
        include: Patterns of the paths that are looked at, such as ``"/api/*"``; all by default.
        exclude: Patterns of paths that pass through untouched.
        sample: The share of requests that get a row, from 0 to 1, or a function that tells it for one of
            them. Those that fail get one in any case, and all count for rates.
        headers: Whether to record headers: ``True`` for all, or names. Off by default.
        bodies: So many bytes of each body are recorded; 0, the default, records none.
        query: Whether to record query strings. Off by default.
        redact: More names of headers, cookies, fields and parameters whose values are masked.
        tracebacks: Whether exceptions are recorded with their texts and tracebacks, or only by their types.
        rate_interval: Seconds between two rows of rates; 0 records none.
        max_routes: So many routes have entities of their own.
        route: Names the route of a request, for frameworks that do not tell it: a function that gets what
            ``sample`` gets and returns a template such as ``"/items/{id}"``, or ``None``.
    """

    entity_path: str
    include: Iterable[str]
    exclude: Iterable[str]
    sample: Sample
    headers: bool | Iterable[str]
    bodies: int
    query: bool
    redact: Iterable[str]
    tracebacks: bool
    rate_interval: float
    max_routes: int
    route: Callable[[Any], str | None] | None


class RequestSettings:
    """The options of :class:`RequestOptions`, checked.

    Attributes:
        log_path: The entity with a line for each request that failed.
        wants_details: Whether anything is recorded that is off by default.
        wants_headers: Which headers: all, none, or those of these names, in lower case.

    Raises:
        TypeError, ValueError: An option makes no sense; the text says which.
    """

    def __init__(
        self,
        *,
        entity_path: str = "http",
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
        sample: Sample = 1.0,
        headers: bool | Iterable[str] = False,
        bodies: int = 0,
        query: bool = False,
        redact: Iterable[str] = (),
        tracebacks: bool = True,
        rate_interval: float = 1.0,
        max_routes: int = MAX_ROUTES,
        route: Callable[[Any], str | None] | None = None,
    ) -> None:
        root = tuple([part for part in entity_path.split("/") if part])
        if isinstance(headers, str) or isinstance(redact, str):
            raise TypeError("headers and redact must hold names, got a single text: pass a list")
        if bodies < 0:
            raise ValueError(f"bodies must be 0 or more bytes, got {bodies!r}")
        if not (0 <= rate_interval < math.inf):
            raise ValueError(f"rate_interval must be 0 or more seconds, got {rate_interval!r}")
        if max_routes < 1:
            raise ValueError(f"max_routes must be positive, got {max_routes!r}")
        self.paths = UrlFilter(include, exclude)
        self.sampler = RequestSampler(sample)
        self.redactor = RequestRedactor(redact)
        self.routes = Routes(root, max_routes)
        self.name_route = route
        self.wants_headers: bool | frozenset[str] = (
            headers if isinstance(headers, bool) else frozenset([name.lower() for name in headers])
        )
        self.max_body = bodies
        self.wants_query = query
        self.wants_tracebacks = tracebacks
        self.wants_details = bool(headers) or bodies > 0 or query
        self.rate_interval = rate_interval
        self.log_path = "/".join([*root, "log"])
