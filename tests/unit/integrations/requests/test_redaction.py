"""Secrets are masked wherever they come up, and nothing else is."""

from __future__ import annotations

import base64

import pytest

from aiorerun.integrations.redaction import HIDDEN
from aiorerun.integrations.requests.redaction import RequestRedactor

SECRET = "s3cr3t-Value.42"


@pytest.mark.parametrize(
    "name",
    [
        "Authorization", "proxy-authorization", "Cookie", "set-cookie", "X-Api-Key", "api_key",
        "access_token", "id-token", "csrf_token", "x-xsrf-token", "password", "userPassword",
        "client_secret", "sessionid", "sig", "X-Amz-Signature", "x-amz-credential", "code", "AUTH",
        "SID", "state", "key", "pin", "pwd", "user[password]", "card.cvv",
    ],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert RequestRedactor().is_secret(name)


@pytest.mark.parametrize(
    "name", ["accept", "user-agent", "page", "monkey", "author", "status_code", "design", "host"]
)
def test_other_names(name: str) -> None:
    assert not RequestRedactor().is_secret(name)


def test_names_of_ones_own() -> None:
    redactor = RequestRedactor(["X-Tenant", "iban"])

    assert redactor.is_secret("x_tenant")
    assert redactor.text("iban: DE02120300000000202051 ok") == f"iban: {HIDDEN} ok"
    assert redactor.query("iban=DE02&page=2") == f"iban={HIDDEN}&page=2"


@pytest.mark.parametrize(
    ("query", "masked"),
    [
        ("", ""),
        ("page=2&sort=name", "page=2&sort=name"),
        (f"token={SECRET}&page=2", f"token={HIDDEN}&page=2"),
        (f"page=2&access%5Ftoken={SECRET}", f"page=2&access%5Ftoken={HIDDEN}"),
        (f"user%5Bpassword%5D={SECRET}&state={SECRET}", f"user%5Bpassword%5D={HIDDEN}&state={HIDDEN}"),
        ("token", "token"),
        (f"token={SECRET}={SECRET}", f"token={HIDDEN}"),
    ],
)
def test_query_strings(query: str, masked: str) -> None:
    assert RequestRedactor().query(query) == masked


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"{{'authorization': 'Bearer {SECRET}'}}",
        f"Cookie: a=b; session={SECRET}; c=d",
        f'{{"password": "{SECRET}"}}',
        f"{{'user_password': b'{SECRET}'}}",
        f"GET https://example.org/?page=1&token={SECRET} failed",
        f"postgres://user:{SECRET}@db/name is down",
        f"sent Bearer {SECRET}, got 401",
        f"login(password='{SECRET}', retries=3)",
        f"api-key={SECRET}",
        f"api.key => {SECRET}",
        f"ssn: {SECRET}",
        f"got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{SECRET}",
        f"-----BEGIN PRIVATE KEY-----\n{SECRET}",
        f"'password': 'first line\n{SECRET}'",
    ],
)
def test_texts(text: str) -> None:
    masked = RequestRedactor().text(text)

    assert SECRET not in masked
    assert HIDDEN in masked


@pytest.mark.parametrize(
    "text",
    ["GET /items/3: 200", "ValueError: no such item", "key stroke", "status code: ok", "state=open, key: 3"],
)
def test_texts_without_secrets_stay(text: str) -> None:
    assert RequestRedactor().text(text) == text


def test_what_a_request_has_sent_is_masked_anywhere() -> None:
    redactor = RequestRedactor()
    basic = base64.b64encode(b"ann:" + SECRET.encode()).decode()
    headers = [
        ("authorization", f"Basic {basic}"),
        ("cookie", "theme=dark; sid=cookie-value"),
        ("x-api-key", "key-value"),
        ("accept", "text/html"),
    ]
    secrets = redactor.secrets_of(headers, "token=query%20value&page=page-value")

    text = redactor.text(
        f"{basic} {SECRET} cookie-value key-value query value query%20value page-value", secrets
    )
    assert text == " ".join([HIDDEN] * 6 + ["page-value"])


def test_short_values_are_no_secrets() -> None:
    assert RequestRedactor().secrets_of([("cookie", "a=1; b=2")], "token=abc") == {"a=1; b=2"}


def test_damaged_credentials_do_not_matter() -> None:
    assert RequestRedactor().secrets_of([("authorization", "Basic ###")], "") == {"Basic ###"}
