"""What is hidden, what is not, and that no text takes long."""

from __future__ import annotations

import time

import pytest

from aiorerun.integrations.redaction import _PARTS, HIDDEN, Redactor

redact = Redactor()

SECRET_NAMES = [
    "password", "DB_PASSWORD", "passwd", "userPassword", "api_key", "x-api-key", "apiKey", "secret", "token",
    "access_token", "refresh_tokens", "Authorization", "http.request.header.authorization", "cookie",
    "Set-Cookie", "session_id", "sessionid", "private_key", "aws_secret_access_key", "credentials", "auth",
    "basic.auth", "jwt", "csrf_token", "pin", "otp", "pass-word", "Client__Secret", "session",
    "user_session", "xsrf", "WWW-Authenticate", "user[pin]",
]  # fmt: skip
PLAIN_NAMES = [
    "user", "author", "path", "pinned", "status", "passenger", "http.method", "monkey", "duration", "state",
    "code", "key", "sid", "sig", "compass", "tmp_wd", "auth0r",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_values_with_secret_names(name: str) -> None:
    assert redact.value(name, "enigma") == HIDDEN
    assert redact.value(name, b"enigma") == HIDDEN
    assert redact.value(name, ["enigma"]) == HIDDEN


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_values_with_other_names(name: str) -> None:
    assert redact.value(name, "enigma") == "enigma"
    assert redact.value(name, 5) == 5


def test_names_of_several_words() -> None:
    assert redact.value("API key", "enigma") == HIDDEN


def test_numbers_of_tokens_and_switches_are_no_secrets() -> None:
    assert redact.value("prompt_tokens", 12) == 12
    assert redact.value("token_count", 12) == 12
    assert redact.value("open_sessions", 12) == 12
    assert redact.value("session_duration", 1.5) == 1.5
    assert redact.value("token", 12) == HIDDEN
    assert redact.value("session", 12) == HIDDEN
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
    ("Cookie: a=b; sid=enigma; c=d\nHost: here", "Cookie: ***\nHost: here"),
    ('Cookie: a="b c"; sid=enigma', "Cookie: ***"),
    ("cookies={'sid': 'enigma', 'a': 'b'}, retries=3\nrest", "cookies=***\nrest"),
    ("Proxy-Authorization: Negotiate enigma enigma", "Proxy-Authorization: ***"),
    ("{'authorization': 'Bearer enigma', 'accept': 'text'}", "{'authorization': ***, 'accept': 'text'}"),
    ("sent Negotiate enigma, got 401", "sent Negotiate ***, got 401"),
    ("sent Bearer abc", "sent Bearer ***"),
    ('sent Digest username="ada", response="enigma"\nrest', "sent Digest ***\nrest"),
    ("basic token: enigma", "basic *** ***"),
    ("token: Basic enigma", "token: *** ***"),
    ("token: password: enigma", "token: *** ***"),
    ("pass-word=enigma", "pass-word=***"),
    ("session=enigma, x-xsrf: enigma", "session=***, x-xsrf: ***"),
    ("{'password': b'enigma'}", "{'password': ***}"),
    ('password = "enigma \\" enigma", x', "password = ***, x"),
    ('{\\"password\\": \\"enigma\\"', '{\\"password\\": ***'),
    ("password='first\nenigma', x", "password=***, x"),
    ("password='enigma, cut off", "password=***"),
    ("token='cut off, key_token='enigma'", "token=***"),
    ("token: 'cut off\napi_key=b'enigma'", "token: ***"),
    ('"tokens": ["a", "enigma"], "user": "ada"', '"tokens": ***, "user": "ada"'),
    ('form["password"] = "enigma"', 'form["password"] = ***'),
    ("user[password]=enigma&page=2", "user[password]=***&page=2"),
    ("if password == 'enigma':", "if password == ***:"),
    ("password=*enigma", "password=***"),
    (
        '{"credentials": {"meta": {"v": 1}, "value": "enigma"}, "user": "ada"}',
        '{"credentials": ***, "user": "ada"}',
    ),
    ('"tokens": [["a"], ["enigma"]], "user": "ada"', '"tokens": ***, "user": "ada"'),
    ('tokens=["a]", "enigma"], user', "tokens=***, user"),
    ("tokens=[(1, [2]), {'a': 'enigma'}", "tokens=***"),
    ("cookies={'a': {'b': 1},\n'sid': 'enigma'}\nrest", "cookies=***\nrest"),
    ("postgresql+driver://ada:en@igma@db/shop", "postgresql+driver://***@db/shop"),
]


def test_values_that_other_items_name() -> None:
    given = {"headers": [{"name": "Authorization", "value": "enigma"}, {"name": "Accept", "value": "text"}]}
    assert redact.value("request", given) == {
        "headers": [{"name": "Authorization", "value": HIDDEN}, {"name": "Accept", "value": "text"}]
    }


def test_secrets_in_objects_that_become_texts() -> None:
    assert redact.value("error", ValueError("password=enigma")) == "password=***"
    assert redact.value("raw", b"token=enigma") == "b'token=***'"
    assert redact.value("all", [KeyError("secret: enigma")]) == ["'secret: ***'"]
    assert redact.value("port", 5) == 5


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
        "state=open code: 404, key = 3",
        "/callback?code=4&state=done",
        "a digest, all basics",
    ],
)
def test_other_texts_stay(text: str) -> None:
    assert redact.text(text) == text


def test_names_of_your_own_and_nothing_hidden() -> None:
    own = Redactor(["iban"])
    assert own.value("customer_IBAN", "DE00") == HIDDEN
    assert own.value("password", "enigma") == HIDDEN
    assert own.text("customer_iban: DE00, iban=DE00") == "customer_iban: ***, iban=***"
    assert Redactor(["filter[email]"]).text("/?filter[email]=ada&a=b") == "/?filter[email]=***&a=b"
    assert Redactor(["X-Tenant"]).value("x_tenant_id", "ada") == HIDDEN
    assert Redactor(["", "-"]).value("user", "ada") == "ada"
    open_minded = Redactor(enabled=False)
    assert open_minded.value("password", "enigma") == "enigma"
    assert open_minded.text("password=enigma") == "password=enigma"


PIECES = [
    "a", "token", "token ", "token=", "token='", "eyJ-", "sk-", "bearer ", "authorization:", "a://", " ",
    "-----BEGIN PRIVATE KEY-----", "x" * 50 + "token", "token.", 'password" ', "a-", "_", "://", "://a", "a@",
    "cookie:", "cookie=\"", "cookie:{", "digest a=", "basic ", "token=(", "token='\\'", "token=\\'x\n",
    "a[b", "a[b]", "token=b'", "cookie:a\n", "token:b", "token: \\", "token=token='", "authorization='='",
    "token=[(", "token=[]", "token=['", 'token={"a\\',
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_no_text_takes_long(piece: str) -> None:
    text = "://token basic key: " + piece * (131_072 // len(piece))
    start = time.process_time()
    redact.text(text)
    assert time.process_time() - start < 2


@pytest.mark.parametrize("name", [*SECRET_NAMES, *_PARTS])
def test_every_name_counts_in_texts(name: str) -> None:
    assert redact.text(f"{name}=enigma") == f"{name}=***"


def test_names_of_others_fill_no_memory() -> None:
    crowded = Redactor()
    for number in range(10_000):
        crowded.is_secret(f"x-{number}")
    crowded.is_secret("x" * 10_000)
    assert len(crowded._known) <= 4096
    assert all(len(name) < 100 for name in crowded._known)
