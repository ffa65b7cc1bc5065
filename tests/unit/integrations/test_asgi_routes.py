"""The routes of requests, as frameworks tell them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route as StarletteRoute, WebSocketRoute

import aiorerun as rr
from aiorerun.integrations.asgi import RerunMiddleware
from aiorerun.integrations.asgi_routes import RouteFinder
from aiorerun.integrations.requests.routes import Routes
from aiorerun.testing import CaptureSink
from tests.asgi import drive, http_scope, socket_scope

if TYPE_CHECKING:
    from tests.asgi import App


async def answer(request: Any) -> PlainTextResponse:
    return PlainTextResponse("ok")


async def shout(socket: Any) -> None:
    await socket.accept()
    await socket.close()


async def raw(scope: Any, receive: Any, send: Any) -> None:
    await send(
        {"type": "http.response.start", "status": 404 if "none" in scope["path"] else 200, "headers": []}
    )
    await send({"type": "http.response.body"})


def fastapi_app() -> FastAPI:
    app, api, inner, sub = FastAPI(), APIRouter(prefix="/v1"), APIRouter(), FastAPI()

    async def item() -> dict[str, str]:
        return {}

    app.get("/")(item)
    api.get("/items/{item_id}")(item)
    inner.get("/x/{y}")(item)
    sub.get("/s/{z}")(item)
    api.include_router(inner, prefix="/deep/{tenant}")
    app.include_router(api, prefix="/api")
    app.include_router(inner, prefix="/other")
    app.mount("/sub", sub)
    return app


def starlette_app() -> Starlette:
    return Starlette(
        routes=[
            StarletteRoute("/", answer, methods=["GET", "POST"]),
            StarletteRoute("/users/{name}", answer),
            StarletteRoute("/files/{path:path}", answer),
            WebSocketRoute("/ws/{room}", shout),
            Mount("/m/{tenant}", routes=[StarletteRoute("/n/{k:int}", answer)]),
            Mount("/raw", app=raw),
        ]
    )


async def route_of(app: App, scope: Any, **options: Any) -> str:
    """The name of the only route that was recorded."""
    async with rr.AsyncRecordingStream("routes") as rec:
        sink = CaptureSink()
        await rec.set_sinks(sink)
        wrapped = RerunMiddleware(app, recording=rec, **options)
        # A second time, from what is remembered.
        for _ in range(2):
            await drive(wrapped, dict(scope))
        rows = [row for row in await sink.rows() if row.entity_path.startswith("/http/requests")]
        paths = {row.entity_path for row in rows}
    assert len(paths) == 1
    assert len(rows) == 2
    return paths.pop().removeprefix("/http/requests").replace("\\", "")


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "/GET"),
        ("/api/v1/items/3", "/api/v1/items/{item_id}/GET"),
        ("/api/v1/deep/blue/x/4", "/api/v1/deep/{tenant}/x/{y}/GET"),
        ("/other/x/4", "/other/x/{y}/GET"),
        ("/sub/s/3", "/sub/s/{z}/GET"),
        ("/docs", "/docs/GET"),
        ("/none", "/(unmatched)/GET"),
        ("/sub/none", "/(unmatched)/GET"),
    ],
)
async def test_fastapi(path: str, route: str) -> None:
    assert await route_of(fastapi_app(), http_scope(path)) == route


async def test_fastapi_under_a_root_path() -> None:
    assert (
        await route_of(fastapi_app(), http_scope("/root/other/x/4", root_path="/root"))
        == "/root/other/x/{y}/GET"
    )


async def test_a_router_that_is_included_twice_is_not_mixed_up() -> None:
    app = fastapi_app()

    assert await route_of(app, http_scope("/other/x/4")) == "/other/x/{y}/GET"
    assert await route_of(app, http_scope("/api/v1/deep/a/x/4")) == "/api/v1/deep/{tenant}/x/{y}/GET"


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "/GET"),
        ("/users/ann", "/users/{name}/GET"),
        ("/files/a/b/c", "/files/{path}/GET"),
        ("/m/acme/n/3", "/m/{tenant}/n/{k}/GET"),
        ("/raw/some/thing", "/raw/{path}/GET"),
        ("/raw/none", "/(unmatched)/GET"),
        ("/none", "/(unmatched)/GET"),
    ],
)
async def test_starlette(path: str, route: str) -> None:
    assert await route_of(starlette_app(), http_scope(path)) == route


async def test_methods_and_web_sockets() -> None:
    app = starlette_app()

    assert await route_of(app, http_scope("/", "POST")) == "/POST"
    assert await route_of(app, http_scope("/", "DELETE")) == "/DELETE"
    assert await route_of(app, socket_scope("/ws/lobby")) == "/ws/{room}/WEBSOCKET"


@pytest.mark.filterwarnings("ignore")
async def test_litestar() -> None:
    litestar = pytest.importorskip("litestar")

    async def item(item_id: int) -> dict[str, int]:
        return {}

    # Otherwise it sets up the logging of the whole process.
    app = litestar.Litestar([litestar.get("/items/{item_id:int}")(item)], logging_config=None)
    assert await route_of(app, http_scope("/items/3")) == "/items/{item_id}/GET"
    assert await route_of(app, http_scope("/none")) == "/(unmatched)/GET"


async def test_no_framework() -> None:
    assert await route_of(raw, http_scope("/users/17")) == "/users/{}/GET"
    assert await route_of(raw, http_scope("/none/17")) == "/(unmatched)/GET"


async def test_routes_named_by_the_user() -> None:
    def name(scope: Any) -> str | None:
        return "/mine" if scope["path"].startswith("/users") else None

    assert await route_of(raw, http_scope("/users/17"), route=name) == "/mine/GET"
    assert await route_of(raw, http_scope("/other"), route=name) == "/other/GET"


def test_starlette_without_a_route_in_the_scope() -> None:
    finder = RouteFinder(Routes(()))

    def endpoint() -> None: ...

    scope = http_scope("/users/ann", endpoint=endpoint, path_params={"name": "ann"})
    assert finder.find(scope, "GET", 200).name == "GET /users/{name}"
    mounted = http_scope(
        "/static/a/b", endpoint=object(), path_params={}, root_path="/static", app_root_path=""
    )
    assert finder.find(mounted, "GET", 200).name == "GET /static/{path}"
    assert finder.find(http_scope("/a", route=object()), "GET", 200).name == "GET /a"


def test_what_is_remembered_is_bounded() -> None:
    class Endless:
        endpoint = None

        def __init__(self, number: int) -> None:
            self.path = f"/{number}"

    finder = RouteFinder(Routes(()))
    for number in range(10_000):
        finder.find(http_scope(f"/{number}", route=Endless(number)), "GET", 200)

    assert len(finder.known) <= 4096
