"""Bodies as texts, and no secrets in them, whatever format they have."""

from __future__ import annotations

import json
import time

import pytest

from aiorerun.integrations.redaction import HIDDEN
from aiorerun.integrations.requests.bodies import Body, shown
from aiorerun.integrations.requests.details import document
from aiorerun.integrations.requests.redaction import RequestRedactor
from aiorerun.integrations.requests.settings import RequestSettings

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=B"


def text_of(kind: str, data: bytes, limit: int = 10_000, **more: str) -> str:
    body = Body(limit)
    body.add(data)
    headers = [("Content-Type", kind)] if kind else []
    headers += [(name.replace("_", "-"), value) for name, value in more.items()]
    return shown(body, headers, RequestRedactor())


def field(name: str, value: str, more: str = "") -> bytes:
    return f'--B\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'.encode()


def test_multipart_forms() -> None:
    data = (
        field("user", "ada")
        + field("password", "enigma")
        + field("login", '{"pin": "enigma"}')
        + field("config", '{"name": "token", "value": "enigma"}', "\r\nContent-Type: application/json")
        + field("upload", "enigma", '; filename="key.pem"')
        + b"--B\r\n\r\nenigma\r\n"
        + b"--B--\r\n"
    )
    assert text_of(MULTIPART, data).splitlines() == [
        "user: ada",
        f"password: {HIDDEN}",
        f'login: {{"pin": "{HIDDEN}"}}',
        f'config: {{"name": "token", "value": "{HIDDEN}"}}',
        "upload: (a file of 6 bytes, left out)",
        "(a field without a name, left out)",
    ]


@pytest.mark.parametrize("length", range(100))
def test_multipart_forms_that_are_cut_off(length: int) -> None:
    data = field("password", "enigma") + field("user", "ada") + b"--B--"
    assert "enig" not in text_of(MULTIPART, data, length)


@pytest.mark.parametrize("kind", [FORM, FORM.upper(), f"{FORM}; charset=UTF-8"])
def test_forms(kind: str) -> None:
    data = b"user=ada&pass%77ord=enigma+x%20y&a=1;token=en;igma&code=enigma"
    data += b"&j=%7B%22pin%22%3A%22enigma%22%7D&x=%20"
    assert text_of(kind, data) == (
        f"user=ada&pass%77ord={HIDDEN}&a=1;token={HIDDEN}&code={HIDDEN}&j={HIDDEN}&x=%20"
    )


@pytest.mark.parametrize(
    "value",
    [
        {"credentials": {"meta": {"v": 1}, "value": "enigma"}, "tokens": [["a"], ["enigma"]]},
        {"name": "password", "value": "enigma"},
        [{"key": "api_key", "data": ["enigma"]}],
        {"a": {"b": [{"password": 1234, "x": "password=enigma"}]}},
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize(
    "kind", ["application/json", "APPLICATION/JSON", "application/problem+json; charset=x"]
)
def test_json(kind: str, encoding: str, value: object) -> None:
    text = text_of(kind, json.dumps(value).encode(encoding))
    assert HIDDEN in text
    assert "enigma" not in text
    assert "1234" not in text
    json.loads(text)


@pytest.mark.parametrize("kind", ["", "text/plain"])
def test_json_that_is_not_said_to_be_json(kind: str) -> None:
    assert text_of(kind, b' {"name": "pin", "value": "enigma"}') == f'{{"name": "pin", "value": "{HIDDEN}"}}'
    assert text_of(kind, b"[INFO] token=enigma") == f"[INFO] token={HIDDEN}"


def test_json_that_is_cut_off() -> None:
    data = json.dumps({"user": "ada, [}", "tokens": [["a"], ["enigma"]], "items": [1, {"b": 2}, 3]}).encode()
    for length in range(1, len(data)):
        text = text_of("application/json", data, length)
        assert "enig" not in text
        if text.startswith("{"):
            json.loads(text.partition("…")[0])
    text = text_of("application/json", data, len(data) - 2)
    assert text == f'{{"user": "ada, [}}", "tokens": "{HIDDEN}", "items": [1, {{"b": 2}}]}}… (2 bytes more)'


def test_lines_of_json() -> None:
    data = b'{"a": 1}\n\n{"name": "token", "value": "enigma"}\n{"a"'
    assert text_of("application/x-ndjson", data[:-4]).splitlines()[1:] == [
        f'{{"name": "token", "value": "{HIDDEN}"}}'
    ]
    assert "enigma" not in text_of("application/x-ndjson", data)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("application/xml", b"<login><password>enigma</password></login>"),
        ("text/html", b'<input name="password" value="enigma">'),
        ("", b"<password>enigma</password>"),
        ("text/csv", b"user,password\nada,enigma"),
        ("application/json", b'{"password": enigma'),
        ("application/json", b"[" * 100_000),
        ("text/plain; charset=utf-16", "password=enigma".encode("utf-16")),
        ("text/plain", "password=enigma".encode("utf-16-le")),
        (f"{FORM}; charset=utf-16", "password=enigma".encode("utf-16")),
        ("multipart/form-data", field("password", "enigma")),
        ("multipart/mixed; boundary=B", field("password", "enigma")),
        ("application/octet-stream", b"enigma"),
    ],
)
def test_what_cannot_be_read_is_left_out(kind: str, data: bytes) -> None:
    text = text_of(kind, data)
    media = kind.partition(";")[0] or "another kind"
    assert text == f"({len(data)} bytes of {media}, left out)"


def test_compressed_bodies_are_left_out() -> None:
    assert text_of("text/plain", b"abc", content_encoding="gzip") == "(3 bytes of text/plain, left out)"
    assert text_of("text/plain", b"abc", content_encoding="identity") == "abc"
    assert text_of("text/plain", b"abc", content_disposition="\udcff") == "abc"


def test_texts_stay() -> None:
    assert text_of("text/plain; charset=latin-1", b"the password is wrong") == "the password is wrong"


@pytest.mark.parametrize("piece", [b"[", b"[,", b'{"a":', b'"', b"\\", b'"a",'])
def test_no_body_takes_long(piece: bytes) -> None:
    start = time.process_time()
    for kind in ("application/json", MULTIPART, FORM, ""):
        text_of(kind, piece * 100_000, 200_000)
    assert time.process_time() - start < 2


def test_details_have_it() -> None:
    body = Body(1000)
    body.add(field("password", "enigma") + b"--B--")
    headers = [("content-type", MULTIPART)]
    text = document(RequestSettings(bodies=1000), "POST /login 200", "", (headers, []), (body, None))
    assert text.splitlines() == ["POST /login 200", "request body:", f"password: {HIDDEN}"]
