"""What is hidden, what is not, and that no text takes long."""

from __future__ import annotations

import time

import pytest

from aiorerun.integrations.redaction import HIDDEN, Redactor

redact = Redactor()

SECRET_NAMES = [
    "password", "DB_PASSWORD", "passwd", "userPassword", "api_key", "x-api-key", "apiKey", "secret", "token",
    "access_token", "refresh_tokens", "Authorization", "http.request.header.authorization", "cookie",
    "Set-Cookie", "session_id", "sessionid", "private_key", "aws_secret_access_key", "credentials", "auth",
    "basic.auth", "jwt", "csrf_token", "pin", "otp",
]  # fmt: skip
PLAIN_NAMES = ["user", "author", "path", "pinned", "status", "passenger", "http.method", "monkey", "duration"]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_values_with_secret_names(name: str) -> None:
    assert redact.value(name, "enigma") == HIDDEN
    assert redact.value(name, b"enigma") == HIDDEN
    assert redact.value(name, ["enigma"]) == HIDDEN


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_values_with_other_names(name: str) -> None:
    assert redact.value(name, "enigma") == "enigma"
    assert redact.value(name, 5) == 5


def test_numbers_of_tokens_and_switches_are_no_secrets() -> None:
    assert redact.value("prompt_tokens", 12) == 12
    assert redact.value("token_count", 12) == 12
    assert redact.value("token", 12) == HIDDEN
    assert redact.value("has_password", True) is True
    assert redact.value("password", None) is None


def test_secrets_within_values() -> None:
    given = {"user": "ada", "login": {"password": "enigma"}, "urls": ["https://ada:enigma@example.org/"]}
    assert redact.value("request", given) == {
        "user": "ada",
        "login": {"password": HIDDEN},
        "urls": ["https://***@example.org/"],
    }


TEXTS = [
    ("password=enigma", "password=***"),
    ('{"password": "enigma in quotes", "user": "ada"}', '{"password": ***, "user": "ada"}'),
    ("connect(user='ada', api_key='enigma')", "connect(user='ada', api_key=***)"),
    ("DB_PASSWORD: enigma", "DB_PASSWORD: ***"),
    ("Authorization: Bearer enigma.enigma", "Authorization: ***"),
    ("authorization=enigma", "authorization=***"),
    ("sent Bearer enigma123 along", "sent Bearer *** along"),
    ("postgres://ada:enigma@db/shop", "postgres://***@db/shop"),
    ("/login?user=ada&token=enigma&x=1", "/login?user=ada&token=***&x=1"),
    ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.enigma", "got ***"),
    ("key ghp_enigmaenigmaenigma12", "key ***"),
    ("-----BEGIN RSA PRIVATE KEY-----\nenigma\n-----END RSA PRIVATE KEY-----\nrest", "***\nrest"),
    ("-----BEGIN PRIVATE KEY-----\nenigma, cut off", "***"),
    ("Cookie: sid=enigma", "Cookie: ***"),
]


@pytest.mark.parametrize(("text", "hidden"), TEXTS)
def test_secrets_in_texts(text: str, hidden: str) -> None:
    assert redact.text(text) == hidden
    assert "enigma" not in redact.text(text)


@pytest.mark.parametrize(
    "text",
    [
        "the password is wrong",
        "token expired",
        "GET https://example.org/a@b 200",
        "12 tokens, 3 secrets",
        "a secret: nothing".replace(": nothing", " place"),
    ],
)
def test_other_texts_stay(text: str) -> None:
    assert redact.text(text) == text


def test_names_of_your_own_and_nothing_hidden() -> None:
    own = Redactor(["iban"])
    assert own.value("customer_IBAN", "DE00") == HIDDEN
    assert own.value("password", "enigma") == HIDDEN
    open_minded = Redactor(enabled=False)
    assert open_minded.value("password", "enigma") == "enigma"
    assert open_minded.text("password=enigma") == "password=enigma"


PIECES = [
    "a", "token", "token ", "token=", "token='", "eyJ-", "sk-", "bearer ", "authorization:", "a://", " ",
    "-----BEGIN PRIVATE KEY-----", "x" * 50 + "token", "token.", 'password" ',
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_no_text_takes_long(piece: str) -> None:
    text = "token " + piece * (65_536 // len(piece))
    start = time.process_time()
    redact.text(text)
    assert time.process_time() - start < 2
