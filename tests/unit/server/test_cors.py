"""Origins of web pages, and host names."""

from __future__ import annotations

import pytest

from aiorerun.server.cors import Origins


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost",
        "http://localhost:1",
        "https://127.0.0.1:9090",
        "https://rerun.io",
        "app://rerun.io:1",
    ],
)
def test_allowed_by_default(origin: str) -> None:
    assert Origins().allows(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.rerun.io",
        "null",
        "",
        "http://LOCALHOST",
        "http://localhost.evil.com",
        "https://rerun.io.evil",
    ],
)
def test_not_allowed_by_default(origin: str) -> None:
    assert not Origins().allows(origin)


def test_patterns_are_globs_over_the_whole_origin() -> None:
    origins = Origins(["https://*.example.com", "null", "http://a?c[d]"])
    assert origins.allows("https://a.b.example.com")
    assert origins.allows("null")
    assert origins.allows("http://a?c[d]")
    assert not origins.allows("http://abcd")
    assert not origins.allows("https://example.com")
    assert not origins.allows("https://x.example.com:1")
    assert not origins.allows("xhttps://x.example.com")


def test_preflight() -> None:
    asked = {
        "origin": "http://localhost:1",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-grpc-web",
    }
    answer = dict(Origins().preflight_headers(asked))
    assert answer == {
        "vary": "origin, access-control-request-method, access-control-request-headers",
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "grpc-status, grpc-message",
        "access-control-allow-origin": "http://localhost:1",
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "content-type,x-grpc-web",
    }
    other = dict(Origins().preflight_headers({**asked, "origin": "https://evil.com"}))
    assert other == {name: value for name, value in answer.items() if name != "access-control-allow-origin"}


def test_only_allowed_origins_write_and_programs_have_none() -> None:
    origins = Origins()
    assert origins.may_write({})
    assert origins.may_write({"origin": "http://localhost:9090"})
    assert not origins.may_write({"origin": "https://evil.com"})


@pytest.mark.parametrize("host", ["localhost", "localhost:9876", "127.0.0.1:9876", "[::1]:9876", "[::1]"])
def test_names_of_this_machine(host: str) -> None:
    assert Origins().allows_host({"host": host})


def test_other_names_are_refused_unless_allowed() -> None:
    assert Origins().allows_host({})
    assert not Origins().allows_host({"host": "evil.com:9876"})
    assert not Origins().allows_host({"host": "localhost.evil.com"})
    assert not Origins().allows_host({"host": ""})
    assert Origins(["https://my.host*"]).allows_host({"host": "my.host:9876"})
    assert Origins(is_open=True).allows_host({"host": "evil.com"})


def test_other_defaults() -> None:
    origins = Origins(["https://a.example"], defaults=())
    assert origins.allows("https://a.example")
    assert not origins.allows("http://localhost:9090")
    # Names of this machine stay what they are.
    assert origins.allows_host({"host": "localhost:1"})
    assert not origins.allows_host({"host": "rerun.io"})
