"""Routes: their entities, how many there may be, and their rates."""

from __future__ import annotations

import pytest

from aiorerun.integrations.requests.routes import OTHER, Routes, filled_template, plain_template

SECOND = 1_000_000_000


def test_entities() -> None:
    route = Routes(("http",)).get("GET", "/items/{item_id}")

    assert route.name == "GET /items/{item_id}"
    assert route.requests_path == r"/http/requests/items/\{item_id\}/GET"
    assert route.rate_path == r"/http/rate/items/\{item_id\}/GET"
    assert route.concurrency_path == r"/http/concurrency/items/\{item_id\}/GET"
    assert Routes(()).get("GET", "/").requests_path == "/requests/GET"


def test_the_same_route_is_the_same_object() -> None:
    routes = Routes(())

    assert routes.get("GET", "/a") is routes.get("GET", "/a")
    assert routes.get("GET", "/a") is not routes.get("POST", "/a")


def test_too_many_routes_share_one() -> None:
    routes = Routes((), limit=3)
    names = [routes.get("GET", f"/{number}").name for number in range(6)]

    assert names == ["GET /0", "GET /1", "GET /2", *[f"{OTHER} {OTHER}"] * 3]
    assert len(routes) == 4


def test_clients_cannot_make_methods_up() -> None:
    routes = Routes(())

    assert {routes.get(f"METHOD{number}", "/a").name for number in range(100)} == {f"{OTHER} /a"}


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/", "/"),
        ("/users/list", "/users/list"),
        ("/users/17/posts", "/users/{}/posts"),
        ("/reset/aGVsbG8gd29ybGQh", "/reset/{}"),
        ("/reset/abcdefghijklmnopqrstuvwxyz", "/reset/{}"),
        ("/mail/ann@example.org", "/mail/{}"),
        ("/" + "/".join("abcdefghijk"), "/a/b/c/d/e/f/g/h/…"),
    ],
)
def test_templates_of_paths_without_routes(path: str, template: str) -> None:
    assert plain_template(path) == template


@pytest.mark.parametrize(
    ("path", "parameters", "template"),
    [
        ("/a/b", {}, "/a/b"),
        ("/items/17", {"id": 17}, "/items/{id}"),
        ("/items/items", {"id": "items"}, "/items/{id}"),
        ("/files/a/b/c", {"path": "a/b/c"}, "/files/{path}"),
        ("/v2.json", {"version": "2"}, "/v{version}.json"),
        ("/a/b", {"other": "zzz"}, "/a/b"),
        ("/a/b", {"empty": ""}, "/a/b"),
    ],
)
def test_templates_of_paths_with_parameters(path: str, parameters: dict[str, object], template: str) -> None:
    assert filled_template(path, parameters) == template


def test_rates_of_short_requests() -> None:
    routes = Routes(())
    route = routes.get("GET", "/a")
    for _ in range(10):
        route.passed(SECOND // 5)

    (rates,) = routes.rates(2 * SECOND, 2 * SECOND)
    assert (rates.route, rates.per_second, rates.concurrency) == (route, 5.0, 1.0)


def test_rates_of_long_requests() -> None:
    routes = Routes(())
    route = routes.get("GET", "/a")
    route.began(SECOND // 2)
    route.began(SECOND // 2)

    assert [rates[1:] for rates in routes.rates(SECOND, SECOND)] == [(0.0, 1.0)]
    assert [rates[1:] for rates in routes.rates(2 * SECOND, SECOND)] == [(0.0, 2.0)]
    route.ended(2 * SECOND + SECOND // 2)
    route.ended(3 * SECOND)
    assert [rates[1:] for rates in routes.rates(3 * SECOND, SECOND)] == [(2.0, 1.5)]


def test_rates_go_down_to_zero_once() -> None:
    routes = Routes(())
    routes.get("GET", "/a").passed(1)

    assert routes.rates(SECOND, SECOND)[0].per_second == 1.0
    assert [rates[1:] for rates in routes.rates(2 * SECOND, SECOND)] == [(0.0, 0.0)]
    assert routes.rates(3 * SECOND, SECOND) == []
