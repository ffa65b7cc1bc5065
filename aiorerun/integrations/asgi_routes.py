"""Which route an ASGI request took, as far as its framework tells: FastAPI, Starlette, Litestar, or none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from aiorerun.integrations.requests.routes import UNMATCHED, filled_template, plain_template

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiorerun.integrations.requests.routes import Route, Routes

_PARAMETER: Final = re.compile(r"\{(\w+)")
_MAX_KNOWN: Final = 4096


class RouteFinder:
    """Finds the route of a request in its scope, where routers leave what they chose.

    Args:
        routes: All routes there are.
        name: The user's own function, asked first.

    Attributes:
        known: By the ``id`` of a router's object and the method: the route if nothing comes before its own
            path, the number of slashes in paths where that is so, and the object, to keep it alive.
    """

    __slots__ = ("_name", "_routes", "known")

    def __init__(self, routes: Routes, name: Callable[[Any], str | None] | None = None) -> None:
        self._routes = routes
        self._name = name
        self.known: dict[tuple[int, str], tuple[Route, int, object]] = {}

    def find(self, scope: Any, method: str, status: int) -> Route:
        """The route of a request that was answered with this status, 0 if not yet."""
        if self._name is not None:
            named = self._name(scope)
            if named is not None:
                return self._routes.get(method, named)
        route = scope.get("route")
        if route is None:
            return self._routes.get(method, _template_without_route(scope, status))
        return self._find(scope, route, method, status, scope["path"])

    def _find(self, scope: Any, route: Any, method: str, status: int, path: str) -> Route:
        own = getattr(route, "path_format", None) or getattr(route, "path", None)
        if not isinstance(own, str):
            return self._routes.get(method, _template_without_route(scope, status))
        parameters = scope.get("path_params") or {}
        if not hasattr(route, "endpoint"):
            # Another application is mounted there, and says nothing about routes.
            return self._routes.get(method, UNMATCHED if status == 404 else _mounted(scope, parameters))
        names = _PARAMETER.findall(own)
        inner = sum([str(parameters[name]).count("/") for name in names if name in parameters])
        parts = path.split("/")
        before = "/".join(parts[: max(0, len(parts) - 1 - own.count("/") - inner) + 1])
        if before:
            # The path of a mount or of an outer router, which may have parameters, too.
            others = {name: value for name, value in parameters.items() if name not in names}
            return self._routes.get(method, filled_template(before, others) + own)
        found = self._routes.get(method, own)
        if not inner:
            if len(self.known) >= _MAX_KNOWN:
                self.known.clear()
            self.known[id(route), method] = (found, own.count("/"), route)
        return found


def has_route(scope: Any) -> bool:
    """Whether a router has made its choice."""
    return "route" in scope or "endpoint" in scope or "path_template" in scope


def _template_without_route(scope: Any, status: int) -> str:
    template = scope.get("path_template")
    if isinstance(template, str):
        return template or "/"
    if status == 404:
        return UNMATCHED
    path: str = scope.get("path", "")
    if "endpoint" not in scope:
        return plain_template(path)
    parameters = scope.get("path_params") or {}
    root_path = scope.get("root_path", "")
    if root_path != scope.get("app_root_path", root_path) and not hasattr(scope["endpoint"], "__code__"):
        return _mounted(scope, parameters)
    return filled_template(path, parameters)


def _mounted(scope: Any, parameters: dict[str, Any]) -> str:
    return filled_template(scope.get("root_path", ""), parameters) + "/{path}"
