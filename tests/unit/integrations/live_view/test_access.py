"""Who may see a live view."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun.integrations.live_view.access import Access
from aiorerun.integrations.live_view.request import ViewRequest, joined_headers

if TYPE_CHECKING:
    from aiorerun.viewer.page_answers import Answer

LOCAL = {"host": "127.0.0.1:8000"}


def access(authorize: Any = None, **options: Any) -> Access:
    settings: dict[str, Any] = {"insecure": False, "challenge": None, "cors_allow_origin": ()}
    return Access(authorize, **settings | options)


def request(client: str | None = "127.0.0.1", **headers: str) -> ViewRequest:
    given = LOCAL | {name.replace("_", "-"): value for name, value in headers.items()}
    return ViewRequest("GET", "/recording.rrd", "token=secret", given, client)


def status(answer: Answer | None) -> int:
    return 200 if answer is None else answer.status


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request(), 200),
        (request("::1", host="[::1]:8000"), 200),
        (request("127.8.9.1", host="localhost"), 200),
        (request("192.168.1.7"), 403),
        (request("testclient"), 403),
        (request(None), 403),
        (request(host="evil.example:8000"), 403),
        (request(host="rerun.io"), 403),
        (request(x_forwarded_for="10.0.0.1"), 403),
        (request(forwarded="for=127.0.0.1"), 403),
        (request(via="1.1 proxy"), 403),
    ],
)
def test_without_a_word_only_this_machine_is_served(asked: ViewRequest, expected: int) -> None:
    assert status(access().check_place(asked)) == expected
    assert status(access(insecure=True).check_place(asked)) == 200
    assert status(access(lambda _: True).check_place(asked)) == 200


def test_that_others_were_refused_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    checked = access()
    with caplog.at_level(logging.WARNING, "aiorerun"):
        answers = [checked.check_place(request("10.0.0.1")) for _ in range(3)]
    assert len(caplog.records) == 1
    assert "authorize=" in caplog.text
    assert all(answer is not None and b"insecure=True" in answer.body for answer in answers)


async def test_the_hook_may_be_plain_or_a_coroutine() -> None:
    async def by_header(asked: ViewRequest) -> bool:
        return asked.headers.get("x-who") == "me"

    assert status(await access(by_header).check_person(request(x_who="me"))) == 200
    assert status(await access(by_header).check_person(request())) == 403
    assert status(await access(lambda asked: asked.method == "GET").check_person(request())) == 200
    assert status(await access(lambda _: False).check_person(request())) == 403
    assert status(await access().check_person(request())) == 200


async def test_a_challenge_makes_browsers_ask() -> None:
    answer = await access(lambda _: False, challenge='Basic realm="x"').check_person(request())
    assert answer is not None
    assert answer.status == 401
    assert ("www-authenticate", 'Basic realm="x"') in answer.headers


@pytest.mark.parametrize("verdict", [None, 1, "yes"])
async def test_a_hook_that_answers_something_else_lets_nobody_in(verdict: Any) -> None:
    with pytest.raises(TypeError, match="authorize: must give True or False"):
        await access(lambda _: verdict).check_person(request())


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 200),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
        ({"sec-fetch-site": "same-site", "origin": "http://localhost:1"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "https://a.example.com"}, 200),
        ({"sec-fetch-site": "cross-site", "origin": "https://example.org"}, 403),
        # Rerun's own page is another one, too.
        ({"sec-fetch-site": "cross-site", "origin": "https://rerun.io"}, 403),
    ],
)
def test_pages_of_other_origins_get_no_data(headers: dict[str, str], expected: int) -> None:
    checked = access(insecure=True, cors_allow_origin=["https://*.example.com"])
    assert status(checked.check_page(headers)) == expected


def test_nothing_of_a_request_shows_in_its_text() -> None:
    asked = request(cookie="session=secret", authorization="Bearer secret")
    assert repr(asked) == "ViewRequest(GET /recording.rrd)"
    assert "secret" not in repr(access(lambda _: True, challenge="secret"))
    assert asked.parameter("token") == "secret"
    assert asked.parameter("follow") is None


def test_headers_that_come_several_times_are_joined() -> None:
    pairs = [("Accept", "a"), ("accept", "b"), ("Cookie", "a=1"), ("cookie", "b=2")]
    assert joined_headers(pairs) == {"accept": "a, b", "cookie": "a=1; b=2"}
    assert joined_headers({"A": "1"}) == {"a": "1"}
