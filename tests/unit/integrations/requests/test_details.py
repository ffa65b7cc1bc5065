"""The text with the details of a request."""

from __future__ import annotations

from aiorerun.integrations.redaction import HIDDEN
from aiorerun.integrations.requests.bodies import Body
from aiorerun.integrations.requests.details import decoded, document
from aiorerun.integrations.requests.settings import RequestSettings

REQUEST = [("accept", "text/html"), ("authorization", "Bearer topsecret")]
RESPONSE = [("content-type", "text/plain"), ("set-cookie", "sid=sessionvalue; Path=/")]


def body(data: bytes, limit: int = 100) -> Body:
    made = Body(limit)
    made.add(data)
    return made


def test_all_headers_without_secrets() -> None:
    text = document(RequestSettings(headers=True), "GET / 200", "a=b", (REQUEST, RESPONSE), (None, None))

    assert text.splitlines() == [
        "GET / 200",
        "request headers:",
        "  accept: text/html",
        f"  authorization: {HIDDEN}",
        "response headers:",
        "  content-type: text/plain",
        f"  set-cookie: {HIDDEN}",
    ]


def test_some_headers() -> None:
    text = document(RequestSettings(headers=["Accept"]), "GET", "a=b", (REQUEST, RESPONSE), (None, None))

    assert text.splitlines() == ["GET", "request headers:", "  accept: text/html"]


def test_query_strings() -> None:
    text = document(RequestSettings(query=True), "GET", "a=b&token=abcdef", (REQUEST, []), (None, None))

    assert text.splitlines() == ["GET", f"query: a=b&token={HIDDEN}"]


def test_bodies() -> None:
    settings = RequestSettings(bodies=100)
    bodies = (body(b'{"password": "hunter22", "name": "ann"}'), body(b"you sent topsecret"))
    text = document(settings, "POST", "", (REQUEST, RESPONSE), bodies)

    assert text.splitlines() == [
        "POST",
        "request body:",
        f'{{"password": {HIDDEN}, "name": "ann"}}',
        "response body:",
        f"you sent {HIDDEN}",
    ]


def test_forms() -> None:
    headers = [("content-type", "application/x-www-form-urlencoded")]
    text = document(
        RequestSettings(bodies=100), "POST", "", (headers, []), (body(b"pin=1234&name=ann"), None)
    )

    assert text.splitlines()[-1] == f"pin={HIDDEN}&name=ann"


def test_long_bodies_are_cut_between_characters() -> None:
    long = Body(4)
    long.add(b"abc")
    long.add("öö".encode())

    assert long.text() == "abc… (3 bytes more)"
    assert body(b"\xff\xfe").text() == "\ufffd\ufffd"


def test_any_bytes_are_headers() -> None:
    assert decoded([(b"a", b"\xff")]) == [("a", "\xff")]
